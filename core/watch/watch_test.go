package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fixture is one watched file with what was loaded and reported.
type fixture struct {
	path     string
	files    Files
	content  string
	loads    int
	reported []error
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "users.txt")}
	f.write(t, "ada")
	if err := f.files.Add(f.path, f.load); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) load(content []byte) error {
	if string(content) == "refused" {
		return errors.New("refused")
	}
	f.content = string(content)
	f.loads++
	return nil
}

func (f *fixture) write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	// A test writes faster than file systems tell times apart.
	stamp := time.Now().Add(time.Duration(len(f.reported)+f.loads+1) * time.Minute)
	if err := os.Chtimes(f.path, stamp, stamp); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) check() {
	f.files.Check(func(path string, err error) { f.reported = append(f.reported, err) })
}

func TestAddReadsAtOnce(t *testing.T) {
	f := newFixture(t)
	if f.content != "ada" {
		t.Errorf("loaded %q", f.content)
	}
	if err := f.files.Add(f.path+".missing", f.load); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	f.write(t, "refused")
	if err := f.files.Add(f.path, f.load); err == nil {
		t.Error("a refused file was taken")
	}
}

func TestChangesAreLoadedOnce(t *testing.T) {
	f := newFixture(t)
	f.check()
	if f.loads != 1 {
		t.Fatalf("an unchanged file was loaded %d times", f.loads)
	}
	f.write(t, "ada\nbob")
	f.check()
	f.check()
	if f.content != "ada\nbob" || f.loads != 2 || len(f.reported) != 1 || f.reported[0] != nil {
		t.Errorf("loaded %q, %d times, reported %v", f.content, f.loads, f.reported)
	}
}

// TestSwappedFile: another file under the same name, with the same size and time, is a change.
func TestSwappedFile(t *testing.T) {
	f := newFixture(t)
	before, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	other := f.path + ".new"
	if err := os.WriteFile(other, []byte("eve"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, f.path); err != nil {
		t.Fatal(err)
	}
	f.check()
	if f.content != "eve" {
		t.Errorf("loaded %q", f.content)
	}
}

func TestFaultsKeepTheOldContentAndAreReportedOnce(t *testing.T) {
	f := newFixture(t)
	f.write(t, "refused")
	f.check()
	f.check()
	if f.content != "ada" || len(f.reported) != 1 || f.reported[0] == nil {
		t.Fatalf("a refused file: content %q, reported %v", f.content, f.reported)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.check()
	f.check()
	if f.content != "ada" || len(f.reported) != 2 || !errors.Is(f.reported[1], os.ErrNotExist) {
		t.Fatalf("a removed file: content %q, reported %v", f.content, f.reported)
	}
	f.write(t, "bob")
	f.check()
	if f.content != "bob" || len(f.reported) != 3 || f.reported[2] != nil {
		t.Errorf("a file that is back: content %q, reported %v", f.content, f.reported)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		f.files.Run(ctx, func(path string, err error) {})
		close(ended)
	}()
	cancel()
	<-ended
}
