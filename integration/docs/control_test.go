package docs

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const controlPage = "docs/control.md"

// TestCommandsOfTheControlPage runs the page's rollout in the real Caddy, and every command of the page, in their order.
func TestCommandsOfTheControlPage(t *testing.T) {
	bin := t.TempDir()
	if err := os.Symlink(gateway.CaddyBinary(t), filepath.Join(bin, "caddy")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	shown := blocks(t, controlPage, "caddyfile")
	if len(shown) != 1 {
		t.Fatalf("%d configurations: the commands are about one", len(shown))
	}
	config := "{\n\tadmin localhost:2019\n\tstorage file_system " + t.TempDir() + "\n}\n\nhttp://localhost:8080 {\n" + indented(shown[0].text) + "}\n"
	exchange := freePorts(t, config)
	t.Setenv("CADDY_ADMIN", exchange("localhost:2019"))
	run(t, exchange(config))
	gateway.Eventually(t, "the plan has begun", func() bool {
		out, err := shell(t, "caddy rollout status checkout --json")
		return err == nil && strings.Contains(out, `"state":"progressing"`)
	})
	steps := commands(t, controlPage, "")
	if len(steps) < 5 {
		t.Fatalf("%d commands found: the page shows more", len(steps))
	}
	for _, s := range steps {
		if out, err := shell(t, exchange(s.command)); err != nil || out != s.want {
			t.Errorf("%s:%d: %s: %v\ngot:  %s\nwant: %s", controlPage, s.line, s.command, err, out, s.want)
		}
	}
}

// TestControlPage holds the page to the code: what the API knows, and nothing else.
func TestControlPage(t *testing.T) {
	column := func(title string) (cells []string) {
		for _, r := range rows(t, controlPage) {
			cells = append(cells, spans(r.cells[title])...)
		}
		return cells
	}
	same(t, "events", column("event"), constants(t, "core/rollout/event.go", "Kind"))
	var codes []string
	for _, file := range []string{"handler", "command", "events", "answer", "guard"} {
		codes = append(codes, refusals(t, "core/control/"+file+".go")...)
	}
	slices.Sort(codes)
	same(t, "codes", column("code"), slices.Compact(codes))

	fields := column("field")
	for _, r := range rows(t, controlPage) {
		fields = append(fields, spans(r.cells["meaning"])...) // of what is inside of a field
	}
	for _, file := range []string{"core/status.go", "core/rollout/event.go", "core/mirror/ledger.go"} {
		for _, field := range tags(t, file) {
			if !slices.Contains(fields, field) {
				t.Errorf("%s: the field %s of %s is missing", controlPage, field, file)
			}
		}
	}
}

// constants returns the texts of a file's constants of a type.
func constants(t *testing.T, file, kind string) (texts []string) {
	t.Helper()
	ast.Inspect(source(t, file), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if of, ok := v.Type.(*ast.Ident); ok && of.Name == kind {
				texts = append(texts, text(t, v.Values[0]))
			}
		}
		return true
	})
	return texts
}

// refusals returns the codes that a file of the API refuses requests with: the second arguments of refuse, and what is
// assigned to code.
func refusals(t *testing.T, file string) (codes []string) {
	t.Helper()
	ast.Inspect(source(t, file), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "refuse" {
				if code, ok := n.Args[1].(*ast.BasicLit); ok {
					codes = append(codes, text(t, code))
				}
			}
		case *ast.AssignStmt:
			if name, ok := n.Lhs[len(n.Lhs)-1].(*ast.Ident); ok && name.Name == "code" {
				codes = append(codes, text(t, n.Rhs[len(n.Rhs)-1]))
			}
		case *ast.KeyValueExpr:
			if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Code" {
				if code, ok := n.Value.(*ast.BasicLit); ok {
					codes = append(codes, text(t, code))
				}
			}
		}
		return true
	})
	return codes
}

// tags returns the names of a file's fields in JSON.
func tags(t *testing.T, file string) (names []string) {
	t.Helper()
	ast.Inspect(source(t, file), func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && field.Tag != nil {
			_, tag, _ := strings.Cut(field.Tag.Value, `json:"`)
			tag, _, _ = strings.Cut(tag, `"`)
			name, _, _ := strings.Cut(tag, ",")
			names = append(names, name)
		}
		return true
	})
	return names
}
