package caddymodule

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
)

// commanded runs "caddy rollout", and returns what it prints, with complaints, and the error that Caddy ends with.
func commanded(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{}
	addCommands(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// adminSocket serves no rollouts at a socket, and returns its path.
func adminSocket(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: control.Handler(func() map[string]*core.Live { return nil })}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return socket
}

func configuration(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCommandsFindTheAdminAPI(t *testing.T) {
	server := httptest.NewServer(control.Handler(func() map[string]*core.Live { return nil }))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	socket := adminSocket(t)
	json := configuration(t, "caddy.json", `{"admin": {"listen": "unix/`+socket+`|0600"}}`)
	caddyfile := configuration(t, "Caddyfile", "{\n\tadmin "+host+"\n}\n")
	for _, args := range [][]string{
		{"--address", host}, {"--address", "tcp/" + host}, {"--address", "unix/" + socket}, {"--address", "unix/" + socket + "|0600"},
		{"--config", json}, {"-c", caddyfile}, {"-c", configuration(t, "site", "{\n\tadmin "+host+"\n}\n"), "-a", "caddyfile"},
	} {
		if out, err := commanded(t, append([]string{"status"}, args...)...); err != nil || !strings.HasPrefix(out, "NAME ") {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	for _, c := range []struct {
		args []string
		part string
		code string // what Caddy's error says
	}{
		{[]string{"status", "--address", "127.0.0.1:1"}, "http://127.0.0.1:1: the gateway cannot be reached", "exiting with status 3"},
		{[]string{"status", "--address", "localhost:1-9"}, "is not the address of an admin API", "exiting with status 2"},
		{[]string{"status", "--address", "fd/3"}, "is not the address of an admin API", "exiting with status 2"},
		{[]string{"status", "--config", "/no/such"}, "/no/such", "exiting with status 2"},
		{[]string{"status", "--server", server.URL}, "unknown flag: --server", "exiting with status 2"},
		{[]string{"pause", "checkout", "--address", host}, "no rollout runs", `no rollout "checkout" runs`},
		{[]string{"stauts"}, `did you mean "status"?`, "exiting with status 2"},
	} {
		out, err := commanded(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.code) || !strings.Contains(out, c.part) || strings.Count(out, "Error") != 1 {
			t.Errorf("%q: %v, want %s with %q: %s", c.args, err, c.code, c.part, out)
		}
	}
}

func TestAdminURL(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:2019": "http://localhost:2019", ":2019": "http://localhost:2019", "[::1]:2019": "http://[::1]:2019",
		"unix//run/caddy.sock": "unix:///run/caddy.sock", "unix//run/caddy.sock|0222": "unix:///run/caddy.sock",
	} {
		if got, err := adminURL(address); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", address, got, err, want)
		}
	}
}

func TestValidateConfig(t *testing.T) {
	site := func(key string) string {
		return "localhost:0 {\n\trollout " + unique("validated") + " {\n\t\tvariant stable localhost:8081\n\t\tvariant canary 5% localhost:8082\n\t\tkey " + key + "\n\t}\n}\n"
	}
	valid, invalid := site("`cookie(\"uid\")`"), site("`cokie(\"uid\")`")
	for _, c := range []struct{ file, content, adapter, part string }{
		{"Caddyfile", valid, "", ""},
		{"site", valid, "caddyfile", ""},
		{"caddy.json", "{}", "", ""},
		{"Caddyfile", invalid, "", `(did you mean "cookie"?)`},
		{"Caddyfile", "a {\n", "", "Caddyfile"},
		{"caddy.json", "{", "", "not valid JSON"},
		{"caddy.json", `{"aps": {}}`, "", `unknown field "aps"`},
		{"caddy.json", "null", "", "there is no configuration in it"},
		{"site", valid, "cadyfile", "unrecognized config adapter: cadyfile"},
	} {
		err := ValidateConfig(configuration(t, c.file, c.content), c.adapter)
		if c.part == "" && err != nil || c.part != "" && (err == nil || !strings.Contains(err.Error(), c.part)) {
			t.Errorf("%s %q: %v, want %q", c.file, c.content, err, c.part)
		}
	}
}
