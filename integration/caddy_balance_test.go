package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const policies = "selection policies, and reverse_proxy with its upstreams, are Caddy's"

// caddyBalanceScenarios are about Caddy's own words for balancing.
var caddyBalanceScenarios = []scenario{
	{
		name: "lb_policy rollout, without a rollout", only: "caddy", because: policies,
		site: gateway.Site{Verbatim: `{{site}} {
			reverse_proxy {{upstream "a"}} {{upstream "b"}} {{upstream "x"}} {
				lb_policy rollout {
					upstream {{upstream "a"}} weight=2 version=v1
					upstream {{upstream "b"}} version=v1 zone=eu
					upstream {{upstream "x"}} version=v2 zone=eu
					subset version ` + "`header(\"X-Version\")`" + `
					subset zone ` + "`header(\"X-Zone\")`" + ` none
					baseline version=v1
				}
				lb_retries 3
				fail_duration 1h
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 40), "[a:20 b:10 x:10]")
			expectTally(t, tally(t, g, 30, "X-Version: v1"), "[a:20 b:10]")
			expectTally(t, tally(t, g, 10, "X-Version: v2"), "[x:10]")
			expectTally(t, tally(t, g, 30, "X-Version: v3"), "[a:20 b:10]")
			expectTally(t, tally(t, g, 10, "X-Version: v1", "X-Zone: eu"), "[b:10]")
			expectTally(t, tally(t, g, 5, "X-Zone: asia"), "[503:5]")
			g.Backend("x").Stop(t)
			expectTally(t, tally(t, g, 30, "X-Version: v2"), "[a:20 b:10]", "[a:19 b:11]", "[a:21 b:9]")
			g.Backend("a").Stop(t)
			expectTally(t, tally(t, g, 30), "[b:30]")
		},
	},
	{
		name: "lb_policy rollout over SRV records", only: "caddy", because: policies,
		site: gateway.Site{Verbatim: "{{site}} {\n\trespond {{upstream \"a\"}}\n}"},
		run: func(t *testing.T, g *gateway.Gateway) {
			a, b, x := g.Backend("a").Addr(), g.Backend("b").Addr(), g.Backend("x").Addr()
			dns := startNames(t)
			dns.set("_http._tcp.shop.test.", record{addr: a}, record{addr: b}, record{addr: x})
			target := func(address string) string { return "node.test:" + address[strings.LastIndex(address, ":")+1:] }
			g.Reload(t, gateway.Site{Verbatim: fmt.Sprintf(`{{site}} {
				reverse_proxy {
					dynamic srv _http._tcp.shop.test {
						resolvers %[1]s
						refresh 20ms
					}
					transport http {
						resolvers %[1]s
					}
					lb_policy rollout {
						upstream %[2]s weight=2 version=v1
						upstream %[3]s version=v2
						subset version `+"`header(\"X-Version\")`"+`
					}
				}
			}`, dns.addr, target(a), target(x))})
			expectTally(t, tally(t, g, 40), "[a:20 b:10 x:10]") // b is not mentioned
			expectTally(t, tally(t, g, 10, "X-Version: v2"), "[x:10]")
			dns.set("_http._tcp.shop.test.", record{addr: a}, record{addr: b})
			gateway.Eventually(t, "x is gone", func() bool { return g.Get(t, "/", "X-Version: v2").Backend() != "x" })
			expectTally(t, tally(t, g, 30), "[a:20 b:10]")
		},
	},
	{
		name: "lb_policy rollout over A records", only: "caddy", because: policies,
		site: gateway.Site{Verbatim: "{{site}} {\n\trespond {{upstream \"a\"}}\n}"},
		run: func(t *testing.T, g *gateway.Gateway) {
			a, b := g.Backend("a").Addr(), g.Backend("b").Addr()
			dns := startNames(t)
			port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
			g.Reload(t, gateway.Site{Verbatim: fmt.Sprintf(`{{site}} {
				reverse_proxy {
					dynamic multi {
						a shop.test %[2]s {
							resolvers %[1]s
							versions ipv4
						}
						a shop.test %[3]s {
							resolvers %[1]s
							versions ipv4
						}
					}
					lb_policy rollout {
						upstream %[4]s weight=3 version=v1
						subset version `+"`header(\"X-Version\")`"+`
					}
				}
			}`, dns.addr, port(a), port(b), a)})
			expectTally(t, tally(t, g, 40), "[a:30 b:10]")
			expectTally(t, tally(t, g, 10, "X-Version: v1"), "[a:10]")
		},
	},
	{
		name: "the health of an address is checked once", only: "caddy", because: "health checks are the proxy's",
		site: gateway.Site{Verbatim: healthChecked("")},
		run: func(t *testing.T, g *gateway.Gateway) {
			for load := 1; load <= 4; load++ { // a second check would have arrived by the next load
				for _, name := range []string{"a", "b"} {
					gateway.Eventually(t, name+" was checked", func() bool { return g.Backend(name).Count("GET") >= load })
					if got := g.Backend(name).Count("GET"); got != load {
						t.Errorf("%d checks of %s in %d loads", got, name, load)
					}
				}
				g.Reload(t, gateway.Site{Verbatim: healthChecked(fmt.Sprintf("salt s%d", load))})
			}
		},
	},
	{
		name: "a canary derived from the baseline", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {{upstream "stable"}} {
					header_up X-Team checkout
					header_up X-Lane stable
					header_down -X-Internal
					header_down X-Served yes
					lb_retries 1
					@broken status 500
					handle_response @broken {
						respond "sorry" 502
					}
					@missing status 404
					handle_response @missing {
						header X-From stable
						respond "nothing here" 404
					}
					transport http {
						dial_timeout 2s
						max_conns_per_host 10
					}
				}
				variant canary {{upstream "canary"}} {
					like stable
					header_up X-Lane canary
					handle_response @missing {
						header X-From canary
						respond "nothing new here" 404
					}
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for variant, header := range map[string]string{"stable": "X-Version: v1", "canary": "X-Version: v2"} {
				a := g.Get(t, "/", header)
				expectFields(t, variant, a.Echo.Header, []string{"X-Team: checkout", "X-Lane: " + variant, "X-Rollout-Variant: " + variant})
				expectFields(t, variant, a.Header, []string{"X-Served: yes", "X-Backend: " + variant})
				if a := g.Get(t, "/status/500", header); a.Status != 502 || a.Body != "sorry" {
					t.Errorf("%s: status %d, %q", variant, a.Status, a.Body)
				}
				a = g.Get(t, "/status/404", header)
				expectFields(t, variant, a.Header, []string{"X-From: " + variant})
				if a.Status != 404 || !strings.HasPrefix(a.Body, "nothing") {
					t.Errorf("%s: status %d, %q", variant, a.Status, a.Body)
				}
			}
		},
	},
	{
		name: "an error page says that nobody has what a request asks for", only: "caddy", because: "error pages are the host's",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				upstreams {
					{{upstream "a"}} version=v1
				}
				variant stable
				subset version ` + "`header(\"X-Version\")`" + ` none
			}
			handle_errors 503 {
				respond "{http.error.status_code} {http.error.message}"
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 3, "X-Version: v1"), "[a:3]")
			a := g.Get(t, "/", "X-Version: <v2>")
			if a.Status != 503 || !strings.HasPrefix(a.Body, `503 rollout "checkout": no upstream`) || strings.Contains(a.Body, "v2") {
				t.Errorf("status %d, %q", a.Status, a.Body)
			}
			expectDecision(t, "none", g, "checkout", a, "stable split")
		},
	},
}

// healthChecked is one rollout on two sites, whose variants overlap.
func healthChecked(setting string) string {
	return `(shop) {
			rollout checkout {
				upstreams {
					{{upstream "a"}} version=v1
					{{upstream "b"}} version=v2
					proxy {
						health_uri /status/200
						health_interval 1h
					}
				}
				variant all
				variant old where version=v1
				variant new 10% where version=v2
				` + setting + `
			}
		}
		{{site}} {
			import shop
		}
		{{other}} {
			import shop
		}`
}
