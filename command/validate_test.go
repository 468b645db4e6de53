package command

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// validated runs "validate" on a program whose Caddy knows one valid file.
func validated(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	var out, complaints output
	root := New(Program{Name: "grayling", Caddy: func(file, adapter string) error {
		if file == "Caddyfile" || adapter == "yaml" {
			return nil
		}
		return errors.New(file + ": nothing is right")
	}})
	root.SetOut(&out)
	root.SetErr(&complaints)
	root.SetArgs(append([]string{"validate"}, args...))
	code = ExitCode(root.ExecuteContext(t.Context()))
	return out.String(), code
}

// written writes a file of a name's extension.
func written(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestValidateTraefik(t *testing.T) {
	for file, want := range map[string][]string{
		"testdata/dynamic.yml": {
			`testdata/dynamic.yml:14: http.middlewares.checkout.plugin.grayling.variants[1].wieght: unknown key (did you mean "weight"?)`,
			`testdata/dynamic.yml:16: http.middlewares.checkout.plugin.grayling.rules[0].use: unknown variant "kanary" (did you mean "canary"?)`,
			`testdata/dynamic.yml:17: http.middlewares.checkout.plugin.grayling.key[0]: column 1: unknown function "heder" (did you mean "header"?)`,
			`testdata/dynamic.yml:25: http.middlewares.search.plugin.rollouts.variants[1].weight: `,
			`testdata/dynamic.yml:25: http.middlewares.search.plugin.rollouts.variants[1].upstreams[0]`,
			`testdata/dynamic.yml:27: http.middlewares.search.plugin.rollouts.proxy.retries: "many" is not a whole number from 0`,
		},
		"testdata/resources.yaml": {`testdata/resources.yaml:23: spec.plugin.grayling.name: "search!" is not a name`},
		"testdata/dynamic.toml":   {`testdata/dynamic.toml: http.middlewares.checkout.plugin.grayling.rules[0].when: column `},
	} {
		out, code := validated(t, file)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		found := len(lines) == len(want)
		for i := range min(len(lines), len(want)) {
			found = found && strings.HasPrefix(lines[i], want[i])
		}
		if code != exitRefused || !found {
			t.Errorf("%s: exit code %d\n%s\nwant\n%s", file, code, out, strings.Join(want, "\n"))
		}
	}
}

// TestValidateNothing: with an empty control and with nothing at all Traefik hands over the same.
func TestValidateNothing(t *testing.T) {
	for _, nothing := range []string{"{control: {}}", "{}"} {
		file := written(t, "a.yml", "http: {middlewares: {a: {plugin: {grayling: "+nothing+"}}}}\n")
		want := file + ":1: http.middlewares.a.plugin.grayling.control.token: there is nothing in it: control needs a token, named as file:/path or env:NAME, " +
			"and a rollout a name and variants\n"
		if out, code := validated(t, file); code != exitRefused || out != want {
			t.Errorf("%s: exit code %d:\n%s", nothing, code, out)
		}
	}
}

// TestValidateNames: middlewares of one name are one rollout, or Traefik refuses the second.
func TestValidateNames(t *testing.T) {
	const two = "a: {plugin: {grayling: {name: shop, variants: [{name: x}, {name: y}]}}}\nb: {plugin: {grayling: {name: shop, variants: [{name: x}, {name: y%s}]}}}\n"
	equal, different := written(t, "a.yml", strings.ReplaceAll(two, "%s", "")), written(t, "b.yml", strings.ReplaceAll(two, "%s", ", weight: 5%"))
	if out, code := validated(t, equal); code != 0 {
		t.Errorf("equal: exit code %d:\n%s", code, out)
	}
	want := different + `:2: b.plugin.grayling.name: another middleware has the name "shop" and is configured differently: make them equal, or give one another name` + "\n"
	if out, code := validated(t, different); code != exitRefused || out != want {
		t.Errorf("different: exit code %d:\n%swant\n%s", code, out, want)
	}
}

func TestValidateFiles(t *testing.T) {
	valid := written(t, "a.yml", "http: {middlewares: {a: {plugin: {grayling: {name: a, variants: [{name: x}, {name: y, weight: 5, order: 2}], key: 'ip()'}}}}}\n")
	labels := written(t, "b.yml", "http: {middlewares: {a: {plugin: {Grayling: {NAME: a, Variants: [{Name: x}], observe: off}}}}}\n")
	table := written(t, "c.toml", "[http.middlewares.a.plugin.x]\nname = \"a\"\nvariants = [{name = \"x\"}]\n")
	if out, code := validated(t, valid, labels, table, "Caddyfile"); code != 0 || out != valid+": valid\n"+labels+": valid\n"+table+": valid\nCaddyfile: valid\n" {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if out, code := validated(t, "caddy.json", "Caddyfile"); code != exitRefused || out != "caddy.json: nothing is right\nCaddyfile: valid\n" {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if out, code := validated(t, "--adapter", "yaml", "caddy.yaml"); code != 0 {
		t.Errorf("with Caddy's adapter for YAML: exit code %d:\n%s", code, out)
	}
}

func TestValidateOddFiles(t *testing.T) {
	for name, c := range map[string]struct{ content, part string }{
		"broken.yml":   {"http:\n  a: [\n", "line 2"},
		"tabs.yaml":    {"http:\n\ta: 1\n", "line 2"},
		"broken.toml":  {"a = [\nb", "line"},
		"empty.yml":    {"", "there is no rollout in it"},
		"empty.toml":   {"", "there is no rollout in it"},
		"list.yml":     {"- a\n- b\n", "there is no rollout in it"},
		"number.yml":   {"5", "there is no rollout in it"},
		"static.yml":   {"experimental: {plugins: {grayling: {moduleName: github.com/x/y}}}", "there is no rollout in it"},
		"types.yml":    {"a: {plugin: {grayling: {name: [a, {b: c}], variants: 5}}}", "a.plugin.grayling: "},
		"none.yml":     {"a: {plugin: {grayling: null}}", "a.plugin.grayling"},
		"text.yml":     {"a: {plugin: {grayling: text}}", "a.plugin.grayling"},
		"numbers.yml":  {"a: {plugin: {grayling: {1: 2, variants: [{name: a}]}}}", "plugin.grayling"},
		"alias.yml":    {"x: &x {name: 'a b'}\na: {plugin: {grayling: {name: r, variants: [*x]}}}", ":1: a.plugin.grayling.variants[0].name"},
		"endless.yml":  {"a: &a [*a]\n", "contains itself"},
		"template.yml": {"{{ range $i := seq 1 2 }}\na: 1\n{{ end }}\n", ": "},
	} {
		file := written(t, name, c.content)
		if out, code := validated(t, file); code != exitRefused || !strings.HasPrefix(out, file) || !strings.Contains(out, c.part) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", name, code, exitRefused, c.part, out)
		}
	}
	if out, code := validated(t, "/no/such.yml"); code != exitRefused || !strings.Contains(out, "/no/such.yml") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func FuzzValidateTraefik(f *testing.F) {
	for _, name := range []string{"dynamic.yml", "resources.yaml", "dynamic.toml"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, filepath.Ext(name) == ".toml")
	}
	f.Fuzz(func(t *testing.T, content []byte, isTOML bool) {
		name := "a.yml"
		if isTOML {
			name = "a.toml"
		}
		_ = checkTraefik(written(t, name, string(content))) // never panics
	})
}
