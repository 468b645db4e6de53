package integration

import (
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var metricsScenarios = []scenario{
	{
		name: "metrics show that the canary is down, and that the baseline serves", only: "caddy", because: "the endpoint /metrics is Caddy's",
		site: gateway.Site{Verbatim: measured("50%")},
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Get(t, "/", "X-User: "+high)
			g.Backend("canary").Stop(t)
			for range 4 {
				if a := g.Get(t, "/", lowUser); a.Status != 200 || a.Backend() != "stable" {
					t.Errorf("%d from %q, want 200 from stable", a.Status, a.Backend())
				}
			}
			if a := g.Do(t, gateway.Request{Method: "POST", Header: []string{lowUser}, Body: "body"}); a.Status != 502 {
				t.Errorf("POST: status %d, want 502", a.Status)
			}
			// The gateway counts when it has answered, which the client may see a moment before.
			const last = `caddy_rollout_requests_total{outcome="failure",rollout="checkout",variant="canary"} 5`
			gateway.Eventually(t, "the last failure is counted", func() bool { return strings.Contains(g.Metrics(t), last) })
			counted := []string{
				last,
				`caddy_rollout_requests_total{outcome="success",rollout="checkout",variant="canary"} 0`,
				`caddy_rollout_requests_total{outcome="success",rollout="checkout",variant="stable"} 1`,
				`caddy_rollout_requests_total{outcome="failure",rollout="checkout",variant="stable"} 0`,
				`caddy_rollout_decisions_total{reason="split",rollout="checkout"} 6`,
				`caddy_rollout_decisions_total{reason="fallback",rollout="checkout"} 4`,
				`caddy_rollout_internal_errors_total{rollout="checkout"} 0`,
			}
			expectMetrics(t, g, append(counted, `caddy_rollout_weight_ratio{rollout="checkout",variant="canary"} 0.5`)...)
			g.Reload(t, gateway.Site{Verbatim: measured("25%")})
			expectMetrics(t, g, append(counted, `caddy_rollout_weight_ratio{rollout="checkout",variant="canary"} 0.25`)...)
		},
	},
}

// measured is a rollout on two sites, whose canary has a share.
func measured(share string) string {
	return `(shop) {
			{{probe "checkout"}}
			rollout checkout {
				upstreams {
					{{upstream "stable"}} version=v1
					{{upstream "canary"}} version=v2
					proxy {
						lb_retries 2
					}
				}
				variant stable where version=v1
				variant canary ` + share + ` where version=v2
				key ` + "`header(\"X-User\")`" + `
			}
		}
		{{site}} {
			import shop
		}
		{{other}} {
			import shop
		}`
}

// expectMetrics holds what the gateway shows to have each of these lines once.
func expectMetrics(t *testing.T, g *gateway.Gateway, lines ...string) {
	t.Helper()
	text := "\n" + g.Metrics(t)
	for _, line := range lines {
		if n := strings.Count(text, "\n"+line+"\n"); n != 1 {
			t.Errorf("%d times, want once: %s", n, line)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "caddy_rollout_") {
				t.Log(line)
			}
		}
	}
}
