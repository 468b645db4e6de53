package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const ownProxy = "only there the plugin proxies itself"

// proxying is a rollout in the plugin's own words, without its name, on two routers with one middleware.
func proxying(rollout string) gateway.Site {
	return gateway.Site{Verbatim: `http:
  routers:
    {{routers}}
    checkout: {rule: PathPrefix("/"), entryPoints: {{entryPoints}}, middlewares: [checkout], service: nowhere}
    second: {rule: PathPrefix("/second"), entryPoints: {{entryPoints}}, middlewares: [checkout], service: nowhere}
  middlewares:
    {{middlewares}}
    checkout:
      plugin:
        grayling:
          name: checkout
          rules: [{name: qa, use: canary, when: 'header("X-Version") == "v2"'}]
          ` + strings.ReplaceAll(strings.TrimSpace(rollout), "\n", "\n          ") + `
  services:
    nowhere: {loadBalancer: {servers: []}}
`}
}

// proxyScenarios are about upstreams.
var proxyScenarios = []scenario{
	{
		name: "two routers take a variant's upstreams in one turn", only: "traefik proxy mode", because: ownProxy,
		site: proxying(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: [{{upstream "one"}}, {{upstream "two"}}]}`),
		run: func(t *testing.T, g *gateway.Gateway) {
			last := ""
			for i := range 20 {
				// Were there two pools, both routers would begin with the same upstream.
				a := g.Get(t, []string{"/", "/second"}[i%2], "X-Version: v2")
				if a.Status != 200 || a.Backend() == last {
					t.Fatalf("request %d: %d from %q after %q", i, a.Status, a.Backend(), last)
				}
				last = a.Backend()
			}
		},
	},
	{
		name: "TLS to upstreams", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			authority := gateway.NewAuthority(t, t.TempDir())
			client := authority.Issue(t, "gateway.example")
			open := secureUpstream(t, authority.Issue(t, "127.0.0.1"), nil)
			named := secureUpstream(t, authority.Issue(t, "shop.internal"), nil)
			closed := secureUpstream(t, authority.Issue(t, "127.0.0.1"), authority.Pool)
			ca := "ca: " + "file:" + authority.File
			for _, c := range []struct {
				name, upstream, tls string
				status              int
				peer                string
			}{
				{"unknown authority", open, "serverName: 127.0.0.1", 502, ""},
				{"known authority", open, ca, 200, ""},
				{"another authority", open, "ca: file:" + gateway.NewAuthority(t, t.TempDir()).File, 502, ""},
				{"another name", named, ca, 502, ""},
				{"a name that is told", named, ca + ", serverName: shop.internal", 200, ""},
				{"a wrong name that is told", open, ca + ", serverName: shop.internal", 502, ""},
				{"no verification", named, "unsafeSkipVerify: true", 200, ""},
				{"a client without certificate", closed, ca, 502, ""},
				{"a client with certificate", closed, ca + ", certificate: file:" + client.File + ", key: file:" + client.KeyFile, 200, "gateway.example"},
			} {
				g.Reload(t, proxying(fmt.Sprintf(`
variants:
  - {name: stable, upstreams: [%q]}
  - {name: canary, upstreams: [%q], proxy: {tls: {unsafeSkipVerify: false}}}
proxy: {tls: {%s}}`, c.upstream, c.upstream, c.tls)))
				for _, version := range []string{"v1", "v2"} {
					// A POST does not fall back.
					a := g.Do(t, gateway.Request{Method: "POST", Header: []string{"X-Version: " + version}, Body: "x"})
					want := c.status
					if version == "v2" && c.name == "no verification" {
						want = 502 // its own settings take precedence
					}
					if a.Status != want || a.Status == 200 && a.Header.Get("X-Peer") != c.peer {
						t.Errorf("%s: %s: status %d, peer %q, want %d and %q", c.name, version, a.Status, a.Header.Get("X-Peer"), want, c.peer)
					}
				}
			}
		},
	},
	{
		name: "HTTP versions to upstreams", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			authority := gateway.NewAuthority(t, t.TempDir())
			upstream := secureUpstream(t, authority.Issue(t, "127.0.0.1"), nil)
			g.Reload(t, proxying(fmt.Sprintf(`
variants:
  - {name: stable, upstreams: [%q]}
  - {name: canary, upstreams: [%q], proxy: {http2: false}}
proxy: {tls: {ca: "file:%s"}}`, upstream, upstream, authority.File)))
			for version, want := range map[string]string{"v1": "HTTP/2.0", "v2": "HTTP/1.1"} {
				for _, method := range []string{"GET", "POST"} {
					a := g.Do(t, gateway.Request{Method: method, Header: []string{"X-Version: " + version}, Body: "x"})
					if a.Status != 200 || a.Header.Get("X-Proto") != want {
						t.Errorf("%s %s: %d over %s, want %s", method, version, a.Status, a.Header.Get("X-Proto"), want)
					}
				}
			}
		},
	},
	{
		name: "an upstream that does not answer in time", only: "traefik proxy mode", because: ownProxy,
		site: proxying(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: [{{upstream "canary"}}]}
proxy: {responseTimeout: 4s}
announce: {response: X-Variant}`),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary, stable := g.Backend("canary"), g.Backend("stable")
			a := g.Do(t, gateway.Request{Method: "POST", Target: "/hang", Header: []string{"X-Version: v2"}})
			expectStatus(t, "POST", a, 504, "")
			receive(t, canary.Abandoned, "the canary's notice that nobody waits")
			// A GET falls back, and here the base is no faster.
			a = g.Get(t, "/hang", "X-Version: v2")
			expectStatus(t, "GET", a, 504, "")
			receive(t, canary.Abandoned, "the canary's notice that nobody waits")
			receive(t, stable.Abandoned, "the base's notice that nobody waits")
			// What has begun in time may take its time.
			resp := send(t, g.Client(), request(t, "GET", g.URL("/events"), nil))
			expectBackend(t, resp, "canary")
			expectStatus(t, "the next", g.Get(t, "/", "X-Version: v2"), 200, "canary")
		},
	},
	{
		name: "upstreams by SRV records", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			one, two, late := g.Backend("one"), g.Backend("two"), g.Backend("late")
			dns := startNames(t)
			const service = "_http._tcp.canary.test."
			dns.set(service, record{1, one.Addr(), 1}, record{1, two.Addr(), 1}, record{2, late.Addr(), 1})
			g.Reload(t, proxying(fmt.Sprintf(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: ["srv+http://_http._tcp.canary.test"]}
proxy: {resolver: %q}`, dns.addr)))
			// The first priority serves, in turn.
			seen := make(map[string]int)
			for range 10 {
				seen[g.Get(t, "/", "X-Version: v2").Backend()]++
			}
			if seen["one"] != 5 || seen["two"] != 5 {
				t.Errorf("seen %v", seen)
			}
			expectStatus(t, "the base", g.Get(t, "/"), 200, "stable")

			dns.set(service, record{1, late.Addr(), 1})
			gateway.Eventually(t, "the new records count", func() bool { return g.Get(t, "/", "X-Version: v2").Backend() == "late" })
			for range 5 {
				expectStatus(t, "after the change", g.Get(t, "/", "X-Version: v2"), 200, "late")
			}

			dns.set(service)
			gateway.Eventually(t, "the missing records are logged", func() bool {
				return strings.Contains(g.Log(), "keeping the upstreams that were found before")
			})
			expectStatus(t, "without records", g.Get(t, "/", "X-Version: v2"), 200, "late")
		},
	},
	{
		name: "no records at the start", only: "traefik proxy mode", because: ownProxy,
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			dns := startNames(t)
			g.Reload(t, proxying(fmt.Sprintf(`
variants:
  - {name: stable, upstreams: [{{upstream "stable"}}]}
  - {name: canary, upstreams: ["srv+http://_http._tcp.canary.test"]}
proxy: {resolver: %q}`, dns.addr)))
			expectStatus(t, "GET", g.Get(t, "/", "X-Version: v2"), 200, "stable")
			// Nothing was sent, so the method does not matter.
			expectStatus(t, "POST", g.Do(t, gateway.Request{Method: "POST", Header: []string{"X-Version: v2"}, Body: "x"}), 200, "stable")
			dns.set("_http._tcp.canary.test.", record{1, g.Backend("canary").Addr(), 1})
			gateway.Eventually(t, "the records count", func() bool { return g.Get(t, "/", "X-Version: v2").Backend() == "canary" })
		},
	},
}

// answerProto tells over which protocol a request came, and from whom.
func answerProto(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Proto", r.Proto)
	if len(r.TLS.PeerCertificates) > 0 {
		w.Header().Set("X-Peer", r.TLS.PeerCertificates[0].Subject.CommonName)
	}
}
