package caddymodule

import (
	"go/ast"             //nolint:depguard // the linter's list of the standard library lacks go/*
	goparser "go/parser" //nolint:depguard // the same
	"go/token"           //nolint:depguard // the same
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestDerivedRevision: what is released is the candidate. Changing anything else goes on with the same generation.
func TestDerivedRevision(t *testing.T) {
	const first = `"variants": [
		{"name": "stable", "routes": [{"group": "group3", "handle": [{"handler": "static_response", "body": "1"}]}]},
		{"name": "canary", "routes": [{"group": "group5", "handle": [{"handler": "static_response", "body": "2"}]}]},
		{"name": "blue", "routes": [{"handle": [{"handler": "static_response", "body": "3"}]}]}
	]`
	generation := func(config string) string {
		t.Helper()
		h, err := load(t, `{"name": "revisions", `+config+`}`)
		if err != nil {
			t.Fatal(err)
		}
		return h.engine.Decide(httptest.NewRequest(http.MethodGet, "/", nil), "", time.Now()).Generation
	}
	for _, test := range []struct {
		name, old, by string
		same          bool
	}{
		{"the same", "", "", true},
		{"the baseline", `"body": "1"`, `"body": "x"`, true},
		{"another variant", `"body": "3"`, `"body": "x"`, true},
		{"a weight", `"name": "canary"`, `"name": "canary", "weight": "5%"`, true},
		{"other numbers of the adapter's groups", `"group5"`, `"group77"`, true},
		{"the candidate", `"body": "2"`, `"body": "x"`, false},
		{"the candidate's name", `"name": "canary"`, `"name": "other"`, false},
		{"a group by the user's name", `"group5"`, `"mine"`, false},
		{"another candidate by order", `"name": "canary"`, `"name": "canary", "order": 1`, false},
		{"the same candidate by order", `"name": "stable"`, `"name": "stable", "order": -1`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Replace(first, test.old, test.by, 1)
			if (generation(changed) == generation(first)) != test.same {
				t.Errorf("the same generation: %v, want %v", !test.same, test.same)
			}
			const set = `"revision": "v2", `
			if test.old != "" && generation(set+changed) != generation(set+first) {
				t.Error("another generation although the revision is the same")
			}
		})
	}
	const planned = `"plan": {"candidate": "blue", "steps": [{"weight": "100%"}]}, ` + first
	if generation(planned) != generation(strings.Replace(planned, `"body": "2"`, `"body": "x"`, 1)) {
		t.Error("another generation although the plan's candidate is the same")
	}
	if generation(planned) == generation(strings.Replace(planned, `"body": "3"`, `"body": "x"`, 1)) {
		t.Error("the same generation although the plan's candidate is another")
	}
	if generation(first) == generation(`"salt": "x", `+first) {
		t.Error("another salt is no other generation")
	}
}

// TestVariantsInOrder: a variant's routes stay its own where order puts it in another place.
func TestVariantsInOrder(t *testing.T) {
	h, err := load(t, `{"name": "ordered", "variants": [
		{"name": "canary", "order": 2, "weight": "100%", "routes": [{"handle": [{"handler": "static_response", "body": "from canary"}]}]},
		{"name": "stable", "order": 1, "routes": [{"handle": [{"handler": "static_response", "body": "from stable"}]}]}
	], "rules": [{"name": "r", "use": "stable", "when": "path() == \"/stable\""}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "from canary", "/stable": "from stable"} {
		w := httptest.NewRecorder()
		if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, path, nil), w), notFound); err != nil || w.Body.String() != want {
			t.Errorf("%s: %v, %q", path, err, w.Body)
		}
	}
}

// TestFieldsAreDocumented: Caddy's documentation of modules is made of these comments.
func TestFieldsAreDocumented(t *testing.T) {
	for _, path := range []string{"module.go", "app.go", "../core/config.go", "../core/config_plan.go"} {
		file, err := goparser.ParseFile(token.NewFileSet(), path, nil, goparser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		fields := 0
		for _, declaration := range file.Decls {
			types, ok := declaration.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				spec := spec.(*ast.TypeSpec)
				structure, ok := spec.Type.(*ast.StructType)
				if !ok || !spec.Name.IsExported() {
					continue
				}
				if types.Doc.Text() == "" {
					t.Errorf("%s: %s is not documented", path, spec.Name)
				}
				for _, field := range structure.Fields.List {
					if len(field.Names) == 0 || !field.Names[0].IsExported() || field.Tag == nil {
						continue
					}
					name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
					if name == "-" {
						continue
					}
					fields++
					if field.Doc.Text() == "" {
						t.Errorf("%s: %s.%s is not documented", path, spec.Name, field.Names[0])
					}
					if name == "" || name != strings.ToLower(name) {
						t.Errorf("%s: %s.%s has the name %q in JSON", path, spec.Name, field.Names[0], name)
					}
				}
			}
		}
		if fields == 0 {
			t.Errorf("%s has no fields", path)
		}
	}
}
