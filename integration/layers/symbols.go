package layers

import (
	"fmt"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// yaegiModule is where Yaegi's own tables of the standard library are, which end with Go 1.22.
const yaegiModule = "../tools/yaegi"

var (
	tableBegins = regexp.MustCompile(`^\tSymbols\["(.+)/[^/"]+"\] = map`)
	tableEntry  = regexp.MustCompile(`^\t\t"([^"]+)": `)
)

// interpretedSymbols returns the names of the standard library that Yaegi knows, such as "strings.Cut" with the full path
// of the package.
var interpretedSymbols = sync.OnceValues(func() (map[string]bool, error) {
	list := exec.Command("go", "list", "-C", yaegiModule, "-m", "-f", "{{.Dir}}", "github.com/traefik/yaegi")
	dir, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "stdlib", "go1_22_*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no tables of the standard library in %s", strings.TrimSpace(string(dir)))
	}
	known := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		path := ""
		for line := range strings.Lines(string(content)) {
			if table := tableBegins.FindStringSubmatch(line); table != nil {
				path = table[1]
			} else if entry := tableEntry.FindStringSubmatch(line); entry != nil {
				known[path+"."+entry[1]] = true
			}
		}
	}
	return known, nil
})

// isUnknown tells whether object is a name of the standard library that Yaegi does not know. Methods and fields are
// known, as they come with the compiled types; generic functions have a check of their own.
func (l *linter) isUnknown(object types.Object) bool {
	return object != nil && object.Pkg() != nil && object.Pkg() != l.pass.Pkg && isStandard(object.Pkg()) &&
		object.Pkg().Path() != "unsafe" && object.Parent() == object.Pkg().Scope() && !isGeneric(object) && !l.known[object.Pkg().Path()+"."+object.Name()]
}
