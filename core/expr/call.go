package expr

import (
	"go/ast"
	"net/http"
	"regexp"
	"strings"
)

// functions are the values of the language, with an example of each.
var functions = []struct {
	name    string
	source  source
	named   bool // takes a name
	example string
}{
	{"header", fromHeader, true, `header("X-Version")`},
	{"cookie", fromCookie, true, `cookie("uid")`},
	{"query", fromQuery, true, `query("v")`},
	{"path", fromPath, false, `path()`},
	{"method", fromMethod, false, `method()`},
	{"host", fromHostname, false, `host()`},
	{"scheme", fromScheme, false, `scheme()`},
	{"ip", fromIP, false, `ip()`},
	{"geo", fromGeo, true, `geo("country")`},
	{"claim", fromClaim, true, `claim("role")`},
	{"placeholder", fromPlaceholder, true, `placeholder("http.auth.user.id")`},
	{"random", fromRandom, false, `random()`},
	{"status", fromStatus, false, `status()`},
}

var methods = []string{"in", "inFile", "has", "contains", "hasPrefix", "hasSuffix", "matches", "exists", "lower"}

// value checks a value: a call of a function, perhaps followed by .lower().
func (c *checker) value(x ast.Expr) *value {
	if paren, ok := x.(*ast.ParenExpr); ok {
		return c.value(paren.X)
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		if name, isName := x.(*ast.Ident); isName && functionNamed(name.Name) >= 0 {
			c.fail(x.Pos(), "%s is a function: write %s", name.Name, functions[functionNamed(name.Name)].example)
			return nil
		}
		c.fail(x.Pos(), `not a value: %s (write one such as header("X-Version"))`, c.text(x))
		return nil
	}
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		if fun.Sel.Name != "lower" {
			if c.knownMethod(fun) {
				c.fail(fun.Sel.Pos(), ".%s() is a condition already: it cannot be compared or continued", fun.Sel.Name)
			}
			return nil
		}
		v := c.value(fun.X)
		if !c.arguments(call, fun.Sel.Name, 0) || v == nil {
			return nil
		}
		if v.source == fromStatus {
			return v // a number has no case
		}
		return &value{source: fromLowered, plain: v}
	case *ast.Ident:
		return c.function(call, fun)
	}
	c.fail(x.Pos(), "not a value: %s", c.text(x))
	return nil
}

func functionNamed(name string) int {
	for i := range functions {
		if functions[i].name == name {
			return i
		}
	}
	return -1
}

func (c *checker) function(call *ast.CallExpr, name *ast.Ident) *value {
	i := functionNamed(name.Name)
	if i < 0 {
		known := make([]string, 0, len(functions))
		for k := range functions {
			if functions[k].source != fromStatus || c.host.Answers {
				known = append(known, functions[k].name)
			}
		}
		hint := Suggest(name.Name, known)
		if hint == "" {
			hint = "; there are " + strings.Join(known, ", ")
		}
		c.fail(name.Pos(), "unknown function %q%s", name.Name, hint)
		return nil
	}
	f := functions[i]
	if !f.named {
		if len(call.Args) > 0 {
			c.fail(call.Args[0].Pos(), "%s takes no argument: write %s", f.name, f.example)
			return nil
		}
		if f.source == fromStatus {
			return c.status(name.Pos())
		}
		return &value{source: f.source}
	}
	if len(call.Args) != 1 {
		c.fail(call.Pos(), "%s takes one text: write %s", f.name, f.example)
		return nil
	}
	text, ok := c.textArgument(call.Args[0], f.name, f.example)
	if !ok {
		return nil
	}
	return c.named(call, f.source, text, f.example)
}

// named checks the name that a function was called with.
func (c *checker) named(call *ast.CallExpr, from source, name, example string) *value {
	at := call.Args[0].Pos()
	switch from {
	case fromHeader:
		if !IsToken(name) {
			c.fail(at, "%q is not a header name", name)
			return nil
		}
		if name = http.CanonicalHeaderKey(name); name == "Host" {
			from = fromHost
		}
	case fromCookie:
		if !IsToken(name) {
			c.fail(at, "%q is not a cookie name", name)
			return nil
		}
	case fromClaim:
		return c.claim(call, name)
	case fromPlaceholder:
		if c.host.Placeholder == nil {
			c.fail(call.Pos(), "placeholder() works only where the gateway has placeholders, as Caddy does; use header(), cookie() or query()")
			return nil
		}
		if strings.ContainsAny(name, "{}") || name == "" {
			c.fail(at, `%q: write the placeholder's name without braces, as in %s`, name, example)
			return nil
		}
	}
	v := &value{source: from, name: name, pair: name + "=", second: "; " + name + "=", lookup: c.host.Placeholder}
	if from == fromGeo && !c.place(call, v) {
		return nil
	}
	return v
}

// IsToken reports whether text is a token of RFC 9110, section 5.6.2, as header and cookie names are.
func IsToken(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return text != ""
}

