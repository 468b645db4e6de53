package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestCommandsWithoutAGateway runs the commands of the pages that ask configurations, where the page's configuration is
// the Caddyfile, and next.caddyfile is the same with a larger first step.
func TestCommandsWithoutAGateway(t *testing.T) {
	bin := t.TempDir()
	if err := os.Symlink(gateway.CaddyBinary(t), filepath.Join(bin, "caddy")); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"docs/explain.md", "docs/simulate.md"} {
		dir := t.TempDir()
		config := blocks(t, page, "caddyfile")[0].text
		for name, text := range map[string]string{"Caddyfile": config, "next.caddyfile": strings.Replace(config, "step 1% 10m", "step 5% 10m", 1)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		steps := commands(t, page, "")
		if len(steps) == 0 {
			t.Errorf("%s: no commands", page)
		}
		// Clients without addresses, for whom the explained configuration has a matcher of addresses.
		steps = append(steps, step{command: "caddy rollout simulate Caddyfile --keys 2 > /dev/null"})
		for _, s := range steps {
			command := exec.CommandContext(t.Context(), "bash", "-c", s.command)
			command.Dir = dir
			command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "XDG_DATA_HOME="+dir, "TZ=UTC")
			var complaints bytes.Buffer
			command.Stderr = &complaints
			out, err := command.Output()
			if err != nil || string(out) != s.want || complaints.Len() > 0 {
				t.Errorf("%s:%d: %s: %v\n%s\ngot:\n%s\nwant:\n%s", page, s.line, s.command, err, &complaints, out, s.want)
			}
		}
	}
}

// TestExplainPage holds the page to what the API knows.
func TestExplainPage(t *testing.T) {
	const page = "docs/explain.md"
	var documented []string
	for _, r := range rows(t, page) {
		documented = append(documented, spans(r.cells["field"])...)
		if r.cells["field"] != "" {
			documented = append(documented, spans(r.cells["meaning"])...)
		}
	}
	for _, name := range fieldsOf(reflect.TypeFor[core.Explanation](), reflect.TypeFor[core.Question]()) {
		if !slices.Contains(documented, name) {
			t.Errorf("%s says nothing of the field %s", page, name)
		}
	}
	for _, status := range []string{
		core.RuleDecides, core.RuleFails, core.RuleMisses, core.RuleSkipped, core.AssignmentValid, core.AssignmentAbsent, core.AssignmentEmpty,
		core.AssignmentExpired, core.AssignmentReleased, core.AssignmentGone, core.AssignmentForged, core.AssignmentUnknown,
		core.RouterSkipped, core.RouterNoClient, core.RouterNotAsked, core.RouterAnswered, core.RouterFailed,
		core.GoalsCounted, core.GoalsChosen, core.GoalsNoClient, core.GoalsAlone,
	} {
		if !slices.Contains(documented, status) {
			t.Errorf("%s says nothing of %q", page, status)
		}
	}
}

// fieldsOf returns the names in JSON of all fields of structs, and of those in them.
func fieldsOf(structs ...reflect.Type) (names []string) {
	for _, of := range structs {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || strings.HasPrefix(fmt.Sprint(of), "time.") {
			continue
		}
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(append(names, name), fieldsOf(field.Type)...)
		}
	}
	return names
}
