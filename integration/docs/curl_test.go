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
// their order: for those about Traefik anew, and what "make run-traefik" runs beside it. Ports are exchanged for free ones,
// in the files as well as in the commands.
func TestCommandsOfTheReadme(t *testing.T) {
	steps := commands(t, "README.md", "curl")
	about := strings.Count(strings.SplitAfter(read(t, "README.md"), "\n### The same in Traefik\n")[0], "\n")
	first := slices.IndexFunc(steps, func(s step) bool { return s.line > about })
	if first < 5 || len(steps)-first < 5 {
		t.Fatalf("%d curl lines found, of which the first about Traefik is number %d: the README shows more", len(steps), first)
	}
	t.Run("Caddy", func(t *testing.T) {
		exchange := freePorts(t, read(t, "Caddyfile.example"))
		run(t, exchange(read(t, "Caddyfile.example")))
		follow(t, steps[:first], exchange)
	})
	t.Run("Traefik", func(t *testing.T) {
		recipe := recipe(t, "run-traefik", "TRAEFIK="+gateway.TraefikBinary(t))
		exchange := freePorts(t, read(t, "Caddyfile.example")+recipe)
		run(t, exchange(read(t, "Caddyfile.example")))
		runTraefik(t, exchange, recipe)
		follow(t, steps[first:], exchange)
	})
}

// follow does one step after the other.
func follow(t *testing.T, steps []step, exchange func(string) string) {
	t.Helper()
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

// recipe returns what make would run for a target without bin/, which is built already.
func recipe(t *testing.T, target, variable string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "--dry-run", "--old-file=build", target, variable)
	cmd.Dir = checkout
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", target, err, out)
	}
	return string(out)
}

// runTraefik runs a recipe until the test's end, with traefik.example.yaml, and returns when its rollout answers.
func runTraefik(t *testing.T, exchange func(string) string, recipe string) {
	t.Helper()
	const example = "traefik.example.yaml"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, example), []byte(exchange(read(t, example))), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-e", "-c", strings.ReplaceAll(exchange(recipe), filepath.Join(root, example), filepath.Join(dir, example)))
	cmd.Dir = dir
	untilTheEnd(t, cmd)
	gateway.Eventually(t, "the rollout answers", func() bool {
		_, err := shell(t, exchange("curl --fail localhost:8000"))
		return err == nil
	})
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
	untilTheEnd(t, caddy(t, "run", "--config", file, "--adapter", "caddyfile"))
	for _, address := range localPort.FindAllString(config, -1) {
		gateway.Eventually(t, "Caddy listens at "+address, func() bool { return accepts(address) })
	}
}

// untilTheEnd starts a gateway, and stops it when the test ends.
func untilTheEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
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
			t.Errorf("%s ended with %v", cmd.Path, err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", cmd.Path, &log)
		}
	})
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
