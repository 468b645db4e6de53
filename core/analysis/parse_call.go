package analysis

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
)

// functions are what can be measured, with an example of each, in which %q stands for a variant.
var functions = []struct {
	name    string
	kind    kind
	example string
}{
	{"error_rate", errorRate, `error_rate(%q)`},
	{"success_rate", successRate, `success_rate(%q)`},
	{"latency_ms", latencyMS, `latency_ms(%q, 0.99)`},
	{"requests", requestCount, `requests(%q)`},
	{"worse", worse, `worse(%q)`},
	{"mirror_mismatch", mirrorMismatch, `mirror_mismatch(%q)`},
	{"conversion", conversionRate, `conversion(%q, "goal")`},
	{"prometheus", prometheusAnswer, `prometheus("up")`},
}

func functionNamed(name string) int {
	for i := range functions {
		if functions[i].name == name {
			return i
		}
	}
	return -1
}

func functionNames() []string {
	var names []string
	for _, f := range functions {
		names = append(names, f.name)
	}
	return names
}

// example returns a call of a function.
func (c *checker) example(function int) string {
	example := functions[function].example
	if !strings.Contains(example, "%q") {
		return example
	}
	return fmt.Sprintf(example, c.settings.name())
}

// call checks a call of a function.
func (c *checker) call(x *ast.CallExpr) *node {
	name, ok := x.Fun.(*ast.Ident)
	if !ok {
		c.fail(x.Pos(), "not a function: %s (write one such as %s)", c.text(x.Fun), c.example(0))
		return nil
	}
	i := functionNamed(name.Name)
	if name.Name == "status" {
		c.fail(x.Pos(), "status() is of one answer, and checks ask for figures of many: let the condition of a goal ask for it, and write %s here", c.example(functionNamed("conversion")))
		return nil
	}
	if i < 0 {
		c.fail(x.Pos(), "unknown function %q%s", name.Name, nearest(name.Name, functionNames()))
		return nil
	}
	f := functions[i]
	want := 1
	if f.kind == latencyMS || f.kind == conversionRate {
		want = 2
	}
	if len(x.Args) != want || x.Ellipsis.IsValid() {
		c.fail(x.Pos(), "write %s", c.example(i))
		return nil
	}
	n := &node{kind: f.kind, text: c.text(x)}
	ok = c.available(x.Pos(), f.kind)
	if f.kind == prometheusAnswer {
		query, isText := c.argument(x.Args[0], i)
		n.name = query
		if isText && strings.TrimSpace(query) == "" {
			c.fail(x.Args[0].Pos(), "the query is empty: write one of PromQL")
			return nil
		}
		ok = ok && isText
	} else {
		n.variant = c.variant(x.Args[0], i)
		ok = ok && n.variant >= 0
	}
	switch f.kind {
	case latencyMS:
		ok = c.quantile(n, x.Args[1]) && ok
	case conversionRate:
		n.name = c.goal(x.Args[1], i)
		ok = ok && n.name != ""
	case mirrorMismatch:
		ok = ok && c.isMirrored(x.Args[0].Pos(), c.settings.Variants[n.variant])
	case worse:
		if n.variant == 0 {
			c.fail(x.Args[0].Pos(), "%s is the baseline, with which worse compares: name another variant%s", c.text(x.Args[0]), c.others())
			return nil
		}
	}
	if !ok {
		return nil
	}
	return n
}

// available reports what has no source.
func (c *checker) available(at token.Pos, k kind) bool {
	switch {
	case k == prometheusAnswer && !c.settings.Prometheus:
		c.fail(at, "prometheus() needs a server: configure prometheus with its URL")
	case k == conversionRate && len(c.settings.Goals) == 0:
		c.fail(at, "conversion() needs a goal that is counted: configure one")
	default:
		return true
	}
	return false
}

// isMirrored reports a variant of which no answers are compared.
func (c *checker) isMirrored(at token.Pos, variant string) bool {
	for _, name := range c.settings.Mirrored {
		if name == variant {
			return true
		}
	}
	if variant == c.settings.Variants[0] {
		c.fail(at, "%q is the baseline, with whose answers those of others are compared: name another variant%s", variant, c.others())
		return false
	}
	c.fail(at, "no mirror compares the answers of %q: configure one to it that compares, such as the status", variant)
	return false
}

func (c *checker) argument(x ast.Expr, function int) (string, bool) {
	literal, ok := x.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		c.fail(x.Pos(), "%s takes a text in double quotes, not %s: write %s", functions[function].name, c.text(x), c.example(function))
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		c.fail(x.Pos(), "malformed text %s", c.text(x))
		return "", false
	}
	return text, true
}

// variant returns the index of the variant that an argument names, or -1.
func (c *checker) variant(x ast.Expr, function int) int {
	name, ok := c.argument(x, function)
	if !ok {
		return -1
	}
	for i, known := range c.settings.Variants {
		if known == name {
			return i
		}
	}
	c.fail(x.Pos(), "unknown variant %q%s", name, nearest(name, c.settings.Variants))
	return -1
}

// goal returns the goal that an argument names, or "".
func (c *checker) goal(x ast.Expr, function int) string {
	name, ok := c.argument(x, function)
	if !ok || len(c.settings.Goals) == 0 {
		return ""
	}
	for _, known := range c.settings.Goals {
		if known == name {
			return name
		}
	}
	c.fail(x.Pos(), "unknown goal %q%s", name, nearest(name, c.settings.Goals))
	return ""
}

// quantile checks which one a latency is.
func (c *checker) quantile(n *node, x ast.Expr) bool {
	q := c.number(x)
	if q == nil {
		return false
	}
	if q.kind != constant {
		c.fail(x.Pos(), "a quantile is a constant between 0 and 1, not %s", c.text(x))
		return false
	}
	if q.number <= 0 || q.number >= 1 {
		hint := ""
		if q.number > 1 && q.number < 100 {
			hint = fmt.Sprintf(": for %g%% write %.6g", q.number, q.number/100)
		}
		c.fail(x.Pos(), "a quantile is between 0 and 1, which %s is not%s", c.text(x), hint)
		return false
	}
	n.number = q.number
	return true
}

// others names a variant beside the baseline, if there is one.
func (c *checker) others() string {
	if len(c.settings.Variants) < 2 {
		return ""
	}
	return fmt.Sprintf(", such as %q", c.settings.name())
}

// nearest helps who misspelt one of the known words.
func nearest(word string, known []string) string {
	if hint := expr.Suggest(word, known); hint != "" {
		return hint
	}
	return "; there are " + strings.Join(known, ", ")
}
