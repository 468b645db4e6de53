package analysis

import (
	"fmt"
	"go/ast"
	"go/token"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
)

// kind says what a node is.
type kind int

const (
	// numbers
	constant kind = iota
	operation
	errorRate
	successRate
	latencyMS
	requestCount
	mirrorMismatch
	conversionRate
	prometheusAnswer

	// conditions
	always
	negation
	conjunction
	disjunction
	comparison // of numbers, as they were measured
	limited    // left is a rate or a latency, and a test tells whether it is at most, or less than, a limit
	awaited    // left is a number of requests, which grows until it is what it is compared with
	worse
)

// node is a part of a check.
type node struct {
	kind        kind
	left, right *node
	op          token.Token // of an operation, and of whatever compares
	text        string      // as the check has it, shortened
	variant     int         // of what is measured
	name        string      // the goal, or the query
	number      float64     // the constant, the quantile, or the limit
}

// isOfVariant tells whether it is a variant that is measured.
func (n *node) isOfVariant() bool {
	return n.kind >= errorRate && n.kind <= conversionRate || n.kind == worse
}

// checker turns Go syntax into nodes and collects what is wrong.
type checker struct {
	source   string
	settings Settings
	problems []error
}

func (c *checker) fail(at token.Pos, format string, args ...any) {
	c.problems = append(c.problems, expr.Problem(c.source, at, format, args...))
}

func (c *checker) text(x ast.Expr) string { return expr.Excerpt(c.source, x) }

// percentage finds a number that somebody gave in percent, and texts, in which that may be.
var (
	percentage = regexp.MustCompile(`([0-9.]+)\s*%\s*($|[^\s\w("])`)
	quoted     = regexp.MustCompile("\"(\\\\.|[^\"\\\\])*\"|`[^`]*`")
)

// parse reads the source.
func (c *checker) parse() (ast.Expr, error) {
	tree, err := expr.Parse(c.source, "a check such as "+c.example(0)+" <= 0.01")
	if err == nil {
		return tree, nil
	}
	blanked := quoted.ReplaceAllStringFunc(c.source, func(text string) string { return strings.Repeat(" ", len(text)) })
	if found := percentage.FindStringSubmatchIndex(blanked); found != nil {
		percent, _ := strconv.ParseFloat(blanked[found[2]:found[3]], 64)
		return nil, expr.Problem(c.source, token.Pos(found[2]+1), "shares are numbers from 0 to 1: for %g%% write %.6g", percent, percent/100)
	}
	return nil, err
}

// condition checks a condition. It returns nil if something is wrong with it, which has then been reported.
func (c *checker) condition(x ast.Expr) *node {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.condition(x.X)
	case *ast.Ident:
		if x.Name == "true" || x.Name == "false" {
			value := &node{kind: always, text: x.Name}
			if x.Name == "true" {
				value.number = 1
			}
			return value
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			if inner := c.condition(x.X); inner != nil {
				return &node{kind: negation, left: inner}
			}
			return nil
		}
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND, token.LOR:
			left := c.condition(x.X)
			right := c.condition(x.Y)
			if left == nil || right == nil {
				return nil
			}
			if x.Op == token.LAND {
				return &node{kind: conjunction, left: left, right: right}
			}
			return &node{kind: disjunction, left: left, right: right}
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return c.comparison(x)
		}
	case *ast.CallExpr:
		value := c.call(x)
		if value == nil || value.kind == worse {
			return value
		}
		c.fail(x.Pos(), "a number is not a condition: compare it, as in %s <= 0.01", c.example(0))
		return nil
	}
	if !c.numeric(x) {
		c.fail(x.Pos(), "not a condition: %s (write one such as %s <= 0.01)", c.text(x), c.example(0))
	} else if c.number(x) != nil {
		c.fail(x.Pos(), "a number is not a condition: compare it, as in %s <= 0.01", c.example(0))
	}
	return nil
}

// numeric tells what is meant to be a number from other nonsense.
func (c *checker) numeric(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return functionNamed(x.Name) >= 0
	case *ast.BinaryExpr:
		return true
	case *ast.UnaryExpr:
		return x.Op == token.SUB || x.Op == token.ADD
	case *ast.BasicLit:
		return x.Kind == token.INT || x.Kind == token.FLOAT
	}
	return false
}

// number checks a number.
func (c *checker) number(x ast.Expr) *node {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.number(x.X)
	case *ast.BasicLit:
		return c.literal(x)
	case *ast.UnaryExpr:
		if x.Op == token.SUB || x.Op == token.ADD {
			zero := &node{kind: constant}
			return c.operation(x, x.Op, x.OpPos, zero, c.number(x.X))
		}
	case *ast.BinaryExpr:
		switch x.Op {
		case token.ADD, token.SUB, token.MUL, token.QUO:
			left := c.number(x.X)
			right := c.number(x.Y)
			return c.operation(x, x.Op, x.OpPos, left, right)
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			c.fail(x.OpPos, "a comparison is not a number: combine conditions with && and ||")
			return nil
		}
		c.fail(x.OpPos, "unknown operator %s: checks know + - * / == != < <= > >= && || !", x.Op)
		return nil
	case *ast.CallExpr:
		value := c.call(x)
		if value != nil && value.kind == worse {
			c.fail(x.Pos(), "%s is a condition, not a number: it stands alone, or with && || !", value.text)
			return nil
		}
		return value
	case *ast.Ident:
		if i := functionNamed(x.Name); i >= 0 {
			c.fail(x.Pos(), "%s is a function: write %s", x.Name, c.example(i))
			return nil
		}
	}
	c.fail(x.Pos(), "not a number: %s (write one such as 0.01 or %s)", c.text(x), c.example(0))
	return nil
}

