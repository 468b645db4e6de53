// Package skew runs fleets whose members' clocks are wrong. Go asks the system for the time in a way that no program can
// come between, so the members are a program of their own, which is built with another time.Now.
package skew

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The environment variable by which many seconds the clock on the wall of a member is ahead; the monotonic one is right, as
// it is with a real clock that is wrong. Package time can read no other package's variables.
const (
	variable = "GRAYLING_CLOCK_AHEAD"
	reader   = `package time

import "syscall"

var ahead = func() int64 {
	text, _ := syscall.Getenv("` + variable + `")
	seconds, _ := atoi(text)
	return int64(seconds)
}()
`
	right = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	wrong = "sec, nsec, mono := runtimeNow()\n\tsec += ahead\n\tif mono == 0 {"
)

// build builds the members' program, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(original), right) != 1 {
		t.Fatalf("time.Now of this release of Go does not read %q once: have this package patch what it does", right)
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(source, "time.go"):  write("time.go", strings.Replace(string(original), right, wrong, 1)),
		filepath.Join(source, "ahead.go"): write("ahead.go", reader),
	}})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "member")
	command := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", program, "./member")
	if log, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building a member: %v\n%s", err, log)
	}
	return program
}
