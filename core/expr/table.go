package expr

import "net/http"

// None is what [Next] returns when no condition holds.
const None = -1

// Table holds the conditions of rules, in order, as one flat program.
type Table struct {
	code  []*instruction
	entry []int // where the program begins, and where it goes on when the match of condition i-1 does not count
}

// instruction is a test and where to go from there. A negative target ends the run: -1 if no condition holds, -2-i if
// condition i does.
type instruction struct {
	test
	cases   map[string]int // lookUp: from the value's text to the next instruction
	yes, no int
	header  string // the header that the test looks at; "" if it looks at anything else
	absent  int    // where to go if the request does not have that header; if there is none, elsewhere less the index
}

const (
	noMatch   = -1
	elsewhere = -1 << 30 // below the end of every run
)

func matched(condition int) int { return -2 - condition }

// NewTable compiles conditions, in order, to one program.
func NewTable(conditions []*Condition) *Table {
	t := &Table{entry: make([]int, len(conditions)+1)}
	// From last to first: then the entry of what follows is known, and a failing condition jumps straight to it.
	next := noMatch
	last := len(conditions) - 1
	for last >= 0 {
		first := lookUpRun(conditions, last)
		if first < last || isLookUp(conditions[last]) {
			next = t.addLookUp(conditions, first, last, next)
		} else {
			t.entry[last+1] = next
			next = t.add(conditions[last].root, matched(last), next)
		}
		last = first - 1
	}
	t.entry[0] = next
	return t
}

// Next returns the index of the first condition that holds: of all, if after is [None], else of those that come after
// that one. It returns [None] if none holds. It is the loop that runs a program.
//
// It is a function, as is all that every request runs through, and as small as can be. Interpreted, the call of a method
// costs several times that of a function, and that of a function grows with the number of expressions in it, whether
// they are reached or not. So the loop knows one thing: headers, which most rules look at, and which most requests do
// not have.
func Next(t *Table, in *Input, after int) int {
	pc := t.entry[after+1]
	for {
		for pc >= 0 {
			i := t.code[pc]
			fields := in.Request.Header[i.header]
			pc = i.absent
			if len(fields) > 0 {
				pc = follow(i, in, fields[0])
			}
		}
		if pc > elsewhere {
			return -2 - pc
		}
		i := t.code[elsewhere-pc]
		text, ok := read(i.value, in)
		pc = answer(i, in, text, ok)
	}
}

// follow returns where to go from the test of a header that the request has.
func follow(i *instruction, in *Input, text string) int {
	if i.op != equal {
		return answer(i, in, text, true)
	}
	if text == i.text {
		return i.yes
	}
	return i.no
}

// answer returns where to go from a test, given its value's text and whether the request has it.
func answer(i *instruction, in *Input, text string, ok bool) int {
	yes := ok
	switch i.op {
	case exists:
	case equal:
		yes = text == i.text
	case isIn:
		_, yes = i.texts[text]
	case lookUp:
		if target, found := i.cases[text]; found {
			return target
		}
		return i.no
	default:
		yes = holds(&i.test, in, text)
	}
	if yes {
		return i.yes
	}
	return i.no
}

// add appends the program of a condition and returns its entry.
func (t *Table) add(n *node, yes, no int) int {
	switch n.kind {
	case isTrue:
		return yes
	case isFalse:
		return no
	case isNot:
		return t.add(n.left, no, yes)
	case isAnd:
		return t.add(n.left, t.add(n.right, yes, no), no)
	case isOr:
		return t.add(n.left, yes, t.add(n.right, yes, no))
	}
	return t.emit(&instruction{test: n.test, yes: yes, no: no})
}

func (t *Table) emit(i *instruction) int {
	pc := len(t.code)
	t.code = append(t.code, i)
	if i.value == nil {
		i.value = nothing
	}
	i.absent = elsewhere - pc
	if i.value.source == fromHeader {
		i.header = i.value.name
		i.absent = answer(i, &Input{Request: &http.Request{}}, "", false)
	}
	return pc
}

// isLookUp reports whether a condition compares one value with several literals.
func isLookUp(c *Condition) bool {
	_, texts, ok := c.root.literals()
	return ok && len(texts) > 1
}

// lookUpRun returns the first of the conditions that end with last and all compare the same value with literals.
func lookUpRun(conditions []*Condition, last int) (first int) {
	v, _, ok := conditions[last].root.literals()
	if !ok {
		return last
	}
	for first = last; first > 0; first-- {
		w, _, ok := conditions[first-1].root.literals()
		if !ok || !v.same(w) {
			break
		}
	}
	return first
}

// addLookUp appends one look-up for the conditions first to last, which compare the same value with literals. A
// condition whose match does not count goes on with the next one that has the literal at hand.
func (t *Table) addLookUp(conditions []*Condition, first, last, next int) int {
	cases := make(map[string]int)
	var v *value
	for i := last; i >= first; i-- {
		w, texts, _ := conditions[i].root.literals()
		v = w
		later := make(map[string]int)
		for _, text := range texts {
			if target, ok := cases[text]; ok {
				later[text] = target
			}
		}
		t.entry[i+1] = next
		if len(later) > 0 {
			t.entry[i+1] = t.emit(&instruction{test: test{op: lookUp, value: v}, cases: later, no: next})
		}
		for _, text := range texts {
			cases[text] = matched(i)
		}
	}
	return t.emit(&instruction{test: test{op: lookUp, value: v}, cases: cases, no: next})
}