// operation checks an operation on two numbers, either of which is nil if something is wrong with it.
func (c *checker) operation(x ast.Expr, op token.Token, at token.Pos, left, right *node) *node {
	if left == nil || right == nil {
		return nil
	}
	if op == token.QUO && right.kind == constant && right.number == 0 {
		c.fail(at, "a quotient by zero is never known")
		return nil
	}
	if left.kind == constant && right.kind == constant {
		result := arithmetic(op, numberOf(left.number), numberOf(right.number))
		if !result.known {
			c.fail(at, "%s is too large", c.text(x))
			return nil
		}
		return &node{kind: constant, number: result.value, text: c.text(x)}
	}
	return &node{kind: operation, op: op, left: left, right: right, text: c.text(x)}
}

func (c *checker) literal(x *ast.BasicLit) *node {
	switch x.Kind {
	case token.CHAR:
		c.fail(x.Pos(), `single quotes: write texts in double quotes, %q`, strings.Trim(x.Value, "'"))
		return nil
	case token.STRING:
		c.fail(x.Pos(), "a text is not a number: %s (write one such as 0.01 or %s)", c.text(x), c.example(0))
		return nil
	}
	value, err := strconv.ParseFloat(x.Value, 64)
	octal := len(x.Value) > 1 && x.Value[0] == '0' && x.Value[1] >= '0' && x.Value[1] <= '9'
	if err != nil || octal || strings.ContainsAny(x.Value, "xX") {
		c.fail(x.Pos(), "%s is not a decimal number", c.text(x))
		return nil
	}
	return &node{kind: constant, number: value, text: x.Value}
}

// comparison checks a comparison of two numbers. One with a constant is turned so that the constant is on the right.
func (c *checker) comparison(x *ast.BinaryExpr) *node {
	left := c.number(x.X)
	right := c.number(x.Y)
	if left == nil || right == nil {
		return nil
	}
	op := x.Op
	at := x.Y.Pos()
	if left.kind == constant {
		left, right = right, left
		op = expr.Mirrored(op)
		at = x.X.Pos()
	}
	if left.kind == constant {
		c.fail(x.OpPos, "two constants are compared: name what is measured, as in %s <= 0.01", c.example(0))
		return nil
	}
	n := &node{kind: comparison, op: op, left: left, right: right, text: c.text(x)}
	if right.kind != constant {
		return n
	}
	n.number = right.number
	if !c.possible(at, left, op, n.number) {
		return nil
	}
	switch left.kind {
	case requestCount:
		n.kind = awaited
	case errorRate, successRate, latencyMS, mirrorMismatch, conversionRate:
		if op != token.EQL && op != token.NEQ {
			return limit(n)
		}
	}
	return n
}

// limit makes a comparison of a rate or a latency one that a test makes: whether it is no more, or less, than a limit, or
// that this is not so. A rate of success becomes one of failure, as does the share of clients who reached a goal.
func limit(n *node) *node {
	n.kind = limited
	if n.left.kind == successRate || n.left.kind == conversionRate {
		n.op = expr.Mirrored(n.op)
		n.number = math.Round((1-n.number)*1e12) / 1e12 // 1-0.9 is less than 0.1
	}
	switch n.op {
	case token.GTR:
		n.op = token.LEQ
		return &node{kind: negation, left: n}
	case token.GEQ:
		n.op = token.LSS
		return &node{kind: negation, left: n}
	}
	return n
}

// possible reports a constant that what is measured can never be, and one of which every share is on the same side.
func (c *checker) possible(at token.Pos, measured *node, op token.Token, limit float64) bool {
	switch measured.kind {
	case errorRate, successRate, mirrorMismatch, conversionRate:
		if limit < 0 || limit > 1 {
			hint := ""
			if limit > 1 && limit <= 100 {
				hint = fmt.Sprintf(": for %g%% write %.6g", limit, limit/100)
			}
			c.fail(at, "%s is a share from 0 to 1, and never %g%s", measured.text, limit, hint)
			return false
		}
		if answer := foregone(op, limit); answer != "" {
			c.fail(at, "%s is a share from 0 to 1, and so %s %s %g: write a limit in between, such as 0.01", measured.text, answer, op, limit)
			return false
		}
	case latencyMS:
		if limit <= 0 {
			c.fail(at, "%s is never %g: write milliseconds, such as 500", measured.text, limit)
			return false
		}
	}
	return true
}

// foregone tells that a share is always, or never, on one side of one of its bounds; "" if that depends.
func foregone(op token.Token, bound float64) string {
	switch {
	case op == token.LEQ && bound == 1 || op == token.GEQ && bound == 0:
		return "always"
	case op == token.GTR && bound == 1 || op == token.LSS && bound == 0:
		return "never"
	}
	return ""
}
