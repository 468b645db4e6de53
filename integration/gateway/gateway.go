package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/port"
)

// Gateway is a product that serves a site, with its backends.
type Gateway struct {
	Host   string
	Traits Traits
	Site   Site
	// Dir holds everything the gateway writes, and the files that its configuration names.
	Dir string

	t        testing.TB
	instance instance
	plain    int // port of the site
	other    int // port of a second site
	secure   int // port of the site over TLS, TCP and UDP
	admin    int // port of the host's own interface
	probes   atomic.Int64

	mu       sync.Mutex
	backends map[string]*backend.Server
	clients  map[string]*http.Client
}

// Start starts host with site, and a backend for every variant that names no upstream. Everything
// ends with the test.
func Start(t testing.TB, host Host, site Site) *Gateway {
	t.Helper()
	ports := port.Free(t, 4)
	g := &Gateway{
		Host: host.Name(), Traits: host.Traits(), Site: site, Dir: t.TempDir(), t: t,
		plain: ports[0], other: ports[1], secure: ports[2], admin: ports[3],
		backends: make(map[string]*backend.Server),
		clients:  make(map[string]*http.Client),
	}
	g.instance = host.launch(g)
	return g
}

// Backend returns the backend of that name, starting it at the first call.
func (g *Gateway) Backend(name string) *backend.Server {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.backends[name]
	if b == nil {
		b = backend.Start(g.t, name)
		g.backends[name] = b
	}
	return b
}

// Load replaces the running configuration; what serves after an error is for Traits.Keeps to say. It
// returns when the gateway says that it is done, which may be before the old configuration got its last
// request.
func (g *Gateway) Load(site Site) error { return g.instance.load(site) }

// Reload is Load for a site that must be accepted, and serves from the next request on.
func (g *Gateway) Reload(t testing.TB, site Site) {
	t.Helper()
	if err := g.Load(site); err != nil {
		t.Fatalf("reload: %v", err)
	}
	g.instance.settle(t)
}

// Kill ends the gateway at once, with SIGKILL.
func (g *Gateway) Kill() { g.instance.kill() }

// Restart starts the gateway after Kill, with the site that was loaded last, and returns when it answers.
func (g *Gateway) Restart() { g.instance.start() }

// Decision waits for what the gateway recorded about an answered request.
func (g *Gateway) Decision(t testing.TB, rollout string, a Answer) Decision {
	t.Helper()
	d, err := g.instance.decision(rollout, a.Probe)
	if err != nil {
		t.Fatalf("decision of %s: %v", rollout, err)
	}
	return d
}

// Log is everything that the gateway logged so far, without the access log.
func (g *Gateway) Log() string { return g.instance.log() }

// Patience is how long tests wait for what has to come: longer than a machine needs that has much else to do.
const Patience = 2 * time.Minute

// Eventually calls done until it is true, and fails the test with what after [Patience].
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", Patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
