package expr

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// Host is what a gateway contributes to expressions. The zero Host offers no placeholders, no files and no places.
type Host struct {
	// Placeholder returns a named value that the gateway knows of a request. Nil: the gateway has none, and
	// placeholder() is a compile error.
	Placeholder func(r *http.Request, name string) (string, bool)

	// Watch reads a file whole into load, at once, and again whenever the file changes. A load that fails leaves what
	// was loaded before. Nil: .inFile is a compile error.
	Watch func(path string, load func(content []byte) error) error

	// Geo returns what tells a field of the place where an address is, such as "country"; "" is not known. The error says
	// that there is no such field, or that nothing knows it. Nil: geo() is a compile error.
	Geo func(field string) (func(address netip.Addr) string, error)

	// Answers tells that conditions are answered once the request is, so that they may ask for status().
	Answers bool

	// Claim returns where a claim stands, by its dotted path, in what Claims returns. Nil: claim() is a compile error.
	Claim func(path string) int

	// Claims returns the claims of the request's token, or nil if none was verified. A claim that the token does not have
	// is nil; else its text comes first, and then, if it is a list, its items. It is asked once for an [Input].
	Claims func(r *http.Request) [][]string
}

// Condition is a compiled condition, ready for a [Table].
type Condition struct {
	root       *node
	asksStatus bool
}

// Outside wraps a condition that the gateway itself evaluates, such as a matcher of its configuration.
func Outside(holds func(r *http.Request) bool) *Condition {
	return &Condition{root: &node{kind: isTest, test: test{op: outside, asks: holds}}}
}

// Always is the condition that always holds.
func Always() *Condition { return &Condition{root: &node{kind: isTrue}} }

// node is a condition as a tree, before it becomes a program.
type node struct {
	kind        kind
	left, right *node  // isAnd, isOr; isNot has only left
	test        test   // isTest
	text        string // as it is written; empty inside !=, and of conditions that nobody wrote
}

type kind uint8

const (
	isTest kind = iota
	isTrue
	isFalse
	isAnd
	isOr
	isNot
)

// test is one question about one value. Which operand counts follows from the operation. Tests of the client's address
// and of the gateway's own conditions have no value.
type test struct {
	op        operation
	value     *value
	text      string
	number    float64
	texts     map[string]struct{}
	pattern   *regexp.Regexp
	address   netip.Addr
	prefixes  *prefixes
	lines     *textSet
	addresses *addressSet
	asks      func(r *http.Request) bool
}

// operation says how a test is answered. The loop of a program answers the first ones itself.
type operation uint8

const (
	equal  operation = iota
	isIn             // one of texts
	exists           // whatever the text
	lookUp           // a map from the text to the next instruction; only in programs

	contains
	hasPrefix
	hasSuffix
	matches
	inFile
	less
	lessOrEqual
	greater
	greaterOrEqual

	numberEqual
	numberLess
	numberLessOrEqual
	numberGreater
	numberGreaterOrEqual

	has // more than the text: all fields
	addressEqual
	addressIn
	addressInFile
	outside // the gateway's own
)

// holds answers the tests that the loop of a program does not answer itself. It is spread over several functions,
// because interpreted a call costs by the size of what is called.
func holds(t *test, in *Input, text string) bool {
	if t.op >= has {
		return holdsBeyondText(t, in)
	}
	if t.op >= numberEqual {
		n, ok := number(text)
		return ok && holdsNumber(t, n)
	}
	switch t.op {
	case contains:
		return strings.Contains(text, t.text)
	case hasPrefix:
		return strings.HasPrefix(text, t.text)
	case hasSuffix:
		return strings.HasSuffix(text, t.text)
	case matches:
		return t.pattern.MatchString(text)
	case inFile:
		return t.lines.has(text)
	}
	return holdsInOrder(t, text)
}

func holdsInOrder(t *test, text string) bool {
	switch t.op {
	case less:
		return text < t.text
	case lessOrEqual:
		return text <= t.text
	case greater:
		return text > t.text
	}
	return text >= t.text // greaterOrEqual
}

func holdsNumber(t *test, n float64) bool {
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

func holdsBeyondText(t *test, in *Input) bool {
	switch t.op {
	case has:
		return t.value.has(in, t.text)
	case outside:
		return t.asks(in.Request)
	}
	client, ok := in.ip()
	if !ok {
		return false
	}
	switch t.op {
	case addressEqual:
		return client == t.address
	case addressIn:
		return t.prefixes.contains(client)
	}
	return t.addresses.has(client) // addressInFile
}

// literals returns the texts of a condition that only compares one value with literals: ==, .in, and || of them. These
// are the conditions that a table turns into look-ups.
func (n *node) literals() (v *value, texts []string, ok bool) {
	switch {
	case n.kind == isTest && n.test.op == equal:
		return n.test.value, []string{n.test.text}, true
	case n.kind == isTest && n.test.op == isIn:
		for text := range n.test.texts {
			texts = append(texts, text)
		}
		return n.test.value, texts, true
	case n.kind == isOr:
		leftValue, left, leftOK := n.left.literals()
		rightValue, right, rightOK := n.right.literals()
		if leftOK && rightOK && leftValue.same(rightValue) {
			texts = append(texts, left...)
			texts = append(texts, right...)
			return leftValue, texts, true
		}
	}
	return nil, nil, false
}
