package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestConditions compiles every condition that expressions.md shows: the lines of its blocks, and the code in columns
// with the title "condition".
func TestConditions(t *testing.T) {
	const page = "docs/expressions.md"
	type shown struct {
		line      int
		condition string
	}
	var list []shown
	for _, b := range blocks(t, page, "go") {
		for i, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
			list = append(list, shown{b.line + 1 + i, line})
		}
	}
	for _, r := range rows(t, page) {
		for _, condition := range spans(r.cells["condition"]) {
			list = append(list, shown{r.line, condition})
		}
	}
	if len(list) < 20 {
		t.Errorf("%d conditions found: the page shows more", len(list))
	}
	for _, s := range list {
		if _, complaint := adapt(t, whole("geo GeoLite2-City.mmdb\njwt {\n\tjwks https://login.example/keys\n}\nrule x canary `"+s.condition+"`\n")); complaint != "" {
			t.Errorf("%s:%d: %s\n%s", page, s.line, s.condition, complaint)
		}
	}
}

// TestErrors makes every mistake in tables with the titles "written" and "error", and requires that error. A mistake is
// a line of a rollout with the variants stable and canary, or else a condition.
func TestErrors(t *testing.T) {
	for _, page := range []string{"docs/expressions.md", "docs/caddy.md"} {
		found := 0
		for _, r := range rows(t, page) {
			written, want := spans(r.cells["written"]), spans(r.cells["error"])
			if len(written) == 0 {
				continue
			}
			found++
			if len(written) != 1 || len(want) != 1 {
				t.Errorf("%s:%d: a row has one mistake and one error", page, r.line)
				continue
			}
			line := written[0]
			if !slices.Contains(append(subdirectives, "variants"), firstWord(line)) {
				line = "rule qa canary `" + line + "`"
			}
			config := fmt.Sprintf(":80 {\n\trollout checkout {\n\t\tvariant stable localhost:8081\n\t\tvariant canary 10%% localhost:8082\n\t\t%s\n\t\tgeo GeoLite2-City.mmdb\n\t\tjwt {\n\t\t\tjwks https://login.example/keys\n\t\t}\n\t}\n}\n", line)
			if _, complaint := adapt(t, config); !strings.Contains(complaint, want[0]) {
				t.Errorf("%s:%d: %s\ngot:  %s\nwant: %s", page, r.line, line, complaint, want[0])
			}
		}
		if found < 5 {
			t.Errorf("%s: %d errors found: the page shows more", page, found)
		}
	}
}
