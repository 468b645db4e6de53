package integration

import (
	"net/http"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/traffic"
)

var advanceJourneys = []journey{
	{
		name:    "to 100%",
		rollout: planned("whole", step("10%", "2s"), step("50%", "2s"), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(10))
			s := p.awaitState(t, "promoted", 0)
			if s.Base != "canary" || s.Weight("canary") != "100%" {
				t.Errorf("promoted, the base is %s and the canary has %s", s.Base, s.Weight("canary"))
			}
			p.expectOnly(t, l, "canary")
			if got := p.get(t, ""); got != "canary" {
				t.Errorf("a client without a key is on %s", got)
			}
			l.Stop()
			expectAllAnswered(t, l)
			expectNoFlips(t, l)
			p.expectStory(t, "started 1, step_advanced 2, promoted 3")
			for _, kind := range []string{"started", "step_advanced", "promoted"} {
				p.expectLogged(t, p.last(t, kind))
			}
			// Within the first step only those were on the canary whose slots are under 10%: the first ten users.
			second := p.last(t, "step_advanced").Time
			if n := l.Count(func(r traffic.Response) bool { return r.Client >= 10 && byCanary(r) && r.Ended.Before(second) }); n > 0 {
				t.Errorf("%d requests went to the canary before it was their turn", n)
			}
		},
	},
	{
		name:    "a last step of 100% for a time is a bake",
		rollout: planned("bake", step("50%", "1s"), step("100%", "2s")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			p.awaitState(t, "promoted", 0)
			p.expectStory(t, "started 1, step_advanced 2, promoted 2")
			p.expectOnly(t, l, "canary")
			l.Stop()
			expectAllAnswered(t, l)
			expectNoFlips(t, l)
		},
	},
	{
		name: "without traffic a plan holds, and never fails",
		rollout: func() gateway.Rollout {
			r := planned("silence", step("10%", "1s"), step("100%", ""))
			r.Plan.Deadline = "2s"
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			p.await(t, "held, and stalled", func(s gateway.Status) bool { return s.Held && s.Stalled })
			began := time.Now()
			p.await(t, "five seconds more", func(s gateway.Status) bool {
				if s.State != "progressing" || s.Step != 1 || s.Evaluation != nil && s.Evaluation.Verdict != "hold" {
					t.Fatalf("without traffic: %+v, %+v", s, s.Evaluation)
				}
				return time.Since(began) > 5*time.Second
			})
			// Where the first look comes late, nothing was evaluated when it stalls, and it is held for that afterwards.
			if story := p.story(t); story != "started 1, held 1, stalled 1" && story != "started 1, stalled 1, held 1" {
				t.Errorf("what happened is %s", story)
			}
			p.traffic(t, p.users(10))
			p.awaitState(t, "promoted", 0)
		},
	},
	{
		name: "blue and green: a preview by rule, the switch, and back",
		rollout: func() gateway.Rollout {
			r := planned("green", manual("0%"), step("100%", ""))
			r.Rules = []gateway.Rule{{Name: "preview", Use: "canary", When: `header("X-Preview") == "1"`}}
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			p.awaitState(t, "progressing", 1)
			l := p.traffic(t, p.users(50))
			p.expectNoCanary(t, l)
			if got := p.get(t, "", "X-Preview: 1"); got != "canary" {
				t.Errorf("the preview is %s", got)
			}
			p.command(t, http.StatusOK, "promote", "")
			p.expectOnly(t, l, "canary")
			if s := p.status(t); s.State != "promoted" || s.Base != "canary" {
				t.Errorf("after the switch: %+v", s)
			}
			p.command(t, http.StatusOK, "abort", "")
			p.expectNoCanary(t, l)
			if got := p.get(t, "", "X-Preview: 1"); got != "stable" {
				t.Errorf("after the switch back the preview is %s", got)
			}
			l.Stop()
			expectAllAnswered(t, l)
			p.expectStory(t, "started 1, promoted 2 operator, rolled_back 2 operator")
		},
	},
	{
		name: "new clients are divided as the weights say",
		rollout: func() gateway.Rollout {
			r := planned("ratio", step("30%", long), step("100%", ""))
			r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}, TTL: "1h"}
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			p.awaitState(t, "progressing", 1)
			for _, user := range users(p.rollout.Name, 0, slots, 500) {
				a := p.g.Get(t, p.path(), "X-User: "+user)
				if cookies(a) == "" {
					t.Fatalf("%s gets no cookie", user)
				}
				if slot(p.rollout.Name, user)%5 == 0 { // some come again
					if again := p.get(t, user, "Cookie: "+cookies(a)); a.Backend() != p.rollout.Name+"-"+again {
						t.Errorf("%s went from %s to %s", user, a.Backend(), again)
					}
				}
			}
			passed := p.status(t)
			if passed.SampleRatio != "" {
				t.Errorf("nobody watches: %s", passed.SampleRatio)
			}
			p.await(t, "an evaluation that has seen them", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			p.expectStory(t, "started 1")
		},
	},
}
