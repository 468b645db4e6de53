package integration

import (
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const ownServices = "only there variants are Traefik's services"

// serviceScenarios are about child routers and services.
var serviceScenarios = []scenario{
	{
		name: "without the announcement the base's child router serves", only: "traefik service mode", because: ownServices,
		site: announcing(gateway.Announce{Request: "off", Response: "X-Variant"}),
		run: func(t *testing.T, g *gateway.Gateway) {
			a := g.Get(t, "/", "X-Version: v2")
			expectStatus(t, "the chosen canary", a, 200, "stable")
			expectFields(t, "upstream", a.Echo.Header, []string{"X-Rollout-Variant:"})
			expectFields(t, "client", a.Header, []string{"X-Variant: canary"})
		},
	},
	{
		name: "without a child router for it the canary's clients get the base", only: "traefik service mode", because: ownServices,
		site: gateway.Site{Verbatim: `http:
  routers:
    {{routers}}
    checkout: {rule: PathPrefix("/"), entryPoints: {{entryPoints}}, middlewares: [checkout]}
    base: {parentRefs: [checkout], rule: PathPrefix("/"), priority: 1, service: stable}
    other: {parentRefs: [checkout], rule: 'Header("X-Rollout-Variant", "canari")', priority: 2, service: canary}
  middlewares:
    {{middlewares}}
    checkout:
      plugin:
        grayling:
          ` + pair + `
  services:
    stable: {loadBalancer: {servers: [{url: {{upstream "stable"}}}]}}
    canary: {loadBalancer: {servers: [{url: {{upstream "canary"}}}]}}
`},
		run: func(t *testing.T, g *gateway.Gateway) {
			expectStatus(t, "the chosen canary", g.Get(t, "/", "X-Version: v2"), 200, "stable")
			// Nobody gets the route that nobody was decided for.
			expectStatus(t, "a forged variant", g.Get(t, "/", "X-Rollout-Variant: canari"), 200, "stable")
			expectStatus(t, "a forged alias", g.Get(t, "/", "X_Rollout_Variant: canari"), 200, "stable")
		},
	},
	{
		name: failover, only: "traefik service mode", because: ownServices,
		site: gateway.Site{Verbatim: `http:
  routers:
    {{routers}}
    checkout: {rule: PathPrefix("/"), entryPoints: {{entryPoints}}, middlewares: [checkout]}
    base: {parentRefs: [checkout], rule: PathPrefix("/"), priority: 1, service: stable}
    canary: {parentRefs: [checkout], rule: 'Header("X-Rollout-Variant", "canary")', priority: 2, service: canary-or-stable}
  middlewares:
    {{middlewares}}
    checkout:
      plugin:
        grayling:
          ` + pair + `
  services:
    stable: {loadBalancer: {servers: [{url: {{upstream "stable"}}}]}}
    canary:
      loadBalancer:
        servers: [{url: {{upstream "canary"}}}]
        healthCheck: {path: /, interval: 200ms, unhealthyInterval: 200ms, timeout: 5s}
    canary-or-stable:
      failover: {service: canary, fallback: stable}
`},
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := g.Backend("canary")
			expectStatus(t, "a healthy canary", g.Get(t, "/", "X-Version: v2"), 200, "canary")

			// Until the next health check its clients see errors: no request is sent again.
			expectStatus(t, "dropped", g.Get(t, "/", "X-Version: v2", "X-Drop: canary"), 502, "")
			canary.Stop(t)
			gateway.Eventually(t, "the health check has noticed", func() bool {
				a := g.Get(t, "/", "X-Version: v2")
				if a.Status != 502 && a.Status != 200 {
					t.Errorf("status %d", a.Status)
				}
				return a.Backend() == "stable"
			})
			for _, method := range []string{"GET", "POST", "DELETE"} {
				a := g.Do(t, gateway.Request{Method: method, Header: []string{"X-Version: v2"}, Body: "body"})
				expectStatus(t, method, a, 200, "stable")
				// The stable service is told whom the plugin chose: it cannot know of the failover.
				expectFields(t, method, a.Echo.Header, []string{"X-Rollout-Variant: canary"})
			}
			expectStatus(t, "the base", g.Get(t, "/"), 200, "stable")

			canary.Resume(t)
			gateway.Eventually(t, "the canary serves again", func() bool { return g.Get(t, "/", "X-Version: v2").Backend() == "canary" })
		},
	},
	{
		name: "a request's trailers end in Traefik, plugin or not", only: "traefik service mode", because: ownServices,
		site: gateway.Site{Verbatim: `http:
  routers:
    {{routers}}
    plain: {rule: PathPrefix("/"), entryPoints: {{entryPoints}}, service: stable}
    checkout: {rule: PathPrefix("/checkout"), entryPoints: {{entryPoints}}, middlewares: [checkout]}
    base: {parentRefs: [checkout], rule: PathPrefix("/"), priority: 1, service: stable}
  middlewares:
    {{middlewares}}
    checkout:
      plugin:
        grayling:
          ` + pair + `
  services:
    stable: {loadBalancer: {servers: [{url: {{upstream "stable"}}}]}}
`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, target := range []string{"/", "/checkout"} {
				a := g.Do(t, gateway.Request{
					Method: "POST", Target: target, Chunked: true, Header: []string{"Transfer-Encoding: chunked", "Trailer: X-Sum"},
					Body: "4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n",
				})
				expectStatus(t, target, a, 200, "stable")
				if _, announced := a.Echo.Trailer["X-Sum"]; !announced || a.Echo.Trailer.Get("X-Sum") != "" || a.Echo.Length != 4 {
					t.Errorf("%s: trailer %v after %d bytes", target, a.Echo.Trailer, a.Echo.Length)
				}
			}
		},
	},
}
