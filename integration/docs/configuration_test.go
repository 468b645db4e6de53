package docs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestConfigurationsOfPages loads every Caddyfile that a page shows. A block may be a part of one: see whole.
func TestConfigurationsOfPages(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, "caddyfile") {
			found++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) { loads(t, whole(b.text)) })
		}
		for _, b := range blocks(t, page, "json") {
			found++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) {
				validates(t, `{"apps": {"http": {"servers": {"s": {"routes": [{"handle": [`+b.text+`]}]}}}}}`, "")
			})
		}
	}
	if found < 5 {
		t.Errorf("%d configurations found: the pages show more", found)
	}
}

// TestExamples loads every example for Caddy as it lies there. Those for Traefik are loaded in traefikconfig.
func TestExamples(t *testing.T) {
	for _, file := range append(files(t, "examples/caddy"), "Caddyfile.example") {
		t.Run(file, func(t *testing.T) {
			switch filepath.Ext(file) {
			case ".caddyfile", ".example":
				loads(t, read(t, file))
			case ".json":
				validates(t, read(t, file), "")
			case ".md": // a page
			case ".txt", ".html": // what the configurations name
			default:
				t.Error("what kind of file is this? Teach the test to load it")
			}
		})
	}
}

func TestExampleInJSONIsTheCaddyfile(t *testing.T) {
	adapted, complaint := adapt(t, read(t, "examples/caddy/canary.caddyfile"))
	if complaint != "" {
		t.Fatal(complaint)
	}
	var want, got any
	if err := json.Unmarshal([]byte(adapted), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(read(t, "examples/caddy/canary.json")), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("examples/caddy/canary.json is not canary.caddyfile, which is:\n%s", adapted)
	}
}

func TestEveryExampleIsListed(t *testing.T) {
	index := read(t, "examples/caddy/README.md")
	for _, file := range files(t, "examples/caddy") {
		name := filepath.Base(file)
		if ext := filepath.Ext(name); (ext == ".caddyfile" || ext == ".json") && !strings.Contains(index, "]("+name+")") {
			t.Errorf("examples/caddy/README.md does not list %s", name)
		}
	}
}

// whole completes a part of a Caddyfile by what its first word lacks:
//
//   - rollout, or a named matcher, is put into a site;
//   - a subdirective of rollout is put into a rollout, which gets the variants stable and canary (10%, or what a plan
//     gives it) if the part declares none, and that into a site;
//   - anything else is whole.
func whole(part string) string {
	switch first := firstWord(part); {
	case first == "rollout", strings.HasPrefix(first, "@"):
		return ":80 {\n" + indented(part) + "}\n"
	case slices.Contains(subdirectives, first):
		if !strings.Contains(part, "variant ") {
			weight := "10% "
			if first == "plan" {
				weight = ""
			}
			part = "variant stable localhost:8081\nvariant canary " + weight + "localhost:8082\n" + part
		}
		return whole("rollout checkout {\n" + indented(part) + "}\n")
	}
	return part
}

// subdirectives may begin a part of a rollout. TestSubdirectives holds them to the module's.
var subdirectives = []string{"variant", "upstreams", "subset", "rule", "key", "sticky", "router", "jwt", "salt", "revision", "plan", "mirror", "goal", "notify", "announce", "ends", "fallback_methods", "observe", "geo"}

func firstWord(text string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
			return fields[0]
		}
	}
	return ""
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteByte('\t')
		}
		b.WriteString(line)
	}
	return b.String()
}
