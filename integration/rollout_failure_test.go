package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/traffic"
)

// tangible is a share of failures that is told from bursts within seconds, though few requests a second are made, as on a busy
// machine: half of the requests failing after half a minute without failures takes two minutes.
const tangible = 0.8

var failureJourneys = []journey{
	{
		name:    "errors at 10% take the canary back, from the next request on",
		rollout: planned("spike", step("10%", long), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(10))
			p.await(t, "the canary is good", func(s gateway.Status) bool { return s.Verdict() == "pass" && s.Requests("canary") >= 20 })
			p.backend("canary").Fail(tangible)
			expectRolledBack(t, p, l)
			if e := p.last(t, "rolled_back"); !strings.Contains(e.Reason, "error_rate") || len(e.Figures) == 0 {
				t.Errorf("the reason is %q, the figures %v", e.Reason, e.Figures)
			}
			p.backend("canary").Fail(0)
			p.command(t, http.StatusConflict, "promote", "")
			p.command(t, http.StatusConflict, "resume", "")
			p.expectNoCanary(t, l)
		},
	},
	{
		name: "on_fail pause waits for somebody",
		rollout: func() gateway.Rollout {
			r := planned("careful", step("50%", long), step("100%", ""))
			r.Plan.OnFail = "pause"
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Fail(tangible)
			p.traffic(t, p.users(50))
			s := p.awaitState(t, "paused", 1)
			if s.Cause != "check" || s.Weight("canary") != "50%" {
				t.Errorf("paused by %q at %s", s.Cause, s.Weight("canary"))
			}
			p.expectStory(t, "started 1, paused 1 check")
			p.command(t, http.StatusOK, "abort", "")
			p.expectStory(t, "started 1, paused 1 check, rolled_back 1 operator")
		},
	},
	{
		name: "a canary over the limit of latency",
		rollout: func() gateway.Rollout {
			r := planned("slow", step("50%", long), step("100%", ""))
			// Of the median a few requests a second, as busy machines have them, say nothing for minutes.
			r.Plan.Checks = []string{`latency_ms("canary", 0.8) <= 2000`}
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			p.await(t, "the canary is good", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			p.backend("canary").Delay(3 * time.Second)
			expectRolledBack(t, p, l)
			expectAllAnswered(t, l)
		},
	},
	{
		name: "a canary that is slower than the baseline",
		late: true,
		rollout: func() gateway.Rollout {
			r := planned("slower", step("50%", long), step("100%", ""))
			r.Plan.Checks = nil // !worse("canary")
			r.Plan.Window = "10s"
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			p.backend("stable").Delay(time.Second) // long enough for what a busy machine adds not to matter
			p.backend("canary").Delay(1600 * time.Millisecond)
			l := p.traffic(t, p.users(50))
			expectRolledBack(t, p, l)
			expectAllAnswered(t, l)
		},
	},
	{
		name:    "a slow death",
		rollout: planned("slowdeath", step("50%", long), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			p.await(t, "the canary is good", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			// Each wave is worse than the one before, and comes when that has been looked at.
			for _, share := range []float64{0.02, 0.05, 0.3, 1} {
				p.backend("canary").Fail(share)
				seen := p.status(t).Requests("canary")
				s := p.await(t, "forty requests more", func(s gateway.Status) bool {
					return s.State == "rolled_back" || s.Requests("canary") >= seen+40
				})
				if s.State == "rolled_back" && share < 0.1 {
					t.Errorf("rolled back while %v of the requests failed: %s", share, s.Reason)
				}
			}
			expectRolledBack(t, p, l)
		},
	},
	{
		name:    "a dead canary",
		rollout: planned("dead", step("50%", long), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			p.await(t, "the canary is good", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			p.backend("canary").Stop(t)
			expectRolledBack(t, p, l)
			l.Stop()
			if p.g.Traits.Fallback {
				expectAllAnswered(t, l) // the baseline answered for it, and the failures count as the canary's
				return
			}
			// Traefik's service answers 502 behind the plugin, until the rollback: a failover service can serve for it.
			if n := l.Count(func(r traffic.Response) bool { return r.Status == http.StatusBadGateway }); n == 0 {
				t.Error("nobody saw that the canary is dead, though nobody answers for it")
			}
			if n := l.Count(func(r traffic.Response) bool { return r.Status != http.StatusOK && r.Variant != "canary" }); n > 0 {
				t.Errorf("%d requests failed that were not for the canary", n)
			}
		},
	},
	{
		name: "flapping is forgiven as long as passes come between, and not for ever",
		rollout: func() gateway.Rollout {
			r := planned("flapping", step("50%", long), step("100%", ""))
			r.Plan.MinRequests = 10
			// A difference is a number, of the last seconds, and no test of what failed since the step began. What failed
			// is seen until its slot of ten seconds has gone by, which is far less than the fails that are forgiven.
			r.Plan.Failures = 25
			r.Plan.Checks = []string{`error_rate("canary") - error_rate("stable") <= 0.3`}
			return r
		}(),
		run: func(t *testing.T, p *pilot) {
			canary := p.backend("canary")
			l := p.traffic(t, p.users(50))
			for range 3 {
				canary.Fail(0)
				p.await(t, "a pass", func(s gateway.Status) bool { return s.Verdict() == "pass" && s.Evaluation.Failures == 0 })
				canary.Fail(1)
				p.await(t, "a fail", func(s gateway.Status) bool { return s.Verdict() == "fail" })
			}
			p.expectStory(t, "started 1")
			expectRolledBack(t, p, l)
		},
	},
}

// expectRolledBack waits until the checks take the canary back, and holds that no request which begins after that can be
// seen goes to it.
func expectRolledBack(t *testing.T, p *pilot, l *traffic.Flow) {
	t.Helper()
	s := p.awaitState(t, "rolled_back", 0)
	shown := time.Now()
	p.expectNoCanary(t, l)
	if s.Cause != "check" || s.Base != "stable" || s.Weight("canary") != "0%" {
		t.Errorf("rolled back by %q, the base is %s and the canary has %s", s.Cause, s.Base, s.Weight("canary"))
	}
	e := p.last(t, "rolled_back")
	if len(e.Figures) == 0 {
		t.Error("the rollback has no figures")
	}
	p.expectLogged(t, e)
	late := l.Count(func(r traffic.Response) bool { return byCanary(r) && r.Began.After(e.Time) && r.Began.Before(shown) })
	t.Logf("%s; %d requests of the canary began in the %v from the verdict until the API showed it", e.Reason, late, shown.Sub(e.Time))
}
