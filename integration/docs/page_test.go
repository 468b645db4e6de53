// Package docs tests what the documentation shows: every configuration is loaded by the real Caddy, every curl line of
// the README gives the answer that stands below it, and what the code knows is documented.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const checkout = "../.."

func TestMain(m *testing.M) { os.Exit(gateway.Main(m)) }

// block is what stands between two fences of a page.
type block struct {
	page     string // its path in the checkout
	line     int    // of the opening fence
	language string
	text     string
}

// pages are the README files and everything under docs, by their paths in the checkout.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CHANGELOG.md"}
	for _, dir := range []string{"docs", "examples"} {
		for _, file := range files(t, dir) {
			if filepath.Ext(file) == ".md" {
				list = append(list, file)
			}
		}
	}
	return list
}

// files are all files below a directory, by their paths in the checkout.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(filepath.Join(checkout, dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		path, err = filepath.Rel(checkout, path)
		list = append(list, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns a page's blocks in a language.
func blocks(t *testing.T, page, language string) []block {
	t.Helper()
	var (
		list []block
		open *block
	)
	for i, line := range strings.SplitAfter(read(t, page), "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &block{page: page, line: i + 1, language: fence}
		case isFence:
			if open.language == language {
				list = append(list, *open)
			}
			open = nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block is not closed", page, open.line)
	}
	return list
}

// row is a row of a table by the titles of its columns.
type row struct {
	line  int
	cells map[string]string
}

var cellBorder = regexp.MustCompile(`(?:^|[^\\])\|`)

// rows returns the rows of all tables of a page.
func rows(t *testing.T, page string) []row {
	t.Helper()
	var (
		list   []row
		titles []string
	)
	for i, line := range strings.Split(read(t, page), "\n") {
		if !strings.HasPrefix(line, "|") {
			titles = nil
			continue
		}
		cells := split(line)
		if titles == nil {
			titles = cells
			continue
		}
		if len(cells) != len(titles) {
			t.Errorf("%s:%d: %d cells under %d titles", page, i+1, len(cells), len(titles))
			continue
		}
		r := row{line: i + 1, cells: make(map[string]string)}
		for k, title := range titles {
			r.cells[title] = cells[k]
		}
		if strings.Trim(line, "|-: ") != "" { // not the line below the titles
			list = append(list, r)
		}
	}
	return list
}

// split returns the cells of a row. A bar inside a cell is written \|.
func split(line string) []string {
	var cells []string
	line = strings.TrimPrefix(strings.TrimSpace(line), "|")
	for line != "" {
		border := cellBorder.FindStringIndex(line)
		if border == nil {
			break
		}
		cell := line[:border[1]-1]
		cells = append(cells, strings.TrimSpace(strings.ReplaceAll(cell, `\|`, "|")))
		line = line[border[1]:]
	}
	return cells
}

var codeSpan = regexp.MustCompile("`` (.*?) ``|``(.*?)``|`([^`]*)`")

// spans returns the code in a text.
func spans(text string) []string {
	var list []string
	for _, match := range codeSpan.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.TrimSpace(match[1]+match[2]+match[3]))
	}
	return list
}
