package simulation

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// monday is a Monday at eight in the morning.
var monday = time.Date(2027, 1, 11, 8, 0, 0, 0, time.UTC)

func shop(plan core.Plan) core.Config {
	return core.Config{
		Name: "shop", Revision: "v2", Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}}, Key: []string{`cookie("uid")`}, Plan: plan,
	}
}

func rehearse(t *testing.T, config core.Config) *core.Engine {
	t.Helper()
	e, err := core.Rehearse(config, core.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func planOf(t *testing.T, plan core.Plan) *Plan {
	t.Helper()
	e := rehearse(t, shop(plan))
	return &Plan{Release: e.Release(), Checks: e.Checks(), Start: monday}
}

// timeline is a plan's in words.
func timeline(p *Plan) string {
	var list []string
	for _, s := range p.Timeline() {
		list = append(list, strings.TrimSpace(s.At.Format("Mon 15:04:05")+" "+string(s.State)+" "+s.Weight+" "+s.Waits))
	}
	return strings.Join(list, "\n")
}

func TestTimeline(t *testing.T) {
	for name, c := range map[string]struct {
		plan   core.Plan
		manual time.Duration
		want   string
	}{
		"timed": {
			core.Plan{Steps: []core.Step{{Weight: "1%", For: "10m"}, {Weight: "10%", For: "95s"}, {Weight: "100%"}}}, 0,
			"Mon 08:00:00 progressing 1% 10m0s\nMon 08:10:00 progressing 10% 1m35s\nMon 08:11:35 promoted 100%",
		},
		"a bake, and a step without a time": {
			core.Plan{Steps: []core.Step{{Weight: "1%"}, {Weight: "100%", For: "1h"}}}, 0,
			"Mon 08:00:00 progressing 1%\nMon 08:00:10 progressing 100% 1h0m0s\nMon 09:00:10 promoted 100%",
		},
		"hours": {
			core.Plan{Steps: []core.Step{{Weight: "10%", For: "7h30m"}, {Weight: "50%", For: "10m"}, {Weight: "100%"}}, Only: []string{"Mon-Fri 09:00-16:00"}}, 0,
			"Mon 08:00:00 progressing 0% for the hours of the plan\nMon 09:00:00 progressing 10% 7h30m0s\nTue 09:00:00 progressing 50% 10m0s\nTue 09:10:00 promoted 100%",
		},
		"people": {
			core.Plan{Steps: []core.Step{{Weight: "10%", Manual: true}, {Weight: "50%", For: "10m", Confirm: "http://gate.example/"}, {Weight: "100%"}}}, time.Hour,
			"Mon 08:00:00 progressing 10% until somebody promotes\nMon 09:00:00 progressing 50% 10m0s, and for a confirmation\nMon 10:10:00 promoted 100%",
		},
		"never": {
			core.Plan{Steps: []core.Step{{Weight: "10%", For: "10m"}, {Weight: "100%"}}, Only: []string{"Sun 03:00-03:01"}, Every: "1m"}, 0,
			"Mon 08:00:00 progressing 0% for the hours of the plan\nSun 03:00:00 progressing 10% 10m0s\nSun 03:00:00 promoted 100%",
		},
	} {
		p := planOf(t, c.plan)
		p.Manual = c.manual
		if got := timeline(p); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	ending := shop(core.Plan{Steps: []core.Step{{Weight: "10%", For: "10m"}, {Weight: "100%"}}})
	ending.Ends = "2027-01-11T08:05:00Z"
	e := rehearse(t, ending)
	if got := timeline(&Plan{Release: e.Release(), Checks: e.Checks(), Start: monday}); !strings.HasSuffix(got, "\nMon 08:05:00 rolled_back 0%") {
		t.Errorf("a rollout that ends:\n%s", got)
	}
}

func TestRun(t *testing.T) {
	p := planOf(t, core.Plan{Steps: []core.Step{{Weight: "10%", For: "10m"}, {Weight: "50%", For: "10m"}, {Weight: "100%"}}})
	healthy := Scenario{Traffic: Traffic{Rate: 50, Burst: 1}, Healthy: Behaviour{Errors: 0.005, Slower: 1}, Candidate: Behaviour{Errors: 0.005, Slower: 1}, Patience: 24 * time.Hour}
	s := p.Repeat(healthy, 20, 1, nil)
	if s.Runs != 20 || s.Promoted < 0.9 || s.ToPromotion.P50 < 20*time.Minute || s.ToPromotion.P50 > 30*time.Minute || s.Unfinished > 0 {
		t.Errorf("a healthy candidate: %+v", s)
	}
	if again := p.Repeat(healthy, 20, 1, nil); !reflect.DeepEqual(again, s) {
		t.Errorf("the same seeds lead to %+v and to %+v", s, again)
	}
	bad := healthy
	bad.Candidate.Errors = 0.2
	s = p.Repeat(bad, 20, 1, nil)
	if s.Stopped != 1 || s.ToStop.P95 > 20*time.Minute || s.Failures.P50 == 0 || s.Requests.P50 < s.Failures.P50 || len(s.Steps) != 3 || !strings.Contains(s.Reason, "worse") {
		t.Errorf("a bad candidate: %+v", s)
	}
	late := bad
	late.After = 12 * time.Minute
	if s = p.Repeat(late, 20, 1, nil); s.Stopped < 0.9 || s.ToStop.P5 < 12*time.Minute || s.Steps[1] < 0.9 {
		t.Errorf("a candidate that is bad after 12 minutes: %+v", s)
	}
	slow := healthy
	slow.Candidate.Slower = 3
	if s = p.Repeat(slow, 10, 1, nil); s.Stopped != 1 {
		t.Errorf("a slow candidate: %+v", s)
	}
	few := healthy
	few.Traffic.Rate = 0.001
	few.Patience = time.Hour
	if s = p.Repeat(few, 4, 1, nil); s.Unfinished != 1 {
		t.Errorf("next to no traffic: %+v", s)
	}
	stop := make(chan struct{})
	close(stop)
	if s = p.Repeat(healthy, 40, 1, stop); s.Runs != 0 {
		t.Errorf("stopped: %+v", s)
	}
}

func TestRunPausesAndAsks(t *testing.T) {
	p := planOf(t, core.Plan{Steps: []core.Step{{Weight: "50%", For: "10m"}, {Weight: "100%", For: "10m"}}, OnFail: "pause", Checks: []string{`error_rate("canary") <= 0.01`}})
	bad := Scenario{Traffic: Traffic{Rate: 50, Burst: 3}, Healthy: Behaviour{Slower: 1}, Candidate: Behaviour{Errors: 0.3, Slower: 1}, Patience: 24 * time.Hour}
	if o := p.Run(bad, 1); o.State != rollout.Paused || o.Step != 1 || o.Reason == "" {
		t.Errorf("%+v", o)
	}
	people := planOf(t, core.Plan{Steps: []core.Step{{Weight: "50%", Manual: true}, {Weight: "100%", Confirm: "http://gate.example/"}}})
	people.Manual = 30 * time.Minute
	good := Scenario{Traffic: Traffic{Rate: 50, Burst: 1}, Healthy: Behaviour{Slower: 1}, Candidate: Behaviour{Slower: 1}, Patience: 24 * time.Hour}
	if o := people.Run(good, 1); o.State != rollout.Promoted || o.Took < time.Hour || o.Took > 61*time.Minute || len(o.Reached) != 2 {
		t.Errorf("%+v", o)
	}
}

// TestObstacle: what a plan waits for in vain is found without a run, and a run says it, too.
func TestObstacle(t *testing.T) {
	healthy := Scenario{Traffic: Traffic{Rate: 50, Burst: 1}, Healthy: Behaviour{Errors: 0.005, Slower: 1}, Candidate: Behaviour{Errors: 0.005, Slower: 1}, Patience: 24 * time.Hour}
	steps := []core.Step{{Weight: "1%", For: "10m"}, {Weight: "100%"}}
	for name, c := range map[string]struct {
		plan     core.Plan
		rate     float64
		manual   time.Duration
		patience time.Duration
		bad      bool
		want     string // empty: none
		final    bool
	}{
		"traffic":                   {plan: core.Plan{Steps: steps}, rate: 50},
		"much traffic":              {plan: core.Plan{Steps: steps}, rate: 1e6},
		"a limit that is not kept":  {plan: core.Plan{Steps: steps, Checks: []string{`latency_ms("canary", 0.5) < 50`}}, rate: 50},
		"many requests":             {plan: core.Plan{Steps: steps, Checks: []string{`requests("canary") > 40000`}}, rate: 50},
		"more than there are":       {core.Plan{Steps: steps, Checks: []string{`requests("canary") > 50000`}}, 50, 0, 0, false, "step 1 does not end even if all goes well: requests(\"canary\") > 50000: ", true},
		"next to no traffic":        {core.Plan{Steps: steps}, 0.01, 0, 0, false, "and 50 are wanted", true},
		"next to none, and patient": {plan: core.Plan{Steps: steps}, rate: 0.01, patience: 14 * 24 * time.Hour},
		"a dark step":               {core.Plan{Steps: []core.Step{{Weight: "0%", For: "10m"}, {Weight: "100%"}}}, 50, 0, 0, false, "0 requests of \"canary\"", true},
		"by hand":                   {plan: core.Plan{Steps: []core.Step{{Weight: "0%", Manual: true}, {Weight: "100%"}}}, rate: 50},
		"people who take long":      {core.Plan{Steps: []core.Step{{Weight: "1%", Manual: true}, {Weight: "100%"}}}, 50, 25 * time.Hour, 0, false, "the plan takes longer", true},
		"and it is bad":             {core.Plan{Steps: []core.Step{{Weight: "1%", Manual: true}, {Weight: "100%"}}}, 50, 25 * time.Hour, 0, true, "the plan takes longer", false},
		"bad, and nobody sees it":   {core.Plan{Steps: []core.Step{{Weight: "0%", For: "10m"}, {Weight: "100%"}}}, 50, 0, 0, true, "0 requests of \"canary\"", true},
	} {
		p := planOf(t, c.plan)
		p.Manual = c.manual
		s := healthy
		s.Traffic.Rate = c.rate
		if c.patience > 0 {
			s.Patience = c.patience
		}
		if c.bad {
			s.Candidate.Errors = 0.3
		}
		got, final := p.Obstacle(s, p.Timeline())
		if !strings.Contains(got, c.want) || c.want == "" && got != "" || final != c.final {
			t.Errorf("%s: %q, %v, want %q", name, got, final, c.want)
		}
	}
	p := planOf(t, core.Plan{Steps: steps})
	few := healthy
	few.Traffic.Rate = 0.01
	if s := p.Repeat(few, 2, 1, nil); s.Unfinished != 1 || !strings.HasPrefix(s.Waits, "in step 1: !worse(\"canary\"): ") {
		t.Errorf("next to no traffic: %+v", s)
	}
}

// TestMuchTraffic: what is drawn by the latency is as what is drawn one by one.
func TestMuchTraffic(t *testing.T) {
	p := planOf(t, core.Plan{Steps: []core.Step{{Weight: "50%", For: "10m"}, {Weight: "100%"}}})
	s := Scenario{Traffic: Traffic{Rate: 100_000, Burst: 1}, Healthy: Behaviour{Errors: 0.001, Slower: 1}, Candidate: Behaviour{Errors: 0.001, Slower: 1}, Patience: 24 * time.Hour}
	o := p.Run(s, 3)
	if want := 3e7; o.State != rollout.Promoted || float64(o.Requests) < 0.99*want || float64(o.Requests) > 1.01*want || float64(o.Failures) < 0.0009*want || float64(o.Failures) > 0.0011*want {
		t.Errorf("%+v", o)
	}
	s.Candidate.Slower = 1.3
	if o := p.Run(s, 3); o.State != rollout.RolledBack {
		t.Errorf("30%% slower: %+v", o)
	}
}
