package command

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
)

func TestToken(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	g.talk(t, 0, []string{"checkout"}, "status", "--token-file", file(token+"\n"))
	g.talk(t, exitRefused, []string{"the gateway wants a token: give it with --token-file or GRAYLING_TOKEN"}, "status", "--token-file", file("another"))
	for _, content := range []string{"", " \n", "one\ntwo"} {
		g.talk(t, exitUsage, []string{"does not hold a token, alone in one line"}, "status", "--token-file", file(content))
	}
	t.Setenv("GRAYLING_TOKEN", "")
	if _, stderr, code := execute(t.Context(), "status", "--server", g.url); code != exitRefused || strings.Contains(stderr, token) {
		t.Errorf("without a token: exit code %d: %s", code, stderr)
	}
}

func TestServers(t *testing.T) {
	origin := "none"
	rollouts := control.Handler(func() map[string]*core.Live { return nil })
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin = r.Header.Get("Origin")
		rollouts.ServeHTTP(w, r)
	})
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	if stdout, stderr, code := execute(t.Context(), "status", "--server", "unix://"+socket); code != 0 || !strings.HasPrefix(stdout, "NAME ") || origin != "" {
		t.Errorf("behind a socket, where Caddy allows no origin: %q, exit code %d: %s%s", origin, code, stdout, stderr)
	}
	if _, stderr, code := execute(t.Context(), "status", "--server", "unix://"+socket+"x"); code != exitUnreachable || !strings.Contains(stderr, socket+"x") {
		t.Errorf("without a socket: exit code %d: %s", code, stderr)
	}
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	if _, stderr, code := execute(t.Context(), "status", "--server", plain.URL+"/"); code != 0 || origin != plain.URL {
		t.Errorf("origin %q, exit code %d: %s", origin, code, stderr)
	}
	for _, bad := range []string{"ftp://someone:secret@x", "http://someone:secret@x:y"} {
		if _, stderr, code := execute(t.Context(), "status", "--server", bad); code != exitUsage || strings.Contains(stderr, "secret") {
			t.Errorf("%s: exit code %d: %s", bad, code, stderr)
		}
	}

	secure := httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client
	secure.StartTLS()
	t.Cleanup(secure.Close)
	if _, stderr, code := execute(t.Context(), "status", "--server", secure.URL); code != exitUnreachable || !strings.Contains(stderr, "certificate") {
		t.Errorf("behind a certificate that nobody knows: exit code %d: %s", code, stderr)
	}

	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	url := "http://someone:secret@" + gone.Addr().String()
	if _, stderr, code := execute(t.Context(), "status", "--server", url); code != exitUnreachable || !strings.Contains(stderr, "cannot be reached") || strings.Contains(stderr, "secret") {
		t.Errorf("nobody listens: exit code %d: %s", code, stderr)
	}

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	if _, stderr, code := execute(t.Context(), "status", "--server", silent.URL, "--timeout", "50ms"); code != exitUnreachable {
		t.Errorf("nobody answers: exit code %d: %s", code, stderr)
	}
}

// TestOddAnswers talks to what is no control API, or one with troubles.
func TestOddAnswers(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
		code       int
		part       string
	}{
		{200, "text/html", "<html>", exitRefused, "the answer is not JSON: is that where the gateway is controlled?"},
		{200, "application/json", `[1]`, exitRefused, "the answer is not what a gateway says of rollouts"},
		{200, "application/json", `{"rollouts": [{"step": "x"}]}`, exitRefused, "is not what a gateway says"},
		{204, "", "", exitRefused, "204 No Content"},
		{301, "", "", exitRefused, "answers 301 Moved Permanently"},
		{404, "text/plain", "404 page not found", exitRefused, "answers 404 Not Found: is that where the gateway is controlled?"},
		{403, "application/json", `{"error": "host not allowed: x"}`, exitRefused, "Error: host not allowed: x"},
		{500, "application/json", `{"error": "\u001b[2Jgone"}`, exitRefused, "Error:  [2Jgone"},
		{502, "text/html", "<html>", exitRefused, "answers 502 Bad Gateway"},
		{503, "application/json", `{"error": "the store is away: x", "code": "away"}`, exitUnreachable, "the store is away: x"},
	} {
		url := answering(t, c.status, c.kind, c.body)
		_, stderr, code := execute(t.Context(), "status", "--server", url)
		if code != c.code || !strings.Contains(stderr, c.part) {
			t.Errorf("%d %s: exit code %d, want %d: %s", c.status, c.body, code, c.code, stderr)
		}
	}
}

func TestTokenIsForNobodyElse(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	here := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(here.Close)
	if _, stderr, code := execute(t.Context(), "abort", "checkout", "--server", here.URL); code != exitRefused || asked {
		t.Errorf("exit code %d, the other was asked: %t: %s", code, asked, stderr)
	}
}

func TestCompletion(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	g.release(t, "search", "v1")
	t.Setenv("GRAYLING_SERVER", g.url)
	t.Setenv("GRAYLING_TOKEN", token)
	stdout, _, code := execute(t.Context(), "__complete", "promote", "")
	if code != 0 || !strings.Contains(stdout, "checkout\tprogressing\nsearch\tprogressing\n:4\n") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if stdout, _, _ := execute(t.Context(), "__complete", "weight", "checkout", ""); strings.Contains(stdout, "search") {
		t.Errorf("names are completed behind a name: %s", stdout)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if stdout, _, code := execute(t.Context(), "completion", shell); code != 0 || !strings.Contains(stdout, "grayling") {
			t.Errorf("%s: exit code %d: %.200s", shell, code, stdout)
		}
	}
}
