package rollout

import (
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

func TestSteps(t *testing.T) {
	f := fly(t, usual())
	f.expect("a new revision", Progressing, 1, "1%", KindStarted)
	f.see(Pass)
	f.wait(10*time.Minute - 1)
	f.expect("a nanosecond before the time of a step is over", Progressing, 1, "1%")
	f.wait(1)
	f.expect("at its end", Progressing, 2, "10%", KindStepAdvanced)
	f.because("at its end", "", "the checks pass")
	f.wait(30 * time.Minute)
	f.expect("without an evaluation of the step", Progressing, 2, "10%")
	f.requests = 0
	f.see(Pass)
	f.expect("with one", Progressing, 3, "50%", KindStepAdvanced)
	f.see(Pass)
	f.wait(1000 * time.Hour)
	f.see(Pass)
	f.expect("a manual step waits", Progressing, 3, "50%")
	f.do(Command{Verb: Promote})
	f.expect("for somebody to promote, and 100% without a time promotes on entry", Promoted, 4, "100%", KindPromoted)
	f.wait(time.Hour)
	f.expect("and then nothing happens any more", Promoted, 4, "100%")
	if epoch := f.m.Record().Epoch; epoch != 1 {
		t.Errorf("a promotion led to epoch %d, want 1", epoch)
	}
}

func TestOnlyAPassEndsAStep(t *testing.T) {
	for _, verdict := range []Verdict{Hold, Fail, "", "passed"} {
		f := fly(t, usual())
		f.expect("", Progressing, 1, "1%", KindStarted)
		f.see(Pass, verdict)
		f.wait(10 * time.Minute)
		f.expect("after "+string(verdict), Progressing, 1, "1%", KindHeld)
		f.wait(time.Hour)
		f.see(verdict)
		if verdict == Fail { // the second in a row
			f.expect("failing", RolledBack, 1, "0%", KindRolledBack)
			continue
		}
		f.expect("it is held once, after "+string(verdict), Progressing, 1, "1%")
		f.see(Pass)
		f.expect("a pass after the time", Progressing, 2, "10%", KindStepAdvanced)
	}
}

func TestStepWithoutTimeLastsUntilAnEvaluationPasses(t *testing.T) {
	f := fly(t, planned(Step{Weight: 5 * percent}, Step{Weight: 20 * percent}, Step{Weight: balance.Full}))
	f.wait(time.Hour)
	f.expect("no evaluation", Progressing, 1, "5%", KindStarted)
	f.see(Pass)
	f.expect("one that passes", Progressing, 2, "20%", KindStepAdvanced)
	f.tick(Observations{})
	f.expect("which says nothing about the next step", Progressing, 2, "20%")
	f.see(Pass)
	f.expect("the last but one", Promoted, 3, "100%", KindPromoted)
}

func TestPlanOfOneStep(t *testing.T) {
	f := fly(t, planned(Step{Weight: balance.Full}))
	f.expect("100%", Promoted, 1, "100%", KindStarted, KindPromoted)
	f.do(Command{Verb: Abort})
	f.expect("the switch back", RolledBack, 1, "0%", KindRolledBack)
	f.do(Command{Verb: Restart})
	f.expect("and over again", Promoted, 1, "100%", KindRestarted, KindPromoted)
	if epoch := f.m.Record().Epoch; epoch != 4 {
		t.Errorf("promoted, rolled back, restarted and promoted again: epoch %d, want 4", epoch)
	}
}

func TestBlueGreen(t *testing.T) {
	f := fly(t, planned(Step{Weight: 0, Manual: true}, Step{Weight: balance.Full}))
	f.expect("a preview by rule only", Progressing, 1, "0%", KindStarted)
	f.do(Command{Verb: Promote})
	f.expect("the switch", Promoted, 2, "100%", KindPromoted)
	f.do(Command{Verb: Abort})
	f.because("the switch back", ByOperator, "abort")
	f.expect("the switch back", RolledBack, 2, "0%", KindRolledBack)
}

func TestBake(t *testing.T) {
	f := fly(t, planned(Step{Weight: 50 * percent, For: time.Minute}, Step{Weight: balance.Full, For: time.Hour}))
	f.wait(time.Minute)
	f.see(Pass)
	f.expect("100% with a time is not promoted on entry", Progressing, 2, "100%", KindStarted, KindStepAdvanced)
	f.wait(time.Hour - 1)
	f.see(Pass)
	f.expect("nor before that is over", Progressing, 2, "100%")
	f.wait(1)
	f.expect("and then it is", Promoted, 2, "100%", KindPromoted)

	f = fly(t, planned(Step{Weight: 50 * percent, For: time.Minute}, Step{Weight: balance.Full, For: time.Hour}))
	f.do(Command{Verb: Promote})
	f.see(Fail, Fail)
	f.expect("failing in the bake", RolledBack, 2, "0%", KindStarted, KindStepAdvanced, KindRolledBack)
}

func TestLastStepManual(t *testing.T) {
	f := fly(t, planned(Step{Weight: 50 * percent, Manual: true}))
	f.see(Pass)
	f.expect("a plan may end before 100%", Progressing, 1, "50%", KindStarted)
	f.do(Command{Verb: Promote})
	f.expect("with a promotion to all of it", Promoted, 1, "100%", KindPromoted)
}

func TestConfirm(t *testing.T) {
	f := fly(t, planned(Step{Weight: 10 * percent, For: time.Minute, Confirm: "https://gate.example/"}, Step{Weight: balance.Full, Confirm: "https://gate.example/last"}))
	asks := func(what, url string) {
		t.Helper()
		if got := f.m.Awaits(); got != url {
			t.Errorf("%s: it awaits %q, want %q", what, got, url)
		}
	}
	answer := func(confirmed bool) *Confirmation {
		return &Confirmation{Position: f.m.Position(), Confirmed: confirmed, Reason: "answered 403"}
	}
	f.see(Pass)
	f.wait(time.Minute - 1)
	asks("before the time is over nobody is asked", "")
	f.wait(1)
	asks("at its end", "https://gate.example/")
	f.expect("nothing is held before there is an answer", Progressing, 1, "10%", KindStarted)
	f.tick(Observations{Confirmation: answer(false)})
	f.expect("no", Progressing, 1, "10%", KindHeld)
	f.because("no", "", "answered 403")
	f.see(Hold)
	asks("while evaluations hold", "")
	f.see(Pass)
	asks("and again", "https://gate.example/")
	yes := answer(true)
	f.tick(Observations{Confirmation: yes})
	f.expect("yes; 100% that is to be confirmed is not promoted on entry", Progressing, 2, "100%", KindStepAdvanced)
	f.see(Pass)
	asks("the last step", "https://gate.example/last")
	f.tick(Observations{Confirmation: yes})
	f.expect("an answer to another step", Progressing, 2, "100%")
	f.tick(Observations{Confirmation: answer(true), Evaluation: f.evaluated(Hold)})
	f.expect("a yes to what does not pass any more", Progressing, 2, "100%", KindHeld)
	f.see(Pass)
	f.expect("is kept", Promoted, 2, "100%", KindPromoted)
	asks("promoted", "")
}

func TestObstacle(t *testing.T) {
	f := fly(t, usual())
	f.wait(10 * time.Minute)
	f.tick(Observations{Evaluation: f.evaluated(Pass), Obstacle: "the store is away"})
	f.expect("steps freeze", Progressing, 1, "1%", KindStarted, KindHeld)
	f.because("steps freeze", "", "the store is away")
	f.tick(Observations{})
	f.expect("and go on", Progressing, 2, "10%", KindStepAdvanced)
	f.requests = 0
	for i := 1; i <= 2; i++ {
		f.requests += 50
		f.tick(Observations{Evaluation: f.evaluated(Fail), Obstacle: "the store is away"})
	}
	f.expect("rollbacks do not wait", RolledBack, 2, "0%", KindRolledBack)
}

func TestDeadline(t *testing.T) {
	release := usual()
	release.Plan.Deadline = time.Hour
	f := fly(t, release)
	f.see(Hold)
	f.wait(10*time.Minute + time.Hour - 1)
	f.expect("a nanosecond before the deadline", Progressing, 1, "1%", KindStarted, KindHeld)
	f.wait(1)
	f.expect("at the deadline", Progressing, 1, "1%", KindStalled)
	f.because("at the deadline", "", "the checks hold")
	f.wait(100 * time.Hour)
	f.die()
	f.see(Hold)
	f.wait(100 * time.Hour)
	f.expect("stalled is said once, whoever dies", Progressing, 1, "1%")
	f.see(Pass)
	f.expect("and a step that stalled goes on", Progressing, 2, "10%", KindStepAdvanced)
	f.wait(30*time.Minute + time.Hour)
	f.expect("the next step has a deadline of its own, with or without evaluations", Progressing, 2, "10%", KindStalled)
	f.because("nothing was seen", "", "nothing was evaluated")
	f.do(Command{Verb: Promote})
	f.wait(1000 * time.Hour)
	f.expect("a manual step waits, and does not stall", Progressing, 3, "50%", KindStepAdvanced)
}

func TestDeadlineCountsWhatIsInTheWay(t *testing.T) {
	hours, err := ParseHours("Mon-Fri 12:00-13:00")
	if err != nil {
		t.Fatal(err)
	}
	release := usual()
	release.Plan.Deadline = time.Hour
	release.Plan.Only = []*Hours{hours}
	f := fly(t, release)
	f.see(Hold)
	for i := 0; i < 60; i++ { // to 13:00: 49 minutes of these are in the hours, after the step's 10
		f.wait(time.Minute)
	}
	f.expect("at the end of the hours", Progressing, 1, "1%", KindStarted, KindHeld)
	for i := 0; i < 22*60; i++ {
		f.wait(time.Minute)
	}
	f.do(Command{Verb: Pause})
	for i := 0; i < 60; i++ { // to noon on Tuesday
		f.wait(time.Minute)
	}
	f.do(Command{Verb: Resume})
	for i := 0; i < 9; i++ {
		f.wait(time.Minute)
	}
	f.expect("nights and pauses do not count", Progressing, 1, "1%", KindPaused, KindResumed)
	f.wait(2 * time.Minute)
	f.expect("an hour of the hours", Progressing, 1, "1%", KindStalled)
}

func TestHoursOfThePlan(t *testing.T) {
	hours, err := ParseHours("Mon-Fri 09:00-17:00")
	if err != nil {
		t.Fatal(err)
	}
	release := usual()
	release.Plan.Only = []*Hours{hours}
	f := fly(t, release)
	f.wait(5*time.Hour - 1)
	f.see(Pass)
	f.expect("a nanosecond before the end of the day", Progressing, 2, "10%", KindStarted, KindStepAdvanced)
	f.requests = 0
	f.wait(1)
	f.see(Pass)
	f.wait(time.Hour)
	f.expect("after it a plan holds", Progressing, 2, "10%", KindHeld)
	f.because("after it a plan holds", "", "outside the hours")
	f.wait(15*time.Hour - 1)
	f.expect("all night", Progressing, 2, "10%")
	f.wait(1)
	f.expect("in the morning it goes on", Progressing, 3, "50%", KindStepAdvanced)

	f.wait(9 * time.Hour)
	release.Revision = "v3"
	f.configure(release)
	f.expect("a revision of the evening", Progressing, 0, "0%", KindStarted)
	f.because("a revision of the evening", "", "waiting for the hours")
	f.wait(15*time.Hour - 1)
	f.expect("waits without traffic", Progressing, 0, "0%")
	f.wait(1)
	f.expect("for the morning", Progressing, 1, "1%", KindStepAdvanced)

	f.wait(9 * time.Hour)
	f.requests = 0
	f.see(Fail, Fail)
	f.expect("rollbacks happen at any time", RolledBack, 1, "0%", KindHeld, KindRolledBack)
	if f.m.Record().Held {
		t.Error("rolled back, and still held: there is no step to wait in")
	}
	f.do(Command{Verb: Restart})
	f.do(Command{Verb: Promote})
	f.expect("and what people say does", Progressing, 2, "10%", KindRestarted, KindStepAdvanced)
}

func TestEnds(t *testing.T) {
	ends := monday.Add(time.Hour)
	for _, state := range []State{Progressing, Paused, Promoted} {
		release := usual()
		release.Ends = ends
		f := fly(t, release)
		step := 1
		weight := "1%"
		if state == Paused {
			f.do(Command{Verb: Pause})
		}
		if state == Promoted {
			f.do(Command{Verb: Promote, Full: true})
			step = 4
			weight = "100%"
		}
		f.events = nil
		f.wait(time.Hour - 1)
		f.expect("before the end, "+string(state), state, step, weight)
		f.wait(1)
		f.expect("at the end, "+string(state), RolledBack, step, "0%", KindRolledBack)
		f.because("at the end, "+string(state), ByEnd, "2026-11-23T13:00:00Z")
		f.refuse(Command{Verb: Restart}, ErrState, "it ended at 2026-11-23T13:00:00Z")
		f.wait(-2 * time.Hour)
		f.expect("a clock that is put back brings nothing back", RolledBack, step, "0%")
		release.Ends = ends.Add(24 * time.Hour)
		f.configure(release)
		f.expect("nor does another end", RolledBack, step, "0%")
		f.do(Command{Verb: Restart})
		f.expect("but a restart does", Progressing, 1, "1%", KindRestarted)
	}
}

func TestClocks(t *testing.T) {
	f := fly(t, usual())
	f.see(Pass)
	f.expect("", Progressing, 1, "1%", KindStarted)
	f.jump(1000*time.Hour, 10*time.Minute-1)
	f.expect("a clock put forward ends no step", Progressing, 1, "1%")
	f.jump(-100000*time.Hour, 0)
	f.jump(0, 1)
	f.expect("one put back keeps none from ending", Progressing, 2, "10%", KindStepAdvanced)
	f.jump(0, -500*time.Hour)
	f.jump(0, 30*time.Minute-1)
	f.requests = 0
	f.see(Pass)
	f.expect("a monotonic clock that is another one now goes on from there", Progressing, 2, "10%")
	f.jump(0, 1)
	f.expect("to the nanosecond", Progressing, 3, "50%", KindStepAdvanced)
	f.jump(0, 1<<62)
	f.jump(0, -(1 << 62))
	f.jump(0, 1<<62)
	f.jump(0, -(1 << 62))
	f.jump(0, 1<<62)
	f.see(Pass)
	f.expect("and no sum of time breaks it", Progressing, 3, "50%")
	if age := f.m.Record().Age; age != maxAge || f.m.sinceCounted != maxAge {
		t.Errorf("a step is %v old", age)
	}
	f.die()
	f.expect("nor its record", Progressing, 3, "50%")
}

func TestSampleRatioMismatch(t *testing.T) {
	f := fly(t, usual())
	before := f.m.Position()
	mismatch := func(p Position) Observations {
		return Observations{Mismatch: &Mismatch{Position: p, Reason: "p = 0.0002", Figures: map[string]float64{"p": 0.0002}}}
	}
	f.tick(mismatch(before))
	f.expect("a mismatch changes nothing", Progressing, 1, "1%", KindStarted, KindMismatch)
	if figures := f.m.Record().Events[1].Figures; figures["p"] != 0.0002 {
		t.Errorf("its figures are %v", figures)
	}
	f.tick(mismatch(before))
	f.expect("it is said once", Progressing, 1, "1%")
	f.do(Command{Verb: Promote})
	f.tick(mismatch(before))
	f.expect("of another step it says nothing", Progressing, 2, "10%", KindStepAdvanced)
	f.tick(mismatch(f.m.Position()))
	f.expect("once for each", Progressing, 2, "10%", KindMismatch)
	f.do(Command{Verb: Pause})
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "20%"})
	f.tick(mismatch(f.m.Position()))
	f.expect("and for other weights", Paused, 2, "20%", KindPaused, KindWeightSet, KindMismatch)
}
