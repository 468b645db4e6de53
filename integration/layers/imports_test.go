package layers

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestImports(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "-json=ImportPath,Standard,Imports", "./...")
	list.Dir = root
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	if !bytes.Contains(output, []byte(`"`+module+`/core`)) {
		t.Fatalf("%s lists no package of core", list)
	}
	wrong, err := wrongImports(bytes.NewReader(output), architecture)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range wrong {
		t.Error(line)
	}
}

func TestWrongImports(t *testing.T) {
	const list = `
{"ImportPath": "fmt", "Standard": true}
{"ImportPath": "go.uber.org/zap"}
{"ImportPath": "M/core/expr", "Imports": ["fmt"]}
{"ImportPath": "M/core", "Imports": ["fmt", "M/core/expr"]}
{"ImportPath": "M/core/store", "Imports": ["fmt", "go.uber.org/zap"]}
{"ImportPath": "M/core/mirror [M/core/mirror.test]", "Imports": ["M/core", "M/caddymodule"]}
{"ImportPath": "M/core/mirror.test", "Imports": ["go.uber.org/zap"]}
{"ImportPath": "M/traefikplugin", "Imports": ["M/core", "M/core/expr", "go.uber.org/zap"]}
{"ImportPath": "M/caddymodule", "Imports": ["M/core", "go.uber.org/zap", "M/traefikplugin"]}
{"ImportPath": "M/cmd/caddy", "Imports": ["M/caddymodule"]}
{"ImportPath": "M/helpers", "Imports": ["fmt"]}`
	want := []string{
		"M/caddymodule imports M/traefikplugin: caddymodule must not import traefikplugin",
		"M/core/mirror [M/core/mirror.test] imports M/caddymodule: core must not import caddymodule",
		"M/core/store imports go.uber.org/zap: core uses nothing but the standard library and core",
		"M/helpers is in no layer: say in package layers what it may import",
		"M/traefikplugin imports go.uber.org/zap: traefikplugin uses nothing but the standard library and traefikplugin, core",
	}
	got, err := wrongImports(strings.NewReader(strings.ReplaceAll(list, "M/", module+"/")), architecture)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], module+"/", "M/")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRootModule(t *testing.T) {
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := unwelcomeModules(goMod)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		t.Error(line)
	}
}

func TestUnwelcomeModules(t *testing.T) {
	const good = "module m\n\nrequire (\n\tgithub.com/traefik/paerser v0.2.2\n\tgithub.com/caddyserver/caddy/v2 v2.11.9\n)\n"
	for _, test := range []struct {
		name, line string
		found      int
	}{
		{"nothing", "", 0},
		{"a comment", "// github.com/traefik/yaegi interprets core", 0},
		{"a direct requirement", "require github.com/traefik/traefik/v3 v3.6.12", 1},
		{"an indirect requirement", "require github.com/traefik/yaegi v0.16.1 // indirect", 1},
		{"a tool", "tool github.com/traefik/yaegi/cmd/yaegi", 1},
		{"a replacement", "replace github.com/traefik/yaegi => ../yaegi", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := unwelcomeModules([]byte(good + test.line))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != test.found {
				t.Errorf("%q: got %q, want %d lines", test.line, found, test.found)
			}
		})
	}
}

func TestNothingIsVendored(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
		case entry.Name() == ".git":
			return fs.SkipDir
		case entry.Name() == "vendor":
			t.Errorf("%s: nothing is vendored: the Go module proxy keeps what go.sum pins", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
