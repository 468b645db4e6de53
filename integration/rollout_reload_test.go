package integration

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// planReloadScenarios load another configuration while a plan goes its way.
var planReloadScenarios = []scenario{
	{
		name: "a reload in the middle of a step",
		site: gateway.Site{Control: true, Rollouts: []gateway.Rollout{planned("checkout", step("50%", "8s"), step("100%", ""))}},
		run: func(t *testing.T, g *gateway.Gateway) {
			p := pilotOf(t, g, "checkout")
			l := p.traffic(t, p.users(50))
			before := p.await(t, "something was counted", func(s gateway.Status) bool { return s.Verdict() == "pass" && s.Requests("canary") >= 20 })
			edited := g.Site
			edited.Rollouts = []gateway.Rollout{change(g.Site.Rollouts[0], func(r *gateway.Rollout) { r.Rules = []gateway.Rule{qa} })}
			g.Reload(t, edited)
			if got := p.get(t, "", "X-Version: v2"); got != "canary" {
				t.Errorf("the rule leads to %s", got)
			}
			after := p.status(t)
			if before.Step == after.Step && (after.Requests("canary") < before.Requests("canary") || after.Age < before.Age) {
				t.Errorf("the step went from %d requests in %v to %d in %v", before.Requests("canary"), before.Age, after.Requests("canary"), after.Age)
			}
			p.awaitState(t, "promoted", 0)
			p.expectStory(t, "started 1, promoted 2")
			p.expectOnly(t, l, "canary")
			l.Stop()
			expectAllAnswered(t, l)
			expectNoFlips(t, l)
		},
	},
	{
		name: "an edited plan goes on where it is, and a new revision starts anew",
		site: gateway.Site{Control: true, Rollouts: []gateway.Rollout{kept("checkout", "")}},
		run: func(t *testing.T, g *gateway.Gateway) {
			p := pilotOf(t, g, "checkout")
			clients := newCouple(t, p)
			reload := func(how func(*gateway.Rollout)) {
				t.Helper()
				edited := g.Site
				edited.Rollouts = []gateway.Rollout{change(kept("checkout", ""), how)}
				g.Reload(t, edited)
			}
			// There is no step of 50% any more: the next larger one.
			reload(func(r *gateway.Rollout) {
				r.Plan.Steps = []gateway.Step{step("25%", long), step("75%", long), step("100%", "")}
			})
			p.awaitState(t, "progressing", 2)
			clients.expect(t, "canary", "stable")
			reload(func(r *gateway.Rollout) { r.Revision = "v3" })
			s := p.await(t, "the new revision", func(s gateway.Status) bool { return s.Revision == "v3" })
			if s.State != "progressing" || s.Step != 1 || s.Weight("canary") != "50%" || s.Requests("canary") != 0 {
				t.Errorf("the new revision: %+v", s)
			}
			clients.expect(t, "stable", "canary")
			p.expectStory(t, "started 1, step_advanced 2, started 1")
			// What was released before is another revision again.
			reload(func(*gateway.Rollout) {})
			p.await(t, "the old revision", func(s gateway.Status) bool { return s.Revision == "v2" && s.Step == 1 })
			clients.expect(t, "stable", "canary")
		},
	},
	{
		name: "assignments over a promotion, at once and drained",
		site: gateway.Site{Control: true, Rollouts: []gateway.Rollout{kept("soon", ""), kept("drained", "8s"), kept("never", "1h")}},
		run: func(t *testing.T, g *gateway.Gateway) {
			clients := make(map[string]couple)
			for _, r := range g.Site.Rollouts {
				p := pilotOf(t, g, r.Name)
				clients[r.Name] = newCouple(t, p)
				p.command(t, http.StatusOK, "promote", "")
			}
			promoted := clients["drained"].pilot.last(t, "promoted").Time
			clients["soon"].expect(t, "canary", "canary")
			clients["never"].expect(t, "canary", "stable")
			drained := clients["drained"].pilot
			gateway.Eventually(t, "the drain is over", func() bool {
				return drained.get(t, "", clients["drained"].stable) == "canary"
			})
			if lasted := time.Since(promoted); lasted < 8*time.Second {
				t.Errorf("it was over after %v", lasted)
			}
			clients["never"].expect(t, "canary", "stable")
			g.Reload(t, g.Site)
			clients["soon"].expect(t, "canary", "canary")
			clients["never"].expect(t, "canary", "stable")
			clients["never"].pilot.command(t, http.StatusOK, "abort", "")
			clients["never"].expect(t, "stable", "stable")
			clients["never"].pilot.command(t, http.StatusOK, "restart", "")
			clients["never"].expect(t, "stable", "canary")
		},
	},
	{
		name: "after a reload that failed the API speaks for what runs", only: "caddy", because: "Traefik drops the routers of what it cannot make, and starts nothing that could fail later",
		site: gateway.Site{Rollouts: []gateway.Rollout{planned("checkout", step("50%", "6s"), manual("75%"), step("100%", ""))}},
		run: func(t *testing.T, g *gateway.Gateway) {
			p := pilotOf(t, g, "checkout")
			l := p.traffic(t, p.users(50))
			// Another revision, and then a site at an address that somebody else has: that fails when servers start. A backend
			// would not do: Caddy's listeners share ports with whoever shares his, as backends do.
			busy, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer busy.Close()
			err = g.Load(gateway.Site{Verbatim: `{{site}} {
				rollout checkout {
					variant stable {{upstream "checkout-stable"}}
					variant canary {{upstream "checkout-canary"}}
					revision v3
					key ` + "`header(\"X-User\")`" + `
					plan step 1% 1h step 100%
				}
			}
			http://` + busy.Addr().String() + ` {
			}`})
			if err == nil {
				t.Fatal("two servers have one address")
			}
			if s := p.status(t); s.Revision != "v2" || s.State != "progressing" {
				t.Errorf("after the failure: %+v", s)
			}
			p.awaitState(t, "progressing", 2) // it goes on
			p.expectStory(t, "started 1, step_advanced 2")
			p.command(t, http.StatusOK, "promote", "")
			p.expectOnly(t, l, "canary")
			l.Stop()
			expectAllAnswered(t, l)
		},
	},
}
