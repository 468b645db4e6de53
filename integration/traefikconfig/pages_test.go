package traefikconfig

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// block is what stands between two fences of a page.
type block struct {
	name     string // page and line
	language string
	text     string
}

// blocks returns all blocks of the pages that show configurations of Traefik.
func blocks(t *testing.T) []block {
	t.Helper()
	var list []block
	for _, page := range []string{"README.md", "docs/traefik.md", "docs/balancing.md", "docs/decisions.md", "docs/stickiness.md", "docs/expressions.md", "docs/geography.md", "docs/identity.md", "docs/rollouts.md", "docs/fleet.md", "docs/metrics.md", "docs/mirroring.md", "docs/results.md"} {
		var open *block
		for i, line := range strings.SplitAfter(read(t, page), "\n") {
			fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
			switch {
			case isFence && open == nil:
				open = &block{name: fmt.Sprintf("%s:%d", page, i+1), language: fence}
			case isFence:
				list = append(list, *open)
				open = nil
			case open != nil:
				open.text += line
			}
		}
	}
	return list
}

// TestConfigurationsOfPages loads every configuration that a page shows in the real Traefik. YAML is one of
//
//   - a dynamic configuration, which begins with http;
//   - labels;
//   - a static configuration;
//   - one of Prometheus;
//   - a part of the plugin's configuration, which gets what it lacks.
func TestConfigurationsOfPages(t *testing.T) {
	t.Parallel()
	found := 0
	for _, b := range blocks(t) {
		keys := b.language == "text" && strings.HasPrefix(b.text, "traefik/")
		if b.language != "yaml" && b.language != "toml" && !keys {
			continue
		}
		found++
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			text, secrets := withSecrets(t, withDatabases(t, b.text))
			start := func(option string) *traefik { return start(t, append(secrets, option)...) }
			var content map[string]any
			if b.language == "yaml" {
				if err := yaml.Unmarshal([]byte(text), &content); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case keys:
				accepts(t, start("--providers.etcd.endpoints="+startEtcd(t, pairs(t, text))))
			case b.language == "toml":
				accepts(t, start("--providers.file.filename="+file(t, "dynamic.toml", text)))
			case content["http"] != nil:
				accepts(t, start("--providers.file.filename="+file(t, "dynamic.yaml", text)))
			case content["scrape_configs"] != nil:
				understands(t, file(t, "prometheus.yml", text))
			case content["labels"] != nil:
				labels := make(map[string]string)
				for key, value := range content["labels"].(map[string]any) {
					labels[key] = fmt.Sprint(value)
				}
				accepts(t, start("--providers.docker.endpoint="+startDocker(t, container{name: "rollout", labels: labels})))
			case content["experimental"] != nil, content["entryPoints"] != nil, content["accessLog"] != nil:
				startsWith(t, content)
			default:
				accepts(t, start("--providers.file.filename="+file(t, "dynamic.yaml", whole(t, content))))
			}
		})
	}
	if found < 10 {
		t.Errorf("%d configurations found: the pages show more", found)
	}
}

