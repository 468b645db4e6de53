package expr

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
)

// A condition that asks for status() is answered in two parts. What the request has is asked when it comes, because
// handlers change requests, and forget them; what is left then asks for nothing but the answer's status, which comes later.

// AsksStatus reports whether a condition asks for status(), so that it holds of no request before that is answered.
func (c *Condition) AsksStatus() bool { return c.asksStatus }

// Possible returns the condition of all requests of which this one may hold, whatever their answers are. It does not ask
// for status(), so that a [Table] can have it.
func (c *Condition) Possible() *Condition {
	return &Condition{root: c.root.replaced(true, func(asked *node, wanted bool) *node {
		if asked.test.isOfStatus() {
			return constant(wanted)
		}
		return asked
	})}
}

// Settle answers what a condition asks of a request, and returns what is left of it.
func Settle(c *Condition, in *Input) *Condition {
	return &Condition{root: c.root.replaced(true, func(asked *node, _ bool) *node {
		if asked.test.isOfStatus() {
			return asked
		}
		v := asked.test.value
		if v == nil {
			v = nothing
		}
		text, ok := read(v, in)
		return constant(asked.test.holds(in, text, ok))
	})}
}

// Met reports whether what [Settle] left of a condition holds of an answer with a status.
func Met(settled *Condition, status int) bool {
	text := strconv.Itoa(status)
	root := settled.root.replaced(true, func(asked *node, _ bool) *node {
		return constant(asked.test.holds(nil, text, true))
	})
	return root.kind == isTrue
}

// replaced returns a condition with another in the place of each test, without what that decides. The replacement is told
// whether the whole rather holds if the test does. What is decided is not asked.
func (n *node) replaced(wanted bool, by func(asked *node, wanted bool) *node) *node {
	switch n.kind {
	case isTest:
		return by(n, wanted)
	case isNot:
		left := n.left.replaced(!wanted, by)
		if left.kind == isTrue || left.kind == isFalse {
			return constant(left.kind == isFalse)
		}
		return &node{kind: isNot, left: left}
	case isAnd, isOr:
		left := n.left.replaced(wanted, by)
		if left.kind == isTrue || left.kind == isFalse {
			if (left.kind == isTrue) == (n.kind == isOr) {
				return left
			}
			return n.right.replaced(wanted, by)
		}
		return joined(n.kind, left, n.right.replaced(wanted, by))
	}
	return n
}

// joined returns && or || of two conditions, of which the left one is open.
func joined(by kind, left, right *node) *node {
	if right.kind == isTrue || right.kind == isFalse {
		if (right.kind == isTrue) == (by == isOr) {
			return right
		}
		return left
	}
	return &node{kind: by, left: left, right: right}
}

func constant(holds bool) *node {
	if holds {
		return &node{kind: isTrue}
	}
	return &node{kind: isFalse}
}

// holds answers a test outside of a program, given its value's text and whether there is one.
func (t *test) holds(in *Input, text string, ok bool) bool {
	return answer(&instruction{test: *t, yes: 1, no: 0}, in, text, ok) == 1
}

func (t *test) isOfStatus() bool { return t.value != nil && t.value.source == fromStatus }

// status checks that there is an answer to ask for, and notes that the condition does.
func (c *checker) status(at token.Pos) *value {
	if !c.host.Answers {
		c.fail(at, "status() is known once a request is answered, and only the conditions of goals are asked then: ask here for what the request has, such as path() or method()")
		return nil
	}
	c.asksStatus = true
	return &value{source: fromStatus}
}

var statusCode = regexp.MustCompile(`^[1-9][0-9]{2}$`)

// checkStatus reports a literal that no status can be.
func (c *checker) checkStatus(v *value, text string, x ast.Expr) {
	if v.source == fromStatus && !statusCode.MatchString(text) {
		c.fail(x.Pos(), "%s is no status: write a number such as 201, or a range such as status() >= 200 && status() < 300", c.text(x))
	}
}
