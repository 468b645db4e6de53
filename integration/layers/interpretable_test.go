package layers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// Where the interpreted code is: what Traefik loads.
var interpreted = []string{"core", "traefikplugin"}

func TestInterpretedCode(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	config := &packages.Config{Mode: packages.LoadAllSyntax, Dir: root, Tests: true}
	var patterns []string
	for _, dir := range interpreted {
		if _, err := os.Stat(root + "/" + dir); err == nil {
			patterns = append(patterns, "./"+dir+"/...")
		}
	}
	loaded, err := packages.Load(config, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) == 0 {
		t.Fatalf("no packages in %v", patterns)
	}
	if packages.PrintErrors(loaded) > 0 {
		t.Fatal("the packages do not compile: see above")
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{Interpretable}, loaded, nil)
	if err != nil {
		t.Fatal(err)
	}
	reported := map[string]bool{} // a package and the same package with its tests say the same
	for _, action := range graph.Roots {
		if strings.HasSuffix(action.Package.ID, ".test") {
			continue // its generated main
		}
		if action.Err != nil {
			t.Errorf("%s: %v", action.Package, action.Err)
		}
		for _, d := range action.Diagnostics {
			line := strings.TrimPrefix(action.Package.Fset.Position(d.Pos).String(), top+"/") + ": " + d.Message
			if !reported[line] {
				reported[line] = true
				t.Error(line)
			}
		}
	}
}

func TestInterpretable(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), Interpretable, "interpreted")
}
