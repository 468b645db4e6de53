package expr

// None is what [Next] returns when no condition holds.
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
	empty   int // the next instruction where the value's text is empty; undecided if that takes more than the text
}

const (
	noMatch   = -1
	undecided = -1 << 62
)

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

// Next returns the index of the first condition that holds: of all, if after is [None], else of those that come after
// that one. It returns [None] if none holds. It is the one loop that runs a program.
//
// It is a function, as is all that every request runs through, and it does the most common things itself, because
// interpreted the call of a method costs as much as twenty steps, and that of a function as four. So headers are read
// here, a value is read once for neighbouring tests of it, and where a text is empty, as most are that rules look for,
// the way on was found in advance.
func Next(t *Table, in *Input, after int) int {
	pc := t.start
	if after != None {
		pc = t.resume[after]
	}
	var last *value // that was read
	text := ""
	ok := false
	for pc >= 0 {
		i := &t.code[pc]
		if i.value != last {
			last = i.value
			if last.source == fromHeader && !last.lower {
				fields := in.Request.Header[last.name]
				text = ""
				if ok = len(fields) > 0; ok {
					text = fields[0]
				}
			} else {
				text, ok = read(last, in)
			}
		}
		if text == "" && i.empty != undecided {
			pc = i.empty
			continue
		}
		yes := false
		switch i.op {
		case equal:
			yes = text == i.text
		case exists:
			yes = ok
		case isIn:
			_, yes = i.texts[text]
		case lookUp:
			target, found := i.cases[text]
			if !found {
				target = i.no
			}
			pc = target
			continue
		default:
			yes = holds(&i.test, in, text)
		}
		pc = i.no
		if yes {
			pc = i.yes
		}
	}
	if pc == noMatch {
		return None
	}
	return -2 - pc
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
	return t.emit(instruction{test: n.test, yes: yes, no: no})
}

func (t *Table) emit(i instruction) int {
	i.value = t.intern(i.value)
	i.empty = i.whenEmpty()
	t.code = append(t.code, i)
	return len(t.code) - 1
}

// whenEmpty finds the next instruction for an empty text.
func (i *instruction) whenEmpty() int {
	yes := false
	switch {
	case i.op == exists || i.op >= has:
		return undecided
	case i.op == lookUp:
		if target, found := i.cases[""]; found {
			return target
		}
	case i.op == equal:
		yes = i.text == ""
	case i.op == isIn:
		_, yes = i.texts[""]
	default:
		yes = holds(&i.test, nil, "") // a file has no empty lines, whenever it is read
	}
	if yes {
		return i.yes
	}
	return i.no
}

func (t *Table) intern(v *value) *value {
	if v == nil {
		v = nothing
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
