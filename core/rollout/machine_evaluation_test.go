package rollout

import (
	"math"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// sees evaluates a failure after that many requests and that time since the evaluation before.
func (f *flight) sees(v Verdict, requests int64, after time.Duration) {
	f.now.Wall = f.now.Wall.Add(after)
	f.now.Mono += after
	f.requests += requests
	f.tick(Observations{Evaluation: f.evaluated(v)})
}

func TestFailuresInARow(t *testing.T) {
	for n := 1; n <= 4; n++ {
		release := usual()
		release.Plan.Failures = n
		f := fly(t, release)
		for i := 1; i < n; i++ {
			f.see(Fail)
		}
		f.expect("one failure short", Progressing, 1, "1%", KindStarted)
		f.see(Pass)
		for i := 1; i < n; i++ {
			f.see(Fail, Hold, Hold)
		}
		f.expect("a pass resets", Progressing, 1, "1%")
		f.see(Fail)
		f.expect("the last failure, and holds do not reset", RolledBack, 1, "0%", KindRolledBack)
		f.because("the last failure", ByCheck, "the checks fail")
		if epoch := f.m.Record().Epoch; epoch != 1 {
			t.Errorf("a rollback led to epoch %d, want 1", epoch)
		}
	}
}

func TestOneIncidentCountsOnce(t *testing.T) {
	cases := []struct {
		what     string
		requests int64
		after    time.Duration
		counts   bool
	}{
		{"the same requests again", 0, 10 * time.Second, false},
		{"one too few, a nanosecond too early", DefaultMinRequests - 1, DefaultWindow - 1, false},
		{"enough new requests", DefaultMinRequests, 1, true},
		{"a full window", 0, DefaultWindow, true},
		{"fewer requests than before, as of another process", -30, DefaultWindow - 1, false},
	}
	for _, c := range cases {
		for _, between := range []Verdict{"", Hold, Pass} {
			release := usual()
			release.Plan.Failures = 3
			f := fly(t, release)
			f.sees(Fail, 40, 0)
			want := 1
			if between != "" {
				f.sees(between, 0, 0)
			}
			if between == Pass { // which begins the count anew, and makes no other incident of this one
				want = 0
			}
			if c.counts {
				want++
			}
			f.sees(Fail, c.requests, c.after)
			if got := f.m.Record().Failures; got != want {
				t.Errorf("%s, %q between: %d failures in a row, want %d", c.what, string(between), got, want)
			}
		}
	}
}

func TestUncountedFailuresDoNotMoveTheMark(t *testing.T) {
	f := fly(t, usual())
	f.sees(Fail, 10, 0)
	for i := 1; i <= 5; i++ {
		f.sees(Fail, 1, 10*time.Second-1)
	}
	f.expect("five looks at one incident", Progressing, 1, "1%", KindStarted)
	f.sees(Fail, 1, 10*time.Second+5)
	f.expect("a full window after the counted one", RolledBack, 1, "0%", KindRolledBack)
}

func TestFailingStepDoesNotEnd(t *testing.T) {
	f := fly(t, usual())
	f.see(Pass)
	f.wait(10*time.Minute - 1)
	f.see(Fail)
	f.wait(1)
	f.sees(Fail, 0, 0)
	f.expect("a failure, counted or not, is no pass", Progressing, 1, "1%", KindStarted, KindHeld)
	f.see(Pass)
	f.expect("and a pass is", Progressing, 2, "10%", KindStepAdvanced)
}

func TestOnFailPause(t *testing.T) {
	release := usual()
	release.Plan.PauseOnFail = true
	f := fly(t, release)
	f.see(Fail, Fail)
	f.expect("it pauses", Paused, 1, "1%", KindStarted, KindPaused)
	f.because("it pauses", ByCheck, "the checks fail")
	f.see(Fail, Fail, Fail)
	f.expect("and stays paused", Paused, 1, "1%")
	f.wait(time.Hour)
	f.do(Command{Verb: Resume})
	f.see(Fail)
	f.expect("the count begins anew", Progressing, 1, "1%", KindResumed)
	f.see(Fail)
	f.expect("until there are as many again", Paused, 1, "1%", KindPaused)
	f.do(Command{Verb: Abort})
	f.expect("abort of what failed", RolledBack, 1, "0%", KindRolledBack)
}

func TestPausedIsEvaluated(t *testing.T) {
	f := fly(t, usual())
	f.do(Command{Verb: Pause})
	f.see(Fail, Fail)
	f.expect("paused with traffic, and failing", RolledBack, 1, "0%", KindStarted, KindPaused, KindRolledBack)
}

func TestPromotedIsFinalForChecks(t *testing.T) {
	f := fly(t, usual())
	f.do(Command{Verb: Promote, Full: true})
	f.see(Fail, Fail, Fail)
	f.expect("promoted", Promoted, 4, "100%", KindStarted, KindPromoted)
	if e := f.m.Evaluation(); e.Verdict != Fail {
		t.Errorf("the last evaluation, for people to see, is %+v", e)
	}
}

func TestOutcomesOfOtherPositions(t *testing.T) {
	f := fly(t, usual())
	first := f.evaluated(Fail)
	stale := func(what string) {
		t.Helper()
		f.events = nil
		before := f.m.Record()
		for i := 1; i <= 3; i++ {
			first.Requests += 1000
			first.Verdict = Fail
			f.tick(Observations{Evaluation: first})
			first.Verdict = Pass
			f.tick(Observations{Evaluation: first, Confirmation: &Confirmation{Position: first.Position, Confirmed: true}})
		}
		after := f.m.Record()
		f.expect(what, before.State, before.Step, f.m.Weights()[1].String())
		if after.Failures != before.Failures || f.m.Evaluation().Verdict != "" {
			t.Errorf("%s: a stale evaluation counted", what)
		}
	}
	f.do(Command{Verb: Promote})
	stale("the next step")
	f.do(Command{Verb: Jump, Step: 1})
	stale("the same step again")
	f.do(Command{Verb: Restart})
	stale("another epoch")
	release := usual()
	release.Revision = "v3"
	f.configure(release)
	stale("another revision")
	f.configure(usual())
	stale("the same revision again")
	f.do(Command{Verb: Abort})
	stale("rolled back")
}

func TestOneFailureIsForgottenWithItsStep(t *testing.T) {
	f := fly(t, usual())
	f.see(Fail)
	f.do(Command{Verb: Promote})
	f.requests = 0
	f.sees(Fail, 10, time.Second)
	f.expect("one in each of two steps", Progressing, 2, "10%", KindStarted, KindStepAdvanced)
	f.sees(Fail, DefaultMinRequests, time.Second)
	f.expect("two in one", RolledBack, 2, "0%", KindRolledBack)
}

func TestFiguresThatNoDocumentHolds(t *testing.T) {
	f := fly(t, usual())
	for i := 1; i <= 2; i++ {
		f.requests += 50
		e := f.evaluated(Fail)
		e.Figures = map[string]float64{"rate": 0.5, "nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}
		f.tick(Observations{Evaluation: e})
	}
	f.die()
	f.expect("after a death", RolledBack, 1, "0%", KindStarted, KindRolledBack)
	events := f.m.Record().Events
	if figures := events[len(events)-1].Figures; len(figures) != 1 || figures["rate"] != 0.5 {
		t.Errorf("figures %v, want the finite one", figures)
	}
}

func TestThreeVariants(t *testing.T) {
	release := usual()
	release.Variants = []string{"stable", "other", "canary"}
	release.Weights = []balance.Weight{0, 30 * percent, 0}
	release.Candidate = 2
	release.Plan.Steps = []Step{{Weight: 10 * percent, For: time.Minute}, {Weight: 70 * percent, Manual: true}}
	f := fly(t, release)
	shares := func(what, want string) {
		t.Helper()
		got := ""
		for _, weight := range f.m.Weights() {
			got += " " + weight.String()
		}
		if got != " "+want {
			t.Errorf("%s: shares are%s, want %s", what, got, want)
		}
	}
	shares("the first step", "60% 30% 10%")
	f.do(Command{Verb: Promote})
	shares("all that the other leaves", "0% 30% 70%")
	f.do(Command{Verb: Promote})
	f.expect("promoted", Promoted, 2, "70%", KindStarted, KindStepAdvanced, KindPromoted)
	shares("the promoted one is the base", "0% 30% 70%")
	f.do(Command{Verb: Abort})
	shares("rolled back", "70% 30% 0%")
	f.do(Command{Verb: Restart})
	f.do(Command{Verb: Pause})
	f.do(Command{Verb: SetWeight, Variant: "other", Weight: "90%"})
	shares("somebody sets the other's", "0% 90% 10%")
	f.refuse(Command{Verb: SetWeight, Variant: "canary", Weight: "10.000001%"}, ErrCommand, "100.000001% together")
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "0"})
	shares("and the candidate's too", "10% 90% 0%")
	f.do(Command{Verb: Resume})
	shares("until it goes on", "60% 30% 10%")
}