// understands has Prometheus look at a configuration of its own.
func understands(t *testing.T, file string) {
	t.Helper()
	promtool, err := exec.Command("../tools/build.sh", "promtool").Output()
	if err != nil {
		t.Fatalf("building promtool: %v", err)
	}
	if out, err := exec.Command(strings.TrimSpace(string(promtool)), "check", "config", "--syntax-only", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// withDatabases names the databases of the engine's tests where a configuration names some.
func withDatabases(t *testing.T, text string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(checkout, "core", "geo", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, "/var/lib/GeoIP/", dir+"/")
}

// withSecrets puts a certificate, its key, its authority and a token where a configuration names them, and gives a state a
// place. It returns the variables of the environment that a configuration names, too.
func withSecrets(t *testing.T, text string) (local string, environment []string) {
	t.Helper()
	environment = []string{
		"COOKIE_SECRET=a secret of thirty-two bytes, or more", "PROMETHEUS_TOKEN=a-token", "SLACK_WEBHOOK=http://127.0.0.1:1/services/T/B/x",
	}
	text = strings.ReplaceAll(text, "/var/lib/grayling/", t.TempDir()+"/")
	if !strings.Contains(text, "file:/etc/ssl/") {
		return text, environment
	}
	authority := newAuthority(t)
	certificate, key := authority.issue(t, "gateway.internal")
	dir := t.TempDir()
	for name, content := range map[string]string{"internal-ca.pem": authority.certificate, "gateway.pem": certificate, "rollouts-token": controlToken + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(text, "file:/etc/ssl/", "file:"+dir+"/"), append(environment, "GATEWAY_KEY="+key)
}

// whole completes a part of the plugin's configuration: by a name and the variants stable and canary, with upstreams if
// the part says how they are reached, and by a router.
func whole(t *testing.T, part map[string]any) string {
	t.Helper()
	if part["name"] == nil {
		part["name"] = "checkout"
	}
	if part["variants"] == nil {
		stable, canary := object{"name": "stable"}, object{"name": "canary", "weight": "10%"}
		if part["proxy"] != nil {
			stable["upstreams"], canary["upstreams"] = []any{"https://10.0.0.1"}, []any{"https://10.0.1.1"}
		}
		part["variants"] = []any{stable, canary}
	}
	return router(t, part)
}

// router is a dynamic configuration with one router, named shop, and one rollout.
func router(t *testing.T, plugin map[string]any) string {
	t.Helper()
	dynamic, err := yaml.Marshal(object{"http": object{
		"routers":     object{"shop": object{"rule": "Host(`shop.example`)", "middlewares": []any{"checkout"}, "service": "noop@internal"}},
		"middlewares": object{"checkout": object{"plugin": object{"grayling": plugin}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(dynamic)
}

// accepts requires that Traefik finds nothing wrong with routers, middlewares and services, among which is something.
func accepts(t *testing.T, p *traefik) {
	t.Helper()
	var all map[string]map[string]struct{ Status, Error any }
	gateway.Eventually(t, "Traefik has a configuration", func() bool {
		response, err := http.Get("http://" + p.api + "/api/rawdata")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		all = nil
		if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
			t.Fatal(err)
		}
		return len(foreign(all["routers"])) > 0 || len(foreign(all["services"])) > 0
	})
	for kind, list := range all {
		for name, state := range list {
			if state.Error != nil {
				t.Errorf("%s %s: %v", kind, name, state.Error)
			}
		}
	}
}

// foreign returns the names of what is not Traefik's own.
func foreign(list map[string]struct{ Status, Error any }) []string {
	var names []string
	for name := range list {
		if !strings.HasSuffix(name, "@internal") {
			names = append(names, name)
		}
	}
	return names
}

// startsWith requires that Traefik starts with a static configuration, on other addresses.
func startsWith(t *testing.T, static map[string]any) {
	t.Helper()
	p := &traefik{api: port.Address(t)}
	entryPoints, _ := static["entryPoints"].(map[string]any)
	if entryPoints == nil {
		entryPoints = object{}
		static["entryPoints"] = entryPoints
	}
	for _, entryPoint := range entryPoints {
		entryPoint.(map[string]any)["address"] = port.Address(t)
	}
	entryPoints["traefik"] = object{"address": p.api}
	static["api"] = object{"insecure": true}
	content, err := yaml.Marshal(static)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link(t, filepath.Join(dir, "plugins-local", "src", module))
	p.run(t, dir, "--configFile="+file(t, "traefik.yml", string(content)))
	p.answers(t)
	if static["experimental"] != nil && strings.Contains(p.logged(), "Plugins are disabled") {
		t.Error("the plugin was not loaded")
	}
}

// TestErrorsOfThePage writes what the table of errors says, and expects that error.
func TestErrorsOfThePage(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `(.+)` \\|$")
	_, section, _ := strings.Cut(read(t, "docs/traefik.md"), "\n## Errors\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := row.FindAllStringSubmatch(section, -1)
	if len(rows) < 5 {
		t.Fatalf("%d errors found: the page shows more", len(rows))
	}
	for _, r := range rows {
		t.Run(r[1], func(t *testing.T) {
			t.Parallel()
			var part map[string]any
			if err := yaml.Unmarshal([]byte(r[1]), &part); err != nil {
				t.Fatal(err)
			}
			part["name"] = "checkout"
			part["variants"] = []any{object{"name": "stable"}, object{"name": "canary"}}
			p := start(t, "--providers.file.filename="+file(t, "dynamic.yaml", router(t, part)))
			if got := strings.Join(p.problems(t, "shop@file"), "\n") + "\n"; !strings.Contains(got, r[2]) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestBareDates shows why dates stand in quotes.
func TestBareDates(t *testing.T) {
	t.Parallel()
	const bare = "http: { middlewares: { checkout: { plugin: { grayling: { name: checkout, ends: 2027-01-31T18:00:00Z } } } } }"
	p := start(t, "--providers.file.filename="+file(t, "dynamic.yaml", bare))
	gateway.Eventually(t, "Traefik refuses the file", func() bool { return strings.Contains(p.logged(), "field ends uses unsupported type") })
}

// TestFieldsOfThePage requires that every field of the configuration is in a table of the page, as a user writes it.
func TestFieldsOfThePage(t *testing.T) {
	page, fields := read(t, "docs/traefik-fields.md"), 0
	for _, name := range []string{"config.go", "config_plan.go", "config_mirror.go", "config_goal.go", "config_store.go"} {
		source, err := parser.ParseFile(token.NewFileSet(), filepath.Join(checkout, "core", name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Names[0].Name == "Rest" {
				return true
			}
			for _, name := range field.Names {
				fields++
				if row := regexp.MustCompile("(?m)^\\| [^|]*`" + spelled(name.Name) + "`"); !row.MatchString(page) {
					t.Errorf("docs/traefik-fields.md: no table has the field %s", spelled(name.Name))
				}
			}
			return true
		})
	}
	if fields < 60 {
		t.Errorf("%d fields found: there are more", fields)
	}
}

// spelled is a field as Traefik's users write it: maxIdle, http2, ca.
func spelled(name string) string {
	rest := strings.TrimLeftFunc(name, unicode.IsUpper)
	if initials := name[:len(name)-len(rest)]; len(initials) == 1 || rest == "" || unicode.IsDigit(rune(rest[0])) {
		return strings.ToLower(initials) + rest
	}
	return strings.ToLower(name[:1]) + name[1:]
}
