package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	code    = regexp.MustCompile("(?s)\n```.*?\n```")
)

// TestLinks follows every link that does not lead out of the checkout.
func TestLinks(t *testing.T) {
	followed := 0
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, page), ""), -1) {
			target := match[1]
			if strings.Contains(target, "://") {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(target, "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(checkout, path)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, target)
			} else if anchor != "" && !anchors(t, path)[anchor] {
				t.Errorf("%s: %s: there is no such heading", page, target)
			}
		}
	}
	if followed < 10 {
		t.Errorf("%d links found: the pages have more", followed)
	}
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(code.ReplaceAllString(read(t, page), ""), -1) {
		names[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])] = true
	}
	return names
}
