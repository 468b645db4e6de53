package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// caddy is a command of the real Caddy that sees no files of the user's. It runs in the directory of the examples, so
// that pages may name files that lie there.
func caddy(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(gateway.CaddyBinary(t), args...)
	cmd.Dir = filepath.Join(checkout, "examples", "caddy")
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home,
		"TOKEN_SECRET=a secret of thirty-two bytes, or more", "COOKIE_SECRET=another secret of thirty-two bytes",
		"HOOK_SECRET=a secret of notices", "PROMETHEUS_PASSWORD=a password", "ETCD_PASSWORD=another password", "SLACK_URL=http://127.0.0.1:9/", "GATE=http://127.0.0.1:9/")
	return cmd
}

// adapt translates a Caddyfile to JSON, or returns Caddy's complaint.
func adapt(t *testing.T, config string) (adapted, complaint string) {
	t.Helper()
	adapted, complaint = output(t, config, "adapt", "--config", "-", "--adapter", "caddyfile")
	return adapted, strings.ReplaceAll(complaint, " at -:", " at Caddyfile:") // read from standard input
}

// output runs Caddy on an input. The complaint is empty if it succeeds.
func output(t *testing.T, input string, args ...string) (stdout, complaint string) {
	t.Helper()
	cmd := caddy(t, args...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &log
	if err := cmd.Run(); err != nil {
		return "", message(log.String()) + "\n(" + err.Error() + ")"
	}
	return out.String(), ""
}

// message decodes the errors in a log of JSON objects.
func message(log string) string {
	var messages []string
	for line := range strings.Lines(log) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			entry.Level, entry.Msg = "error", strings.TrimSpace(line)
		}
		if entry.Level == "error" {
			messages = append(messages, entry.Msg)
		}
	}
	return strings.Join(messages, "\n")
}

// loads requires that a Caddyfile is formatted, and is one that Caddy would run.
func loads(t *testing.T, config string) {
	t.Helper()
	formatted, complaint := output(t, config, "fmt", "-")
	if complaint == "" && formatted != config {
		t.Errorf("caddy fmt would write:\n%s", formatted)
	}
	if _, complaint := adapt(t, config); complaint != "" {
		t.Fatalf("%s\n%s", complaint, config)
	}
	validates(t, config, "caddyfile")
}

// validates requires that Caddy would run a configuration. An adapter "" means JSON. Where pages name databases, the
// engine's tests have some.
func validates(t *testing.T, config, adapter string) {
	t.Helper()
	config = strings.ReplaceAll(config, "/var/lib/GeoIP/", filepath.Join("..", "..", "core", "geo", "testdata")+"/")
	if strings.Contains(config, "/etc/etcd/") {
		config = strings.ReplaceAll(config, "/etc/etcd/", certificates(t)+"/")
	}
	args := []string{"validate", "--config", "-"}
	if adapter != "" {
		args = append(args, "--adapter", adapter)
	}
	if _, complaint := output(t, config, args...); complaint != "" {
		t.Fatalf("%s\n%s", complaint, config)
	}
}

// certificates returns a directory with an authority's certificate, and a client's with its key.
func certificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	authority := gateway.NewAuthority(t, dir)
	client := authority.Issue(t, "gateway")
	for name, file := range map[string]string{"ca.pem": authority.File, "client.pem": client.File, "client-key.pem": client.KeyFile} {
		if err := os.Rename(file, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
