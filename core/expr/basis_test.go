package expr

import (
	"math/rand"
	"net/http"
	"testing"
)

// basisConditions look at every value by which requests can be compared, in every way in which two may differ.
var basisConditions = []string{
	`header("A") == "u"`, `header("A").in("u", "v", "")`, `header("A").exists()`, `header("A").has("v")`, `header("B").lower() == "u"`, `header("Host") == "u"`,
	`cookie("uid") == "1"`, `cookie("a").exists()`,
	`method() == "POST"`, `host() == "u"`, `scheme() == "https"`,
	`ip() == "192.0.2.1"`, `ip().in("192.0.2.0/24", "2001:db8::/32")`, `ip().exists()`,
}

var basisKeys = [][]string{
	{`cookie("uid")`}, {`header("B")`}, {`cookie("uid")`, `ip()`}, {`header("B")`, `cookie("uid").lower()`, `host()`}, {`host()`}, {`ip()`}, {`header("A").lower()`},
}

// basisTexts are what headers and the like hold, some of which try to look like several.
var basisTexts = []string{"u", "v", "U", "", "u,v", "\x00", "u\x00A[\"u\"]", "\x00A[\"u\"]", "\x00[\"u\" \"v\"]", `"u"`, "uid=1", "uid=1; a=2", "uid=1\x00A[\"u\"]"}

func randomText(random *rand.Rand) string { return basisTexts[random.Intn(len(basisTexts))] }

func randomInput(random *rand.Rand) *Input {
	h := http.Header{}
	for _, name := range []string{"A", "B", "Cookie"} {
		for i := random.Intn(4) - 1; i > 0; i-- {
			h[name] = append(h[name], randomText(random))
		}
	}
	address := []string{"", "192.0.2.1", "2001:db8::1", "2001:DB8::1", "@"}[random.Intn(5)]
	r := &http.Request{Method: []string{"GET", "POST"}[random.Intn(2)], Host: randomText(random), Header: h}
	return &Input{Request: r, Address: address}
}

// TestBasisTellsRequestsApart: requests of the same basis get the same answers.
func TestBasisTellsRequestsApart(t *testing.T) {
	const seed = 31
	random := rand.New(rand.NewSource(seed))
	alike := 0
	for n := 0; n < 120; n++ {
		var conditions []*Condition
		var sources []string
		for i := random.Intn(3); i > 0; i-- {
			source := basisConditions[random.Intn(len(basisConditions))]
			c, problems := ParseCondition(source, Host{})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			conditions = append(conditions, c)
			sources = append(sources, source)
		}
		table := NewTable(conditions)
		keySources := basisKeys[random.Intn(len(basisKeys))]
		key, _ := ParseKey(keySources, Host{})
		basis := NewBasis(table, key)
		if basis == nil {
			t.Fatalf("%q, key %q: no basis", sources, keySources)
		}
		type answers struct {
			in    *Input
			first int
			key   string
		}
		known := map[string]answers{}
		for i := 0; i < 120; i++ {
			in := randomInput(random)
			text := Whole(basis, in)
			if !IsDistinct(basis, in.Request.Header) {
				continue
			}
			got := answers{in: in, first: Next(table, in, None), key: Read(key, in)}
			near := Near(basis, in.Request.Header)
			seen, ok := known[text]
			if ok && (seen.first != got.first || seen.key != got.key) {
				t.Fatalf("seed %d, %q, key %q: the basis %q stands for %v %+v and for %v %+v", seed, sources, keySources, text,
					seen.in.Request.Header, seen.in, in.Request.Header, in)
			}
			if seen, ok := known[near]; basis.IsNear() && ok && near != text && (seen.first != got.first || seen.key != got.key) {
				t.Fatalf("seed %d, %q, key %q: the headers' basis %q, looked up for %v, stands for %v", seed, sources, keySources, near,
					in.Request.Header, seen.in.Request.Header)
			}
			if ok {
				alike++
			}
			known[text] = got
		}
	}
	if alike < 1000 {
		t.Errorf("only %d requests were like another: too few to tell anything", alike)
	}
}

// TestBasisOfWhatCannotBeCompared: answers that rest on chance, or on what only the gateway knows, have none.
func TestBasisOfWhatCannotBeCompared(t *testing.T) {
	host := Host{Placeholder: func(_ *http.Request, name string) (string, bool) { return name, true }}
	key, _ := ParseKey([]string{`cookie("uid")`}, host)
	for _, source := range []string{`random() < 0.5`, `path() == "/"`, `query("v").exists()`, `placeholder("x") == "1"`, `header("A") == "1" && placeholder("x").lower() == "1"`} {
		c, problems := ParseCondition(source, host)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if NewBasis(NewTable([]*Condition{c}), key) != nil {
			t.Errorf("%s: it has a basis", source)
		}
	}
	if NewBasis(NewTable([]*Condition{Outside(func(_ *http.Request) bool { return true })}), key) != nil {
		t.Error("a condition of the gateway's own has a basis")
	}
	byPlaceholder, _ := ParseKey([]string{`cookie("uid")`, `placeholder("x")`}, host)
	if NewBasis(NewTable(nil), byPlaceholder) != nil {
		t.Error("a key that is a placeholder has a basis")
	}
}
