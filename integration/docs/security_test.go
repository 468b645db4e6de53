package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)

// TestSecurityIsShown finds every test and scenario that security.md names for what it says. What is neither, such as a
// directory, has a slash or is one.
func TestSecurityIsShown(t *testing.T) {
	var code strings.Builder
	for _, dir := range []string{"core", "command", "caddymodule", "traefikplugin", "integration"} {
		for _, file := range files(t, dir) {
			if strings.HasSuffix(file, "_test.go") {
				code.WriteString(read(t, file))
			}
		}
	}
	found := 0
	for _, r := range rows(t, "docs/security.md") {
		for _, name := range spans(r.cells["shown by"]) {
			if isDir, _ := filepath.Glob(filepath.Join(checkout, name)); len(isDir) > 0 {
				continue
			}
			found++
			if testName.MatchString(name) && !strings.Contains(code.String(), "\nfunc "+name+"(") ||
				!testName.MatchString(name) && !strings.Contains(code.String(), `"`+name+`"`) {
				t.Errorf("docs/security.md:%d: there is no test or scenario %s", r.line, name)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d tests found: the page names more", found)
	}
}
