package expr

import (
	"fmt"
	"go/ast"
	"go/token"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// ParseCondition compiles a condition. On failure it returns every problem found, each beginning with its column,
// counted in characters from 1.
func ParseCondition(source string, host Host) (*Condition, []error) {
	c := &checker{source: source, host: host}
	if tree := c.parse(`a condition such as header("X-Version") == "v2"`); tree != nil {
		if root := c.condition(tree); len(c.problems) == 0 {
			return &Condition{root: root, asksStatus: c.asksStatus}, nil
		}
	}
	return nil, c.problems
}

// checker turns Go syntax into conditions and values and collects what is wrong.
type checker struct {
	source     string
	host       Host
	problems   []error
	asksStatus bool
}

func (c *checker) fail(at token.Pos, format string, args ...any) {
	c.problems = append(c.problems, Problem(c.source, at, format, args...))
}

// hostPlaceholder finds a placeholder of the gateway. They are no part of the language: what a client sends could be
// expanded twice, and Caddy's shorthands such as {header.X} arrive here as {http.request.header.X}.
var hostPlaceholder = regexp.MustCompile(`\{(http|env|file|system|time|vars)\.[^{}]*\}?`)

// parse reads the source. What an empty one should be is wanted.
func (c *checker) parse(wanted string) ast.Expr {
	if found := hostPlaceholder.FindStringIndex(c.source); found != nil {
		text := c.source[found[0]:found[1]]
		name := strings.Trim(text, "{}")
		c.fail(token.Pos(found[0]+1), "%s is a placeholder of the gateway, and expressions expand none: use placeholder(%q)%s",
			text, name, insteadOf(name))
		return nil
	}
	tree, err := Parse(c.source, wanted)
	if err != nil {
		c.problems = append(c.problems, err)
	}
	return tree
}

// insteadOf names the value of the language that says the same as a placeholder of Caddy.
func insteadOf(name string) string {
	for _, pair := range [][2]string{
		{"http.request.header.", "header"}, {"http.request.cookie.", "cookie"}, {"http.request.uri.query.", "query"},
	} {
		if rest, ok := strings.CutPrefix(name, pair[0]); ok {
			return fmt.Sprintf(" or, better, %s(%q)", pair[1], rest)
		}
	}
	switch name {
	case "http.request.remote.host", "http.vars.client_ip":
		return " or, better, ip()"
	case "http.request.uri.path":
		return " or, better, path()"
	}
	return ""
}

// condition checks a condition. It returns nil if something is wrong with it, which has then been reported.
func (c *checker) condition(x ast.Expr) *node {
	n := c.conditionOf(x)
	if n != nil && n.text == "" { // else it stands in parentheses
		n.text = c.source[x.Pos()-1 : x.End()-1]
	}
	return n
}

func (c *checker) conditionOf(x ast.Expr) *node {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.condition(x.X)
	case *ast.Ident:
		switch x.Name {
		case "true":
			return &node{kind: isTrue}
		case "false":
			return &node{kind: isFalse}
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			if inner := c.condition(x.X); inner != nil {
				return &node{kind: isNot, left: inner}
			}
			return nil
		}
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND, token.LOR:
			left, right := c.condition(x.X), c.condition(x.Y)
			if left == nil || right == nil {
				return nil
			}
			combined := &node{kind: isAnd, left: left, right: right}
			if x.Op == token.LOR {
				combined.kind = isOr
			}
			return combined
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return c.comparison(x)
		}
		c.fail(x.OpPos, "unknown operator %s: conditions know == != < <= > >= && || !", x.Op)
		return nil
	case *ast.CallExpr:
		if method, ok := x.Fun.(*ast.SelectorExpr); ok && method.Sel.Name != "lower" {
			return c.method(x, method)
		}
		if v := c.value(x); v != nil {
			c.fail(x.Pos(), "a value is not a condition: append .exists(), or compare it")
		}
		return nil
	}
	c.fail(x.Pos(), `not a condition: %s (write one such as header("X-Version") == "v2")`, c.text(x))
	return nil
}

// comparison checks value == literal and its like.
func (c *checker) comparison(x *ast.BinaryExpr) *node {
	if isLiteral(x.X) {
		c.fail(x.X.Pos(), "a literal stands on the right: write %s %s %s", c.text(x.Y), Mirrored(x.Op), c.text(x.X))
		return nil
	}
	v := c.value(x.X)
	lit, ok := c.literal(x.Y)
	if v == nil || !ok {
		return nil
	}
	t := test{value: v}
	switch {
	case lit.isNumber:
		if x.Op == token.EQL || x.Op == token.NEQ {
			c.checkStatus(v, strconv.FormatFloat(lit.number, 'f', -1, 64), x.Y)
		}
		t.op = numberOperations[x.Op]
		t.number = lit.number
	case lit.isBool && x.Op != token.EQL && x.Op != token.NEQ:
		c.fail(x.OpPos, "%s cannot order true and false: use == or !=", x.Op)
		return nil
	case v.source == fromIP:
		address, ok := c.address(x, lit.text)
		if !ok {
			return nil
		}
		t = test{op: addressEqual, address: address}
	default:
		c.checkCase(v, lit.text, x.Y)
		c.checkPlace(v, lit.text, x.Y)
		c.checkStatus(v, lit.text, x.Y)
		t.op = textOperations[x.Op]
		t.text = lit.text
	}
	n := &node{kind: isTest, test: t}
	if x.Op == token.NEQ {
		return &node{kind: isNot, left: n}
	}
	return n
}

