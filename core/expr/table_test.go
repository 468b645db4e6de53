package expr

import (
	"fmt"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// slow evaluates a condition as one would on paper: the twin of the flat program.
func slow(n *node, in *Input) bool {
	switch n.kind {
	case isTrue:
		return true
	case isFalse:
		return false
	case isNot:
		return !slow(n.left, in)
	case isAnd:
		return slow(n.left, in) && slow(n.right, in)
	case isOr:
		return slow(n.left, in) || slow(n.right, in)
	}
	var text string
	var ok bool
	if n.test.value != nil {
		text, ok = read(n.test.value, in)
	}
	switch n.test.op {
	case equal:
		return text == n.test.text
	case exists:
		return ok
	}
	if n.test.op == isIn {
		_, found := n.test.texts[text]
		return found
	}
	return holds(&n.test, in, text)
}

// randomCondition writes conditions over three headers and few texts, so that look-ups, repetitions and overlaps occur.
func randomCondition(random *rand.Rand, depth int) string {
	header := `header("` + string("ABC"[random.Intn(3)]) + `")`
	text := func() string { return strconv.Quote(string("uvwx"[random.Intn(4)])) }
	switch choice := random.Intn(12); {
	case choice < 4 || depth == 0 && choice < 9:
		return header + " == " + text()
	case choice < 6:
		return header + ".in(" + text() + ", " + text() + ")"
	case choice == 6:
		return header + ".lower() == " + text()
	case choice == 7:
		return header + " != " + text()
	case choice == 8:
		return "!(" + randomCondition(random, depth-1) + ")"
	case choice == 9 && depth > 0:
		return "(" + randomCondition(random, depth-1) + " && " + randomCondition(random, depth-1) + ")"
	case choice == 10 && depth > 0:
		return "(" + randomCondition(random, depth-1) + " || " + randomCondition(random, depth-1) + ")"
	case choice == 11:
		return []string{"true", "false", header + ".exists()"}[random.Intn(3)]
	}
	return header + " == " + text() + " || " + header + ".in(" + text() + ")"
}

func TestTableAgreesWithItsSlowTwin(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewSource(seed))
	tables := 600
	for n := 0; n < tables; n++ {
		var sources []string
		var conditions []*Condition
		for i := random.Intn(9); i >= 0; i-- {
			source := randomCondition(random, 2)
			c, problems := ParseCondition(source, Host{})
			if len(problems) > 0 {
				t.Fatalf("%s: %s", source, join(problems))
			}
			sources, conditions = append(sources, source), append(conditions, c)
		}
		table := NewTable(conditions)
		for i := 0; i < 8; i++ {
			var headers []string
			for _, name := range []string{"A", "B", "C"} {
				if random.Intn(4) > 0 {
					headers = append(headers, name+": "+string("uvwxUV"[random.Intn(6)]))
				}
			}
			in := &Input{Request: request(t, "GET /", headers...)}
			var want []int
			for k, c := range conditions {
				if slow(c.root, in) {
					want = append(want, k)
				}
			}
			var got []int
			for k := Next(table, in, None); k != None; k = Next(table, in, k) {
				got = append(got, k)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d, table %d, %v: got %v, want %v of\n%s", seed, n, headers, got, want, strings.Join(sources, "\n"))
			}
		}
	}
}

func TestManyEqualitiesAreOneLookUp(t *testing.T) {
	conditions := make([]*Condition, 0, 1000)
	for i := 0; i < 1000; i++ {
		c, _ := ParseCondition(`header("X-Tenant") == "t`+strconv.Itoa(i%900)+`"`, Host{})
		conditions = append(conditions, c)
	}
	table := NewTable(conditions)
	if len(table.code) != 101 { // one look-up, and one for each text that a later rule repeats
		t.Errorf("1000 rules on one header take %d instructions, want 101", len(table.code))
	}
	in := &Input{Request: request(t, "GET /", "X-Tenant: t42")}
	if got := Next(table, in, None); got != 42 {
		t.Errorf("first match is rule %d, want 42", got)
	}
	if got := Next(table, in, 42); got != 942 {
		t.Errorf("after rule 42 matches rule %d, want 942", got)
	}
	if got := Next(table, in, 942); got != None {
		t.Errorf("after rule 942 matches rule %d, want none", got)
	}
}

func TestEmptyTable(t *testing.T) {
	if got := Next(NewTable(nil), &Input{Request: request(t, "GET /")}, None); got != None {
		t.Errorf("an empty table matched rule %d", got)
	}
}

func TestOutsideConditions(t *testing.T) {
	asked := 0
	staff := Outside(func(r *http.Request) bool {
		asked++
		return r.Header.Get("X-Staff") == "1"
	})
	v2, _ := ParseCondition(`header("X-Version") == "v2"`, Host{})
	table := NewTable([]*Condition{v2, staff, Always()})
	for _, test := range []struct {
		headers []string
		want    int
		asked   int
	}{
		{[]string{"X-Version: v2", "X-Staff: 1"}, 0, 0}, // a condition that is not reached is not asked
		{[]string{"X-Staff: 1"}, 1, 1},
		{nil, 2, 1},
	} {
		asked = 0
		got := Next(table, &Input{Request: request(t, "GET /", test.headers...)}, None)
		if got != test.want || asked != test.asked {
			t.Errorf("%v: rule %d after asking %d times, want rule %d after %d", test.headers, got, asked, test.want, test.asked)
		}
	}
}
