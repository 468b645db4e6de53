package core

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// fileFixture is an engine whose only rule looks at a file.
type fileFixture struct {
	path   string
	engine *Engine
	logged *bytes.Buffer
	writes int
}

func newFileFixture(t *testing.T, condition, content string) *fileFixture {
	t.Helper()
	f := &fileFixture{path: t.TempDir() + "/list.txt", logged: &bytes.Buffer{}}
	f.write(t, content)
	config := checkout()
	config.Rules = []Rule{{Name: "listed", Use: "canary", When: strings.ReplaceAll(condition, "FILE", f.path)}}
	f.engine = compile(t, config, nil, Host{Log: slog.New(slog.NewTextHandler(f.logged, nil))})
	return f
}

func (f *fileFixture) write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	// A test writes faster than file systems tell times apart.
	f.writes++
	stamp := noon.Add(time.Duration(f.writes) * time.Minute)
	if err := os.Chtimes(f.path, stamp, stamp); err != nil {
		t.Fatal(err)
	}
}

// listed tells for whom the rule decides, of users who are addresses too, after another look at the file.
func (f *fileFixture) listed() string {
	f.engine.files.Check(f.engine.reread)
	var users []string
	for _, user := range []string{"10.0.0.1", "10.0.0.2", "10.0.1.1"} {
		if f.engine.Decide(get("X-User: "+user), user, noon).Reason == ByRule {
			users = append(users, user)
		}
	}
	return strings.Join(users, " ")
}

func TestFilesAreReadAgain(t *testing.T) {
	for _, condition := range []string{`header("X-User").inFile("FILE")`, `ip().inFile("FILE")`} {
		f := newFileFixture(t, condition, "10.0.0.1\n")
		if got := f.listed(); got != "10.0.0.1" {
			t.Errorf("%s: at first %q", condition, got)
		}
		f.write(t, "# changed\n10.0.0.2\n10.0.1.1\n")
		if got := f.listed(); got != "10.0.0.2 10.0.1.1" {
			t.Errorf("%s: after a change %q", condition, got)
		}
		f.write(t, "")
		if got := f.listed(); got != "" {
			t.Errorf("%s: of an empty file %q", condition, got)
		}
		if lines := strings.Count(f.logged.String(), "read a file that changed"); lines != 2 {
			t.Errorf("%s: two changes were logged %d times:\n%s", condition, lines, f.logged)
		}
	}
}

func TestFilesThatCannotBeReadChangeNothing(t *testing.T) {
	f := newFileFixture(t, `ip().inFile("FILE")`, "10.0.0.0/24\n")
	faults := func() int { return strings.Count(f.logged.String(), "keeping what was read before") }
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if got := f.listed(); got != "10.0.0.1 10.0.0.2" || faults() != 1 || !strings.Contains(f.logged.String(), f.path) {
		t.Errorf("removed: %q, logged:\n%s", got, f.logged)
	}
	if f.listed(); faults() != 1 {
		t.Errorf("a fault that lasts is logged again:\n%s", f.logged)
	}
	f.write(t, "10.0.1.0/24\nnobody\n")
	if got := f.listed(); got != "10.0.0.1 10.0.0.2" || faults() != 2 || !strings.Contains(f.logged.String(), "nobody") {
		t.Errorf("with a line that is no address: %q, logged:\n%s", got, f.logged)
	}
	f.write(t, "10.0.1.0/24\n")
	if got := f.listed(); got != "10.0.1.1" || faults() != 2 {
		t.Errorf("mended: %q, logged:\n%s", got, f.logged)
	}
}
