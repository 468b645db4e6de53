package caddymodule

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/grayling-gateway/grayling/core"
)

// gateway is the Caddy of this process, which serves one site on a socket. There is one at a time.
type gateway struct {
	dir    string
	client *http.Client
}

// start runs Caddy with a site and stops it when the test ends.
func start(t *testing.T, site string) *gateway {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollout") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{dir: dir}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "http"))
	}
	g.client = &http.Client{Transport: &http.Transport{DialContext: dial}}
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	if err := g.load(site); err != nil {
		t.Fatal(err)
	}
	return g
}

// load runs another configuration: the directives of the site, or what stands before a line of hyphens for all sites,
// and the directives after it.
func (g *gateway) load(site string) error {
	global, site, found := strings.Cut(site, "-----\n")
	if !found {
		global, site = "", global
	}
	config, err := g.adapt(global, site)
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

func (g *gateway) adapt(global, site string) ([]byte, error) {
	caddyfile := `{
	admin off
	persist_config off
	storage file_system ` + g.dir + `/storage
	log {
		level ERROR
	}
` + global + `
}
http:// {
	bind unix/` + g.dir + `/http
` + site + `
}
`
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (g *gateway) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := g.client.Do(request)
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

// engineOf returns the engine of the running configuration.
func engineOf(t *testing.T, name string) *core.Engine {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured(appID)
	if err != nil {
		t.Fatal(err)
	}
	a := app.(*App)
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.rollouts[name]
	if !ok {
		t.Fatalf("the running configuration has no rollout %s", name)
	}
	return r.engine
}