// method checks value.method(arguments).
func (c *checker) method(call *ast.CallExpr, fun *ast.SelectorExpr) *node {
	v := c.value(fun.X)
	name := fun.Sel.Name
	if !c.knownMethod(fun) || v == nil {
		return nil
	}
	t := test{value: v}
	switch name {
	case "exists":
		if !c.arguments(call, name, 0) {
			return nil
		}
		t.op = exists
		return &node{kind: isTest, test: t}
	case "in":
		return c.in(call, t)
	}
	if !c.arguments(call, name, 1) {
		return nil
	}
	argument := call.Args[0]
	text, ok := c.textArgument(argument, "."+name, "."+name+`("...")`)
	if !ok {
		return nil
	}
	if name != "matches" && name != "inFile" {
		c.checkCase(v, text, argument)
	}
	t.text = text
	switch name {
	case "inFile":
		return c.inFile(argument, v, text)
	case "matches":
		pattern, err := regexp.Compile(text)
		if err != nil {
			c.fail(argument.Pos(), "bad regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			return nil
		}
		t.op = matches
		t.pattern = pattern
	case "has":
		if !v.isList() {
			c.fail(fun.Sel.Pos(), ".has looks into lists, and this is a single value: use == or .in")
			return nil
		}
		if text == "" || strings.Contains(text, ",") && !v.isClaim() {
			c.fail(argument.Pos(), "%q can be no part of a comma-separated list", text)
			return nil
		}
		t.op = has
	case "contains":
		t.op = contains
	case "hasPrefix":
		t.op = hasPrefix
	case "hasSuffix":
		t.op = hasSuffix
	}
	return &node{kind: isTest, test: t}
}

func (c *checker) in(call *ast.CallExpr, t test) *node {
	if len(call.Args) == 0 || call.Ellipsis.IsValid() {
		c.fail(call.Pos(), `.in takes one or more texts: write .in("a", "b")`)
		return nil
	}
	ok := true
	texts, prefixes := make(map[string]struct{}, len(call.Args)), newPrefixes(len(call.Args))
	for _, argument := range call.Args {
		text, isText := c.textArgument(argument, ".in", `.in("a", "b")`)
		if !isText {
			ok = false
			continue
		}
		c.checkCase(t.value, text, argument)
		c.checkPlace(t.value, text, argument)
		c.checkStatus(t.value, text, argument)
		texts[text] = struct{}{}
		if t.value.source == fromIP {
			if err := prefixes.add(text); err != nil {
				c.fail(argument.Pos(), "%v", err)
				ok = false
			}
		}
	}
	if !ok {
		return nil
	}
	t.op = isIn
	t.texts = texts
	if t.value.source == fromIP {
		t = test{op: addressIn, prefixes: prefixes}
	}
	return &node{kind: isTest, test: t}
}

func (c *checker) inFile(argument ast.Expr, v *value, path string) *node {
	if c.host.Watch == nil {
		c.fail(argument.Pos(), ".inFile cannot be used here: there is nothing that watches files")
		return nil
	}
	t := test{op: inFile, value: v, lines: &textSet{}}
	load := t.lines.load
	if v.source == fromIP {
		t = test{op: addressInFile, addresses: &addressSet{}}
		load = t.addresses.load
	}
	if err := c.host.Watch(path, load); err != nil {
		c.fail(argument.Pos(), "%v", err)
		return nil
	}
	return &node{kind: isTest, test: t}
}

// knownMethod reports a misspelt method.
func (c *checker) knownMethod(fun *ast.SelectorExpr) bool {
	for _, name := range methods {
		if name == fun.Sel.Name {
			return true
		}
	}
	hint := Suggest(fun.Sel.Name, methods)
	if hint == "" {
		hint = "; there are ." + strings.Join(methods, ", .")
	}
	c.fail(fun.Sel.Pos(), "unknown method %q%s", fun.Sel.Name, hint)
	return false
}

func (c *checker) arguments(call *ast.CallExpr, method string, want int) bool {
	if len(call.Args) == want && !call.Ellipsis.IsValid() {
		return true
	}
	if want == 0 {
		c.fail(call.Args[0].Pos(), ".%s takes no argument: write .%s()", method, method)
	} else {
		c.fail(call.Pos(), `.%s takes one text: write .%s("...")`, method, method)
	}
	return false
}

func (c *checker) textArgument(x ast.Expr, name, example string) (string, bool) {
	if !isLiteral(x) {
		c.fail(x.Pos(), "%s takes a text in double quotes, not %s: write %s", name, c.text(x), example)
		return "", false
	}
	lit, ok := c.literal(x)
	if ok && (lit.isNumber || lit.isBool) {
		c.fail(x.Pos(), "%s takes a text in double quotes, not %s: write %q", name, c.text(x), c.text(x))
		return "", false
	}
	return lit.text, ok
}

// checkCase reports a literal that a lower-cased value can never equal.
func (c *checker) checkCase(v *value, text string, x ast.Expr) {
	if v.source == fromLowered && text != strings.ToLower(text) {
		c.fail(x.Pos(), "a lower-cased value never holds %q: write %q", text, strings.ToLower(text))
	}
}
