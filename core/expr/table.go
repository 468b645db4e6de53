package expr

import "strings"

// None is what [Table.First] and [Table.After] return when no condition holds.
const None = -1

// Table holds the conditions of rules, in order, as one flat program.
type Table struct {
	code   []instruction
	values []*value // each value once, so that the loop knows a value that it has just read
	start  int
	resume []int // where to go on when the match of condition i does not count
}

// instruction is a test and where to go from there. A negative target ends the run: -1 if no condition holds, -2-i if
// condition i does.
type instruction struct {
	test
	cases   map[string]int // lookUp: from the value's text to the next instruction
	yes, no int
}

const noMatch = -1

func matched(condition int) int { return -2 - condition }

// NewTable compiles conditions, in order, to one program.
func NewTable(conditions []*Condition) *Table {
	t := &Table{resume: make([]int, len(conditions))}
	// From last to first: then the entry of what follows is known, and a failing condition jumps straight to it.
	next := noMatch
	last := len(conditions) - 1
	for last >= 0 {
		first := lookUpRun(conditions, last)
		if first < last || isLookUp(conditions[last]) {
			next = t.addLookUp(conditions, first, last, next)
		} else {
			t.resume[last] = next
			next = t.add(conditions[last].root, matched(last), next)
		}
		last = first - 1
	}
	t.start = next
	return t
}

// First returns the index of the first condition that holds, or [None].
func (t *Table) First(in *Input) int { return t.run(in, t.start) }

// After returns the index of the first condition after the given one that holds, or [None].
func (t *Table) After(in *Input, condition int) int { return t.run(in, t.resume[condition]) }

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
	return t.emit(instruction{test: n.test, yes: yes, no: no})
}

func (t *Table) emit(i instruction) int {
	i.value = t.intern(i.value)
	t.code = append(t.code, i)
	return len(t.code) - 1
}

func (t *Table) intern(v *value) *value {
	if v == nil {
		return nil
	}
	for _, known := range t.values {
		if known.same(v) {
			return known
		}
	}
	t.values = append(t.values, v)
	return v
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
		t.resume[i] = next
		if len(later) > 0 {
			t.resume[i] = t.emit(instruction{test: test{op: lookUp, value: v}, cases: later, no: next})
		}
		for _, text := range texts {
			cases[text] = matched(i)
		}
	}
	return t.emit(instruction{test: test{op: lookUp, value: v}, cases: cases, no: next})
}

// run is the loop. It reads a value once for neighbouring tests of the same value.
func (t *Table) run(in *Input, pc int) int {
	var (
		read *value
		text string
		ok   bool
	)
	for pc >= 0 {
		i := &t.code[pc]
		if v := i.value; v != read && v != nil {
			// The case of headers is written out: most rules look at headers, and a call costs much when interpreted.
			if v.source == fromHeader && !v.lower {
				fields := in.Request.Header[v.name]
				if ok = len(fields) > 0; ok {
					text = fields[0]
				} else {
					text = ""
				}
			} else {
				text, ok = v.read(in)
			}
			read = v
		}
		var holds bool
		switch i.op {
		case equal:
			holds = text == i.text
		case lookUp:
			if target, found := i.cases[text]; found {
				pc = target
			} else {
				pc = i.no
			}
			continue
		case exists:
			holds = ok
		default:
			holds = i.holdsFor(in, text)
		}
		if holds {
			pc = i.yes
		} else {
			pc = i.no
		}
	}
	if pc == noMatch {
		return None
	}
	return -2 - pc
}

// holdsFor answers the less common tests.
func (t *test) holdsFor(in *Input, text string) bool {
	switch t.op {
	case less:
		return text < t.text
	case lessOrEqual:
		return text <= t.text
	case greater:
		return text > t.text
	case greaterOrEqual:
		return text >= t.text
	case isIn:
		_, found := t.texts[text]
		return found
	case inFile:
		return t.lines.has(text)
	case has:
		return t.value.has(in, t.text)
	case contains:
		return strings.Contains(text, t.text)
	case hasPrefix:
		return strings.HasPrefix(text, t.text)
	case hasSuffix:
		return strings.HasSuffix(text, t.text)
	case matches:
		return t.pattern.MatchString(text)
	case addressEqual:
		address, ok := in.ip()
		return ok && address == t.address
	case addressIn:
		address, ok := in.ip()
		return ok && t.prefixes.contains(address)
	case addressInFile:
		address, ok := in.ip()
		return ok && t.addresses.has(address)
	case outside:
		return t.holds(in.Request)
	}
	return t.numberHolds(text)
}

func (t *test) numberHolds(text string) bool {
	n, ok := number(text)
	if !ok {
		return false
	}
	switch t.op {
	case numberEqual:
		return n == t.number
	case numberLess:
		return n < t.number
	case numberLessOrEqual:
		return n <= t.number
	case numberGreater:
		return n > t.number
	}
	return n >= t.number // numberGreaterOrEqual
}
