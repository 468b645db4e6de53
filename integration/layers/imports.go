package layers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

const module = "github.com/grayling-gateway/grayling"

// A layer is a directory of the root module.
type layer struct {
	dir        string
	own        []string // layers it may import besides itself
	thirdParty bool     // whether it may import other modules; all may import the standard library
}

var architecture = []layer{
	{dir: "core"},
	{dir: "traefikplugin", own: []string{"core"}},
	{dir: "dashboard"},
	{dir: "simulation", own: []string{"core"}},
	{dir: "command", own: []string{"core", "dashboard", "simulation", "traefikplugin"}, thirdParty: true},
	{dir: "caddymodule", own: []string{"core", "command", "dashboard"}, thirdParty: true},
	{dir: "examples"},
	{dir: "cmd", own: []string{"caddymodule", "command"}, thirdParty: true},
}

// goPackage is what "go list -json" says of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// wrongImports returns a line for every import in list, the output of "go list -deps -test -json", that the
// architecture forbids. Every package of the module is in the list with its direct imports, so the direct ones will do.
func wrongImports(list io.Reader, architecture []layer) (wrong []string, err error) {
	var packages []goPackage
	standard := map[string]bool{"C": true}
	for decoder := json.NewDecoder(list); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range packages {
		dir, own := layerOf(p.ImportPath)
		if !own || strings.HasSuffix(p.ImportPath, ".test") { // the generated main of a test
			continue
		}
		i := slices.IndexFunc(architecture, func(l layer) bool { return l.dir == dir })
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("%s is in no layer: say in package layers what it may import", p.ImportPath))
			continue
		}
		for _, imported := range p.Imports {
			if to, own := layerOf(imported); own && to != dir && !slices.Contains(architecture[i].own, to) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s must not import %s", p.ImportPath, imported, dir, to))
			} else if !own && !standard[imported] && !architecture[i].thirdParty {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s uses nothing but the standard library and %s", p.ImportPath,
					imported, dir, strings.Join(append([]string{dir}, architecture[i].own...), ", ")))
			}
		}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong), nil
}

// layerOf returns the first directory of a package of the root module. The variant of a package that is built for a test
// is listed as "path [test]".
func layerOf(importPath string) (dir string, own bool) {
	importPath, _, _ = strings.Cut(importPath, " ")
	path, own := strings.CutPrefix(importPath, module+"/")
	dir, _, _ = strings.Cut(path, "/")
	return dir, own
}

// unwelcome are the modules that Traefik's plugin catalog rejects in a go.mod, whatever the reason for the line.
var unwelcome = []string{"github.com/traefik/traefik", "github.com/traefik/yaegi"}

// unwelcomeModules returns a line for every unwelcome module in the go.mod given.
func unwelcomeModules(goMod []byte) (found []string, err error) {
	file, err := modfile.Parse("go.mod", goMod, nil)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, r := range file.Require {
		paths = append(paths, r.Mod.Path)
	}
	for _, r := range file.Replace {
		paths = append(paths, r.Old.Path, r.New.Path)
	}
	for _, t := range file.Tool {
		paths = append(paths, t.Path)
	}
	for _, path := range paths {
		for _, m := range unwelcome {
			if path == m || strings.HasPrefix(path, m+"/") {
				found = append(found, fmt.Sprintf("go.mod names %s: Traefik's plugin catalog rejects it; it belongs under integration/", path))
			}
		}
	}
	return found, nil
}
