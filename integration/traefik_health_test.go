package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// healthScenarios are about upstreams that fail, and about those that SRV records lead to.
var healthScenarios = []scenario{
	{
		name: "an upstream that fails is left alone, and tried again", only: "traefik proxy mode", because: ownProxy,
		site: proxying(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: [{{upstream "canary"}}]}
proxy: {passiveHealthCheck: {failures: 2, backoff: 12s}}
announce: {response: X-Variant}`),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := g.Backend("canary")
			drop := []string{"X-Version: v2", "X-Drop: canary"}
			for range 2 {
				expectStatus(t, "a request that fails", g.Get(t, "/", drop...), 200, "stable")
			}
			asked := canary.Count("")
			for range 20 { // within less than the twelve seconds, or else one of them is the trial
				a := g.Get(t, "/", drop...)
				expectStatus(t, "while the canary is out", a, 200, "stable")
				expectFields(t, "client", a.Header, []string{"X-Variant: stable"})
				expectFields(t, "upstream", a.Echo.Header, []string{"X-Rollout-Variant: stable"})
			}
			if got := canary.Count("") - asked; got > 2 { // net/http sends a GET again whose connection broke off
				t.Errorf("%d of 20 requests tried the canary", got)
			}
			expectStatus(t, "nothing was sent yet", g.Do(t, gateway.Request{Method: "POST", Header: drop, Body: "x"}), 200, "stable")
			gateway.Eventually(t, "the canary is tried again", func() bool {
				return g.Get(t, "/", "X-Version: v2").Backend() == "canary"
			})
			for range 5 {
				expectStatus(t, "afterwards", g.Get(t, "/", "X-Version: v2"), 200, "canary")
			}
			for _, line := range []string{"an upstream failed and gets no requests", "an upstream answers and gets requests again"} {
				if got := strings.Count(g.Log(), line); got == 0 || got > 3 {
					t.Errorf("%q is logged %d times", line, got)
				}
			}
		},
	},
	{
		name: "checks once for every address", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			var checks, well atomic.Int64
			well.Store(1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Backend", "checked")
				if r.URL.Path != "/healthz" {
					return
				}
				checks.Add(1)
				if well.Load() == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			t.Cleanup(server.Close)
			config := func(interval string) gateway.Site {
				return proxying(fmt.Sprintf(`
upstreams: [{address: %q, metadata: {zone: a}}, {address: %q, weight: 2, metadata: {zone: b}}]
variants: [{name: stable}, {name: canary, where: {zone: a}}]
proxy: {healthCheck: {path: /healthz, interval: %s}}`, server.URL, server.URL+"/b", interval))
			}
			// Two routers, two variants and two addresses.
			g.Reload(t, config("1h"))
			gateway.Eventually(t, "both addresses are checked", func() bool { return checks.Load() == 2 })
			g.Get(t, "/second", "X-Version: v2")
			if got := checks.Load(); got != 2 {
				t.Errorf("%d checks of two addresses", got)
			}
			g.Reload(t, config("50ms"))
			served := func(status int) func() bool {
				return func() bool { return g.Get(t, "/", "X-Version: v2").Status == status }
			}
			expectStatus(t, "the canary", g.Get(t, "/", "X-Version: v2"), 200, "checked")
			well.Store(0)
			gateway.Eventually(t, "failed checks are logged", func() bool { return strings.Count(g.Log(), "an upstream failed its check") == 2 })
			// The base has no other either, and tries what there is.
			expectStatus(t, "all unwell", g.Get(t, "/", "X-Version: v2"), 200, "checked")
			well.Store(1)
			gateway.Eventually(t, "passed checks are logged", func() bool { return strings.Count(g.Log(), "an upstream passed its check") == 2 })
			gateway.Eventually(t, "the canary serves", served(200))
			g.Reload(t, site(checkout()))
			last, quiet := checks.Load(), 0
			gateway.Eventually(t, "nobody checks for ten intervals", func() bool {
				quiet++
				if now := checks.Load(); now != last {
					last, quiet = now, 0
				}
				return quiet == 25
			})
		},
	},
	{
		name: "weights and metadata of SRV records", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			dns := startNames(t)
			const service = "_http._tcp.canary.test."
			dns.set(service, record{1, g.Backend("one").Addr(), 10}, record{1, g.Backend("two").Addr(), 20}, record{2, g.Backend("late").Addr(), 99})
			dns.set("_http._tcp.stable.test.", record{5, g.Backend("stable").Addr(), 5})
			g.Reload(t, proxying(fmt.Sprintf(`
upstreams: ["srv+http://_http._tcp.canary.test weight=2 zone=a", "http://%s weight=3 zone=a", "srv+http://_http._tcp.stable.test zone=b"]
variants: [{name: stable}, {name: canary, where: {zone: a}}]
subsets: [{key: zone, value: 'header("X-Zone")', otherwise: any}]
proxy: {resolver: %q}`, g.Backend("three").Addr(), dns.addr)))
			// 2 times 1, 2 times 2, and 3.
			expectTally(t, tally(t, g, 18, "X-Version: v2"), "[one:4 three:6 two:8]")
			expectTally(t, tally(t, g, 18, "X-Zone: a"), "[one:4 three:6 two:8]")
			expectTally(t, tally(t, g, 10, "X-Zone: b"), "[stable:10]")
			if strings.Contains(g.Log(), "keeping the upstreams") {
				t.Error("the log tells of what did not happen")
			}
			// What was found survives a reload in which the name server is silent.
			dns.set(service)
			g.Reload(t, proxying(fmt.Sprintf(`
upstreams: ["srv+http://_http._tcp.canary.test weight=2 zone=a", "http://%s zone=b"]
variants: [{name: stable, where: {zone: b}}, {name: canary}]
proxy: {resolver: %q}`, g.Backend("stable").Addr(), dns.addr)))
			expectTally(t, tally(t, g, 14, "X-Version: v2"), "[one:4 stable:2 two:8]")
		},
	},
	{
		name: "records that are missing are logged once", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			dns := startNames(t)
			g.Reload(t, proxying(fmt.Sprintf(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: ["srv+http://_http._tcp.canary.test"]}
proxy: {resolver: %q}`, dns.addr)))
			asked := dns.asked.Load()
			gateway.Eventually(t, "the name server is asked again", func() bool { return dns.asked.Load() > asked+2 })
			if got := strings.Count(g.Log(), "keeping the upstreams that were found before"); got != 1 {
				t.Errorf("logged %d times", got)
			}
			expectStatus(t, "without an upstream", g.Get(t, "/", "X-Version: v2"), 200, "stable")
		},
	},
}
