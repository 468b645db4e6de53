package traefikplugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
)

// upstreams are those of all variants of a rollout, as they are now.
type upstreams struct {
	engine     *core.Engine
	settings   *allSettings
	memory     *memory
	log        *slog.Logger
	transports map[*proxySettings]*http.Transport
	reverse    map[*proxySettings]*httputil.ReverseProxy
	current    atomic.Value // *standing
	begun      time.Time
	ready      chan struct{} // closed when every name was looked up

	unknown int                           // names that were not looked up yet; guarded by memory.mu
	probes  map[string]context.CancelFunc // that run, by the key of their health; guarded by memory.mu
}

// standing is what requests are aimed at until another takes its place.
type standing struct {
	pools   *core.Pools
	only    []*balance.Set // by variant: see core.Pools.Only
	copies  *core.Pools    // from which copies of requests take turns; nil: there are none
	targets []*target      // of every upstream, by the positions that are picked
}

// Available reports whether an upstream can get a request now.
func (s *standing) Available(upstream int) bool {
	return s.targets[upstream].health.Available(time.Now())
}

// target is an upstream that can get requests.
type target struct {
	url    *url.URL
	health *balance.Health
	direct []*httputil.ReverseProxy // by variant, for requests without trailers; nil where other upstreams serve
}

// memory is what is known of upstreams from one configuration to the next.
type memory struct {
	mu     sync.Mutex
	health map[string]*balance.Health // by address and how it is checked; guarded by mu
	found  map[string][]address       // by the key of a service, what its SRV records lead to; guarded by mu
}

// newUpstreams returns the upstreams of an engine's variants, and keeps them up to date until ctx ends.
func newUpstreams(ctx context.Context, engine *core.Engine, settings *allSettings, known *memory, log *slog.Logger) *upstreams {
	u := &upstreams{
		engine: engine, settings: settings, memory: known, log: log,
		transports: map[*proxySettings]*http.Transport{}, reverse: map[*proxySettings]*httputil.ReverseProxy{},
		begun: time.Now(), ready: make(chan struct{}), probes: map[string]context.CancelFunc{},
	}
	u.connect(ctx, settings.common)
	for _, name := range engine.Variants() {
		u.connect(ctx, settings.byVariant[name])
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	found := map[string][]address{}
	var services []*service
	for _, declared := range engine.Balancer().Upstreams() {
		s := newService(declared.Name, u.of(declared).resolver)
		if s == nil {
			continue
		}
		if _, again := found[s.key]; again {
			continue
		}
		found[s.key] = known.found[s.key]
		if found[s.key] == nil {
			s.awaited = true
			u.unknown++
		}
		services = append(services, s)
	}
	known.found = found
	u.arrange(ctx)
	if u.unknown == 0 {
		close(u.ready)
	}
	for _, s := range services {
		go u.follow(ctx, s)
	}
	return u
}

// connect makes the connections of settings, once.
func (u *upstreams) connect(ctx context.Context, s *proxySettings) {
	if u.transports[s] != nil {
		return
	}
	transport := newTransport(s)
	u.transports[s] = transport
	u.reverse[s] = newReverse(s, transport, u.engine.Mirrors())
	context.AfterFunc(ctx, func() { transport.CloseIdleConnections() })
}

// of returns the settings by which an upstream is looked up and checked.
func (u *upstreams) of(declared core.Upstream) *proxySettings {
	if declared.Variant < 0 {
		return u.settings.common
	}
	return u.settings.byVariant[u.engine.Variants()[declared.Variant]]
}

// arrange makes targets of what is declared and what was found. Caller holds memory.mu.
func (u *upstreams) arrange(ctx context.Context) {
	now := &standing{}
	health := map[string]*balance.Health{}
	probes := map[string]*probe{}
	var list []core.Upstream
	for _, declared := range u.engine.Balancer().Upstreams() {
		settings := u.of(declared)
		for _, a := range u.memory.addresses(declared, settings.resolver) {
			upstream := declared
			upstream.Name = a.name
			upstream.Weight = a.weight
			list = append(list, upstream)
			key := settings.checkKey(a.name)
			if health[key] == nil {
				health[key] = u.memory.healthOf(key)
			}
			parsed, _ := url.Parse(a.name) // as it was checked
			t := &target{url: parsed, health: health[key], direct: u.direct(parsed, declared.Variant)}
			now.targets = append(now.targets, t)
			if settings.check.path != "" {
				probes[key] = &probe{check: settings.check, target: t, transport: u.transports[settings], log: u.log, rollout: u.engine.Name()}
			}
		}
	}
	u.memory.health = health
	now.pools = u.engine.Pools(list)
	now.pools.Observe(now)
	if u.engine.Mirrors() {
		now.copies = u.engine.Balancer().Pools(list, nil)
	}
	for variant := range u.engine.Variants() {
		now.only = append(now.only, now.pools.Only(variant))
	}
	u.current.Store(now)
	u.run(ctx, probes)
}

// direct returns the proxies to one upstream, of the variant that it belongs to or of all.
func (u *upstreams) direct(to *url.URL, variant int) []*httputil.ReverseProxy {
	names := u.engine.Variants()
	list := make([]*httputil.ReverseProxy, len(names))
	for i, name := range names {
		if variant < 0 || variant == i {
			s := u.settings.byVariant[name]
			list[i] = newDirect(to, s, u.reverse[s])
		}
	}
	return list
}

// addresses returns what an upstream stands for: itself, or what was found under its name. Caller holds mu.
func (m *memory) addresses(declared core.Upstream, resolver string) []address {
	s := newService(declared.Name, resolver)
	if s == nil {
		return []address{{name: declared.Name, weight: declared.Weight}}
	}
	return weighted(m.found[s.key], declared.Weight)
}

// healthOf returns what is known of an address. Caller holds mu.
func (m *memory) healthOf(key string) *balance.Health {
	if h := m.health[key]; h != nil {
		return h
	}
	return &balance.Health{}
}

// run starts the probes that do not run yet, and ends those that are none any more. Caller holds memory.mu.
func (u *upstreams) run(ctx context.Context, probes map[string]*probe) {
	for key, cancel := range u.probes {
		if probes[key] == nil {
			cancel()
			delete(u.probes, key)
		}
	}
	for key, p := range probes {
		if u.probes[key] == nil {
			probing, cancel := context.WithCancel(ctx)
			u.probes[key] = cancel
			go keepChecking(probing, p)
		}
	}
}

// checkAddress returns what is wrong with the address of an upstream.
func checkAddress(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		return fmt.Errorf("%q is not an address such as http://10.0.0.1:8080 or srv+http://_http._tcp.shop", text)
	}
	scheme, isService := strings.CutPrefix(parsed.Scheme, "srv+")
	switch {
	case parsed.User != nil:
		return errors.New("the address has a user, which would not be sent: set the header Authorization by a middleware")
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("%q: unknown scheme %q: there are http, https, srv+http and srv+https", text, parsed.Scheme)
	case isService && parsed.Port() != "":
		return fmt.Errorf("%q: SRV records name the port: leave it out", text)
	}
	return nil
}
