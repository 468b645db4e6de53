package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/grayling-gateway/grayling/core/store"
)

// child runs a test of this file in a process of its own, which it can kill or starve.
func child(t *testing.T, test, path string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.timeout=5m")
	command.Env = append(os.Environ(), "GRAYLING_CHILD="+path)
	command.Stderr = os.Stderr
	return command
}

// TestKilledWriters kills processes that do nothing but write, at any moment: what they said they wrote is there, and
// never half of anything.
func TestKilledWriters(t *testing.T) {
	path := os.Getenv("GRAYLING_CHILD")
	if path != "" {
		writeForEver(t, path)
	}
	path = filepath.Join(t.TempDir(), "state.json")
	said := 0
	for kill := 1; kill <= 20; kill++ {
		writer := child(t, "TestKilledWriters", path)
		output, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		for i := 0; i < 3*kill && lines.Scan(); i++ {
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		if err := writer.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
		os.Remove(path + ".lock") // nobody else can have a turn now; TestAbandonedTurn waits for one
		file := store.NewFile(path, func(fault error) { t.Errorf("after kill %d: %v", kill, fault) })
		d, err := file.Load(t.Context(), "checkout")
		written := 0
		if err == nil {
			_, err = fmt.Sscan(strings.Trim(string(d.Content), `"`), &written)
		}
		if err != nil || written != said && written != said+1 {
			t.Errorf("after kill %d: the file has %d, error %v, and the writer said %d", kill, written, err, said)
		}
	}
	if said < 20*21 {
		t.Errorf("the writers wrote %d times", said)
	}
}

// writeForEver counts in a document, and says how far it came.
func writeForEver(t *testing.T, path string) {
	t.Helper()
	ctx := context.Background()
	file := store.NewFile(path, nil)
	d, err := file.Load(ctx, "checkout")
	n := 0
	if err == nil && d.Version != "" {
		_, err = fmt.Sscan(strings.Trim(string(d.Content), `"`), &n)
	}
	for version := d.Version; err == nil; fmt.Println(n) {
		n++
		version, err = file.Swap(ctx, "checkout", version, fmt.Appendf(nil, "%q", fmt.Sprint(n, strings.Repeat(" and so on", 1000))))
	}
	t.Fatal(err)
}

// TestFullDisk lets the disk end in the middle of a file: for a process that may not write longer ones it does.
func TestFullDisk(t *testing.T) {
	path := os.Getenv("GRAYLING_CHILD")
	if path != "" {
		writeOnFullDisk(t, path)
		return
	}
	path = filepath.Join(t.TempDir(), "state.json")
	version, err := store.NewFile(path, nil).Swap(t.Context(), "checkout", "", []byte(`"before"`))
	if err != nil {
		t.Fatal(err)
	}
	output, err := child(t, "TestFullDisk", path).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	d, err := store.NewFile(path, nil).Load(t.Context(), "checkout")
	if err != nil || d.Version == version || string(d.Content) != `"small"` {
		t.Errorf("after a full disk: %s, %v", d.Content, err)
	}
	only(t, path)
}

func writeOnFullDisk(t *testing.T, path string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 4096, Max: 4096}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	file := store.NewFile(path, func(fault error) { t.Errorf("reported: %v", fault) })
	before, err := file.Load(t.Context(), "checkout")
	if err != nil {
		t.Fatal(err)
	}
	large := fmt.Appendf(nil, "%q", strings.Repeat("x", 100_000))
	for i := 1; i <= 2; i++ {
		if _, err := file.Swap(t.Context(), "checkout", before.Version, large); err == nil || err.Error() != "writing the state to "+path+": file too large" {
			t.Errorf("writing what has no room, try %d: %v", i, err)
		}
	}
	after, err := file.Load(t.Context(), "checkout")
	if err != nil || after.Version != before.Version || string(after.Content) != `"before"` {
		t.Errorf("what was there before is %s, version %q, error %v", after.Content, after.Version, err)
	}
	if _, err := file.Swap(t.Context(), "checkout", after.Version, []byte(`"small"`)); err != nil {
		t.Errorf("writing what has room: %v", err)
	}
}
