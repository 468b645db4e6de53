package interpreted

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

type state struct {
	name  string
	count int
	done  bool
}

func name() string { return "name" }

func together(s *state, lines chan string, words []string) {
	s.name, s.done = name(), true             // want `a call among several values`
	s.count, s.name = 1, strings.ToUpper("a") // want `a call among several values`
	s.count, s.done = len(words), false       // want `a call among several values`
	words, s.done = append(words, "a"), true  // want `a call among several values`
	a, b := <-lines, 1                        // want `a received value among several`
	c, d := state{}, 1                        // want `a composite literal among several values`
	words, s.count = []string{"a"}, 2         // want `a composite literal among several values`
	_, _, _, _ = a, b, c, d

	s.name, s.done = words[0], true
	s.name, s.count = string(words[0][0]), 1
	e, f := name(), true
	g, h := &state{}, 1
	words[0], words[1] = words[1], words[0]
	_, _, _, _ = e, f, g, h
	words, f = append(words, "a"), len(words) > 1 // want `a call among several values`
	e, s.name = strings.ToLower(e), name()        // want `a call among several values` `a call among several values`
	e, i := name(), name()
	e, i = strings.ToLower(e), strings.ToUpper(i)
	e, i = strings.ToLower(i), name() // want `a call among several values` `a call among several values`
	s.name = name()
	s.done = true
}

func unpacked(s *state, ages map[string]int, list []int) (err error) {
	ages["a"], err = strconv.Atoi("5") // want `one of several results is not stored in a map`
	ages["a"], list[0] = 5, 6
	list[0], err = strconv.Atoi("7")
	s.count, err = strconv.Atoi("8")
	return err
}

func results(words []string, lines chan string) (string, int, []string) {
	if len(words) > 1 {
		return words[0], len(words), words // want `a builtin's value is returned as the first`
	}
	if len(words) > 2 {
		return words[0], 1, append(words, "a") // want `a builtin's value is returned as the first`
	}
	if len(words) > 3 {
		return <-lines, 1, words // want `a received value among several that are returned`
	}
	n := len(words)
	return name(), n, words
}

func size(words []string) (int, bool) { return len(words), true }

func named(words []string) (first, second string, ok bool) {
	first = words[0]
	if len(words) == 1 {
		return first, first + "a", true
	}
	if len(words) == 2 {
		return second, first, true // want `result second may be overwritten` `result first may be overwritten`
	}
	if len(words) == 3 {
		return "a", "b", first == "a" // want `result first may be overwritten`
	}
	func() (string, bool) { return first, true }()
	return first, second, ok
}

func loops(words []string, counts map[string]int) {
	for i := 0; ; { // want `nothing but this statement`
		i++
		if i > 3 {
			break
		}
	}
	for i := range words {
		i++ // want `a change of index i skips elements`
	}
	for i, word := range words {
		i = len(word) // want `a change of index i skips elements`
		_ = i
		word = "a"
		_ = word
	}
	for word := range counts {
		word += "a"
		_ = word
	}
	for i := 0; ; i++ {
		i++
		if i > 3 {
			break
		}
	}
	for i := 0; i < 3; {
		i++
	}
}

func defers(words []string) {
	for _, word := range words {
		defer print(word) // want `every defer of a loop`
		func() {
			defer print("a")
		}()
	}
	defer print("b")
}

func starts(leaves []*leaf, all *leaf) {
	for _, l := range leaves {
		go l.grow(1) // want `every method that a loop starts runs on the l`
		go grow(l, 1)
		go all.grow(1)
	}
	go all.grow(1)
}

func (l *leaf) grow(by int) { _ = by }

func grow(l *leaf, by int) { l.grow(by) }

func defaults(n int) {
	switch {
	default: // want `default changes places`
	case n > 1:
	case n > 2:
	}
	switch n {
	case 1:
	default:
	}
}

func asserted(v any) int {
	if v.(bool) { // want `a type assertion as a condition is always true`
		return 1
	}
	for v.(bool) { // want `a type assertion as a condition is always true`
		return 2
	}
	switch {
	case v.(bool): // want `a type assertion as a condition is always true`
		return 3
	}
	if b := v.(bool); b || !v.(bool) {
		return 4
	}
	return 5
}

func unnamed(string, int) {} // want `an unnamed parameter` `an unnamed parameter`

func (s *state) unnamed(_ string, load func([]byte) error) error {
	f := func(string) error { return nil } // want `an unnamed parameter`
	_ = func(_ string) error { return nil }
	return f("")
}

type weight int64

func (w weight) String() string { return fmt.Sprintf("%d%%", int64(w)) }

func verbs(w weight, n int) {
	_ = fmt.Sprintf("%s %-5d", "a", w) // want `%d prints a struct, because weight has a String method`
	_ = fmt.Sprintf("%d %v %s %q %.2f", n, w, w, w, 0.5)
	_ = fmt.Sprintf("%d%% of %d", n, w+1) // want `%d prints a struct`
}

func report(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func wrapped(w weight, s state, l level) {
	_ = report("%s %v", "a", w) // want `a value of type weight, which has methods, among ...any`
	_ = report("%v", l)         // want `a value of type level, which has methods, among ...any`
	_ = report("%v", s)         // want `a value of type state, which has methods, among ...any`
	_ = report("%s %d %v", w.String(), int64(w), errMissing)
	_ = fmt.Sprintf("%s", w)
}

func symbols() {
	slog.New(slog.DiscardHandler)  // want `slog.DiscardHandler is not in the standard library`
	for range strings.Lines("a") { // want `strings.Lines is not in the standard library` `range over a function`
	}
}
