package caddymodule

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	machine "github.com/grayling-gateway/grayling/core/rollout"
)

// adminClient returns a client of the gateway's admin endpoint, which is a Unix socket.
func (g *gateway) adminClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // the endpoint is another one after a reload
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(g.admin, "unix/"))
		},
	}}
}

// adminRequest returns a request as Caddy's own commands send it to a socket.
func adminRequest(t *testing.T, method, path string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = ""
	return request
}

// ask sends a request to the admin endpoint.
func (g *gateway) ask(t *testing.T, method, path string) answer {
	t.Helper()
	response, err := g.adminClient().Do(adminRequest(t, method, path))
	// The endpoint of the configuration before may have taken the connection and be closed: what only reads asks again.
	for deadline := time.Now().Add(30 * time.Second); err != nil && method == http.MethodGet && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
		response, err = g.adminClient().Do(adminRequest(t, method, path))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

// follow returns the lines of a rollout's stream of events, until it ends.
func (g *gateway) follow(t *testing.T, name string) <-chan string {
	t.Helper()
	request := adminRequest(t, http.MethodGet, "/rollouts/"+name+"/events")
	request.Header.Set("Accept", "text/event-stream")
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		response, err := g.adminClient().Do(request)
		if err != nil {
			return
		}
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// TestAdmin: rollouts are seen and commanded at Caddy's admin endpoint.
func TestAdmin(t *testing.T) {
	name := unique("admin")
	g := newGateway(t)
	g.admin = "unix/" + filepath.Join(t.TempDir(), "admin.sock")
	if err := g.load("respond 204"); err != nil {
		t.Fatal(err)
	}
	if got := g.ask(t, http.MethodGet, "/rollouts"); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"rollouts":[]}` {
		t.Errorf("without any: %+v", got)
	}
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	for _, c := range []struct {
		method, path string
		status       int
		holds        string
	}{
		{http.MethodGet, "/rollouts", http.StatusOK, `"name":"` + name + `"`},
		{http.MethodGet, "/rollouts/" + name, http.StatusOK, `"state":"progressing"`},
		{http.MethodGet, "/rollouts/" + name + "/events", http.StatusOK, `"event":"started"`},
		{http.MethodGet, "/rollouts/nobody", http.StatusNotFound, `"code":"unknown"`},
		{http.MethodGet, "/rollouts/" + name + "/promote", http.StatusMethodNotAllowed, `"code":"method"`},
		{http.MethodPost, "/rollouts", http.StatusMethodNotAllowed, `"code":"method"`},
		{http.MethodPost, "/rollouts/" + name + "/pause", http.StatusOK, `"state":"paused"`},
		{http.MethodPost, "/rollouts/" + name + "/pause", http.StatusConflict, `"code":"state"`},
	} {
		if got := g.ask(t, c.method, c.path); got.status != c.status || !strings.Contains(got.body, c.holds) {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.status, got.body)
		}
	}

	lines := g.follow(t, name)
	awaitLine(t, lines, "event: paused")
	tell(t, name, machine.Resume)
	awaitLine(t, lines, "event: resumed")
	if err := g.load("header X-Other 1\n" + planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	for range lines { // until the stream ends with the configuration
		continue
	}
	if got := g.ask(t, http.MethodGet, "/rollouts/"+name); got.status != http.StatusOK {
		t.Errorf("after a reload: %+v", got)
	}
}

// awaitLine reads lines until one comes.
func awaitLine(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	for line := range lines {
		if line == want {
			return
		}
	}
	t.Fatalf("the stream ended before %q", want)
}