// address checks what ip() is compared with.
func (c *checker) address(x *ast.BinaryExpr, text string) (netip.Addr, bool) {
	if x.Op != token.EQL && x.Op != token.NEQ {
		c.fail(x.OpPos, "addresses have no order: use ==, != or .in")
		return netip.Addr{}, false
	}
	prefix, err := ParsePrefix(text)
	if err != nil {
		c.fail(x.Y.Pos(), "%v", err)
		return netip.Addr{}, false
	}
	if !prefix.IsSingleIP() {
		c.fail(x.Y.Pos(), "%q is a network: write ip().in(%q)", text, text)
		return netip.Addr{}, false
	}
	return prefix.Addr(), true
}

// != is == negated; the orderings are not each other's negation on texts that are no numbers.
var (
	textOperations = map[token.Token]operation{
		token.EQL: equal, token.NEQ: equal,
		token.LSS: less, token.LEQ: lessOrEqual, token.GTR: greater, token.GEQ: greaterOrEqual,
	}
	numberOperations = map[token.Token]operation{
		token.EQL: numberEqual, token.NEQ: numberEqual,
		token.LSS: numberLess, token.LEQ: numberLessOrEqual, token.GTR: numberGreater, token.GEQ: numberGreaterOrEqual,
	}
)

// Mirrored returns the comparison of y with x that says the same as op of x with y.
func Mirrored(op token.Token) token.Token {
	switch op {
	case token.LSS:
		return token.GTR
	case token.LEQ:
		return token.GEQ
	case token.GTR:
		return token.LSS
	case token.GEQ:
		return token.LEQ
	}
	return op
}

// literal is a constant on the right of a comparison or in a call.
type literal struct {
	text     string
	number   float64
	isNumber bool
	isBool   bool
}

func isLiteral(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.BasicLit:
		return true
	case *ast.ParenExpr:
		return isLiteral(x.X)
	case *ast.UnaryExpr:
		return (x.Op == token.SUB || x.Op == token.ADD) && isLiteral(x.X)
	case *ast.Ident:
		return x.Name == "true" || x.Name == "false"
	}
	return false
}

func (c *checker) literal(x ast.Expr) (literal, bool) {
	if !isLiteral(x) {
		c.fail(x.Pos(), `the right side must be a literal such as "v2" or 10, not %s`, c.text(x))
		return literal{}, false
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.literal(x.X)
	case *ast.Ident:
		return literal{text: x.Name, isBool: true}, true
	case *ast.UnaryExpr:
		lit, ok := c.literal(x.X)
		if ok && !lit.isNumber {
			c.fail(x.Pos(), "%s takes a number, not %s", x.Op, c.text(x.X))
			return literal{}, false
		}
		if x.Op == token.SUB {
			lit.number = -lit.number
		}
		return lit, ok
	case *ast.BasicLit:
		switch x.Kind {
		case token.STRING:
			text, err := strconv.Unquote(x.Value)
			if err != nil {
				c.fail(x.Pos(), "malformed text %s", x.Value)
			}
			return literal{text: text}, err == nil
		case token.CHAR:
			c.fail(x.Pos(), `single quotes: write texts in double quotes, %q`, strings.Trim(x.Value, "'"))
			return literal{}, false
		}
		return c.numberLiteral(x)
	}
	return literal{}, false
}

func (c *checker) numberLiteral(x *ast.BasicLit) (literal, bool) {
	n, ok := number(x.Value)
	octal := len(x.Value) > 1 && x.Value[0] == '0' && x.Value[1] >= '0' && x.Value[1] <= '9'
	if !ok || octal {
		c.fail(x.Pos(), `%s is not a decimal number; to compare it as text, write %q`, x.Value, x.Value)
		return literal{}, false
	}
	if n >= maxExact {
		c.fail(x.Pos(), `%s is too large to compare exactly as a number; compare it as text: %q`, x.Value, x.Value)
		return literal{}, false
	}
	return literal{number: n, isNumber: true}, true
}

func (c *checker) text(x ast.Expr) string { return Excerpt(c.source, x) }
