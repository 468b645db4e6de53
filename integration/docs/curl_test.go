package docs

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// step is a command of a page and what it says below it.
type step struct {
	line          int
	command, want string
}

// TestCommandsOfTheReadme runs Caddyfile.example, as "make run" does, and every curl line of the README against it, in
// their order. Ports are exchanged for free ones, in the file as well as in the commands.
func TestCommandsOfTheReadme(t *testing.T) {
	steps := commands(t, "README.md", "curl")
	if len(steps) < 5 {
		t.Fatalf("%d curl lines found: the README shows more", len(steps))
	}
	exchange := freePorts(t, read(t, "Caddyfile.example"))
	run(t, exchange(read(t, "Caddyfile.example")))
	for _, s := range steps {
		out, err := shell(t, exchange(s.command))
		for retries := 3; err != nil && retries > 0; retries-- {
			out, err = shell(t, exchange(s.command)) // a server that a new configuration replaces may drop a connection
		}
		if err != nil {
			t.Errorf("README.md:%d: %s: %v\n%s", s.line, s.command, err, out)
		} else if out != s.want {
			t.Errorf("README.md:%d: %s\ngot:  %s\nwant: %s", s.line, s.command, out, s.want)
		}
		if strings.Contains(s.command, "-X DELETE") { // Caddy answers before it stops what is deleted
			gateway.Eventually(t, "the backend is down", func() bool { return !accepts(exchange("localhost:8082")) })
		}
	}
}

// shell runs a command line and returns what it prints, with complaints if it fails.
func shell(t *testing.T, command string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "LC_ALL=C") // no .curlrc
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

// commands returns the commands of a page that contain a word, each a line that begins with "$ " and is followed by what it
// prints.
func commands(t *testing.T, page, word string) []step {
	t.Helper()
	var steps []step
	for _, b := range blocks(t, page, "console") {
		var list []step
		for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				list = append(list, step{line: b.line + 1 + i, command: command})
			} else if len(list) > 0 {
				list[len(list)-1].want += line + "\n"
			}
		}
		for _, s := range list {
			if strings.Contains(s.command, word) {
				steps = append(steps, s)
			}
		}
	}
	return steps
}

var localPort = regexp.MustCompile(`localhost:(\d+)`)

// freePorts returns a function that exchanges every port of localhost that a configuration names for a free one. The
// order of the ports stays: Caddy names servers by it.
func freePorts(t *testing.T, config string) func(text string) string {
	t.Helper()
	var named []int
	for _, match := range localPort.FindAllStringSubmatch(config, -1) {
		number, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(named, number) {
			named = append(named, number)
		}
	}
	free := port.Free(t, len(named))
	slices.Sort(named)
	slices.Sort(free)
	exchanged := make(map[string]string)
	for i := range named {
		exchanged[fmt.Sprintf("localhost:%d", named[i])] = fmt.Sprintf("localhost:%d", free[i])
	}
	return func(text string) string {
		return localPort.ReplaceAllStringFunc(text, func(address string) string {
			return cmp.Or(exchanged[address], address)
		})
	}
}

// run runs Caddy until the test's end and returns when it listens at every address of localhost that the configuration names.
func run(t *testing.T, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := caddy(t, "run", "--config", file, "--adapter", "caddyfile")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := <-exited; err != nil {
			t.Errorf("Caddy ended with %v", err)
		}
		if t.Failed() {
			t.Logf("Caddy's log:\n%s", &log)
		}
	})
	for _, address := range localPort.FindAllString(config, -1) {
		gateway.Eventually(t, "Caddy listens at "+address, func() bool { return accepts(address) })
	}
}

// accepts says whether something listens.
func accepts(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
