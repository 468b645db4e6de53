package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestGrammar(t *testing.T) {
	for _, g := range []struct{ file, function, begins string }{
		{"caddymodule/caddyfile.go", "parseRollout", "rollout "},
		{"caddymodule/caddyfile_rollouts.go", "parseRollouts", "rollouts "},
		{"caddymodule/caddyfile_policy.go", "UnmarshalCaddyfile", "lb_policy rollout "},
	} {
		var inCode string
		ast.Inspect(source(t, g.file), func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == g.function {
				for line := range strings.Lines(f.Doc.Text()) {
					if code, ok := strings.CutPrefix(line, "\t"); ok {
						inCode += code
					}
				}
			}
			return true
		})
		shown := slices.DeleteFunc(blocks(t, "docs/caddy.md", ""), func(b block) bool { return !strings.HasPrefix(b.text, g.begins) })
		if len(shown) != 1 || shown[0].text != inCode {
			t.Errorf("docs/caddy.md: %d grammars begin with %q; it is that of %s:\n%s", len(shown), g.begins, g.function, inCode)
		}
	}
}

func TestSubdirectives(t *testing.T) {
	inCode := texts(t, "caddymodule/caddyfile.go", "subdirectives")
	if !slices.Equal(inCode, subdirectives) {
		t.Errorf("the module knows %q, this test %q", inCode, subdirectives)
	}
	page := read(t, "docs/caddy.md")
	for _, name := range inCode {
		if !strings.Contains(page, "\n| [`"+name+"`](#") {
			t.Errorf("docs/caddy.md: the table of subdirectives lacks %s", name)
		}
	}
}

func TestFieldsOfTheConfiguration(t *testing.T) {
	page := strings.Join([]string{read(t, "docs/caddy.md"), read(t, "docs/caddy-json.md"), read(t, "docs/expressions.md")}, "\n")
	fields := 0
	ast.Inspect(source(t, "core/config.go"), func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		_, tag, _ := strings.Cut(field.Tag.Value, `json:"`)
		name, _, _ := strings.Cut(tag, `"`)
		name, _, _ = strings.Cut(name, ",")
		if fields++; name != "-" && !strings.Contains(page, `"`+name+`"`) && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/caddy.md: the field %s of the JSON is missing", name)
		}
		return true
	})
	if fields < 15 {
		t.Errorf("%d fields found in core/config.go: there are more", fields)
	}
}

func TestFunctionsAndMethods(t *testing.T) {
	const page = "docs/expressions.md"
	var values, methods []string
	for _, r := range rows(t, page) {
		values = append(values, names(r.cells["value"])...)
		methods = append(methods, names(r.cells["method"])...)
	}
	same(t, page+": values", values, texts(t, "core/expr/call.go", "functions"))
	same(t, page+": methods", methods, texts(t, "core/expr/call.go", "methods"))
}

func TestReasons(t *testing.T) {
	var inCode, inPage []string
	ast.Inspect(source(t, "core/decision.go"), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "Reason" {
				inCode = append(inCode, text(t, v.Values[0]))
			}
		}
		return true
	})
	for _, r := range rows(t, "docs/decisions.md") {
		inPage = append(inPage, spans(r.cells["reason"])...)
	}
	same(t, "docs/decisions.md: reasons", inPage, inCode)
	for _, page := range []string{"docs/caddy.md", "README.md"} {
		for _, reason := range inCode {
			if !strings.Contains(read(t, page), reason) {
				t.Errorf("%s does not name the reason %s", page, reason)
			}
		}
	}
}

// names returns what is called in the code of a text: header("X") gives header.
func names(cell string) []string {
	var list []string
	for _, span := range spans(cell) {
		name, _, _ := strings.Cut(strings.TrimPrefix(span, "."), "(")
		list = append(list, name)
	}
	return list
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("%s: the page has %q, the code %q", what, got, want)
	}
}

func source(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(checkout, file), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// texts returns the elements of a variable that is a list of texts, or the first fields of its elements.
func texts(t *testing.T, file, variable string) []string {
	t.Helper()
	var list []string
	ast.Inspect(source(t, file), func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != variable || len(v.Values) != 1 {
			return true
		}
		for _, element := range v.Values[0].(*ast.CompositeLit).Elts {
			if fields, ok := element.(*ast.CompositeLit); ok {
				element = fields.Elts[0]
			}
			list = append(list, text(t, element))
		}
		return false
	})
	if len(list) == 0 {
		t.Fatalf("%s has no list %s", file, variable)
	}
	return list
}

func text(t *testing.T, literal ast.Expr) string {
	t.Helper()
	basic, ok := literal.(*ast.BasicLit)
	if !ok {
		t.Fatalf("not a literal: %#v", literal)
	}
	value, err := strconv.Unquote(basic.Value)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
