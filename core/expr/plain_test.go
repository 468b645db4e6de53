package expr

import (
	"math/rand"
	"net/http"
	"testing"
)

// TestPlainAgreesWithNextAndRead: where Plain answers, no condition holds and the key is the same.
func TestPlainAgreesWithNextAndRead(t *testing.T) {
	const seed = 13
	random := rand.New(rand.NewSource(seed))
	answered := 0
	for n := 0; n < 1500; n++ {
		var conditions []*Condition
		for i := random.Intn(3); i > 0; i-- {
			c, problems := ParseCondition(randomCondition(random, 0), Host{})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			conditions = append(conditions, c)
		}
		table := NewTable(conditions)
		sources := [][]string{{`cookie("uid")`}, {`header("B")`, `cookie("uid")`}, {`cookie("uid").lower()`}, {`ip()`}, {`random()`}}[random.Intn(5)]
		key, _ := ParseKey(sources, Host{})
		h := http.Header{}
		for _, name := range []string{"A", "B", "C"} {
			if random.Intn(6) == 0 {
				h[name] = []string{string("uvwxUV"[random.Intn(6)])}
			}
		}
		if random.Intn(5) > 0 {
			h["Cookie"] = []string{cookieFields[random.Intn(len(cookieFields))]}
		}
		in := &Input{Request: &http.Request{Header: h}, Address: "192.0.2.1"}
		got := Plain(table, key, h)
		if got == "" {
			continue
		}
		answered++
		if first, want := Next(table, in, None), Read(key, in); first != None || got != want {
			t.Fatalf("seed %d, %v, key %v: Plain says %q, but condition %d holds and the key is %q", seed, h, sources, got, first, want)
		}
	}
	if answered < 50 {
		t.Errorf("Plain answered %d of 1500 requests: too few to tell anything", answered)
	}
}
