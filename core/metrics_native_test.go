package core

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMetricsPage holds the table of the documentation to have every metric, in the words of its help.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | kind | labels | there with | what it is |\n|---|---|---|---|---|\n")
	for _, f := range Metrics {
		fmt.Fprintf(&table, "| `%s` | %s | `%s` | %s | %s |\n", f.Name, f.Kind, strings.Join(f.Labels, "`, `"), f.Needs, f.Help)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/metrics.md has to have this table:\n%s", table.String())
	}
}
