package rollout

import (
	"bytes"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// at20 returns a rollout in the second step of 1%, 10%, 50% manual, 100%, after 20 of its 30 minutes.
func at20(t *testing.T) *flight {
	t.Helper()
	f := fly(t, usual())
	f.do(Command{Verb: Promote})
	f.wait(20 * time.Minute)
	f.expect("20 minutes into the second step", Progressing, 2, "10%", KindStarted, KindStepAdvanced)
	return f
}

func TestEditedDuration(t *testing.T) {
	edited := func(lasts time.Duration) Release {
		release := usual()
		release.Plan.Steps[1].For = lasts
		return release
	}
	f := at20(t)
	f.configure(edited(20*time.Minute + 1))
	f.see(Pass)
	f.expect("shorter, and not over", Progressing, 2, "10%")
	f.wait(1)
	f.expect("a nanosecond later", Progressing, 3, "50%", KindStepAdvanced)

	f = at20(t)
	f.configure(edited(20 * time.Minute))
	f.see(Pass)
	f.expect("shorter, and over", Progressing, 3, "50%", KindStepAdvanced)

	f = at20(t)
	f.see(Hold)
	f.wait(10 * time.Minute)
	f.expect("over, and held", Progressing, 2, "10%", KindHeld)
	release := edited(2 * time.Hour)
	release.Plan.Deadline = time.Hour
	f.configure(release)
	f.see(Pass)
	f.wait(90*time.Minute - 1)
	f.expect("longer", Progressing, 2, "10%")
	f.see(Hold)
	f.wait(1)
	f.expect("is held anew", Progressing, 2, "10%", KindHeld)
	f.wait(time.Hour - 1)
	f.expect("and the deadline begins anew", Progressing, 2, "10%")
	f.wait(1)
	f.expect("and comes", Progressing, 2, "10%", KindStalled)
}

func TestManualStepThatGetsATime(t *testing.T) {
	f := at20(t)
	f.do(Command{Verb: Promote})
	f.wait(10 * time.Hour)
	edited := usual()
	edited.Plan.Steps[2] = Step{Weight: 50 * percent, For: time.Hour}
	edited.Plan.Deadline = time.Hour
	f.configure(edited)
	f.see(Hold)
	f.expect("its time is over, and it did not wait for anything before", Progressing, 3, "50%", KindStepAdvanced, KindHeld)
	f.wait(time.Hour)
	f.expect("it does from now on", Progressing, 3, "50%", KindStalled)
}

func TestEditedSteps(t *testing.T) {
	cases := []struct {
		what   string
		steps  []Step
		step   int
		weight string
		enters bool
	}{
		{"nothing", usual().Plan.Steps, 2, "10%", false},
		{"a step before", []Step{{Weight: percent}, {Weight: 2 * percent}, {Weight: 10 * percent, For: time.Hour}, {Weight: balance.Full}}, 3, "10%", false},
		{"the first step removed", []Step{{Weight: 10 * percent, For: time.Hour}, {Weight: balance.Full}}, 1, "10%", false},
		{"the step made manual", []Step{{Weight: 10 * percent, Manual: true}, {Weight: balance.Full}}, 1, "10%", false},
		{"the step removed", []Step{{Weight: percent}, {Weight: 20 * percent, For: time.Hour}, {Weight: balance.Full}}, 2, "20%", true},
		{"all but 100% removed", []Step{{Weight: balance.Full}}, 1, "100%", true},
		{"everything below", []Step{{Weight: percent}, {Weight: 5 * percent, Manual: true}}, 2, "5%", true},
	}
	for _, c := range cases {
		for _, paused := range []bool{false, true} {
			f := at20(t)
			state := Progressing
			if paused {
				f.do(Command{Verb: Pause})
				state = Paused
			}
			f.events = nil
			before := f.m.Position()
			release := usual()
			release.Plan.Steps = c.steps
			f.configure(release)
			age := 20 * time.Minute
			if c.enters {
				f.expect(c.what, state, c.step, c.weight, KindStepAdvanced)
				f.because(c.what, "", "edited")
				age = 0
			}
			f.tick(Observations{})
			f.expect(c.what, state, c.step, c.weight)
			if got := f.m.Record().Age; got != age {
				t.Errorf("%s: the step is %v old, want %v", c.what, got, age)
			}
			if entered := f.m.Position() != before; entered != c.enters {
				t.Errorf("%s: another position: %v, want %v", c.what, entered, c.enters)
			}
		}
	}
}

func TestNobodyIsPromotedByAnEdit(t *testing.T) {
	f := at20(t)
	f.see(Pass)
	f.configure(planned(Step{Weight: balance.Full}))
	f.wait(time.Hour)
	f.expect("100% after an edit", Progressing, 1, "100%", KindStepAdvanced)
	f.see(Hold)
	f.expect("while it is not known to be well", Progressing, 1, "100%", KindHeld)
	f.see(Pass)
	f.expect("and when it is", Promoted, 1, "100%", KindPromoted)
}

func TestNobodyIsPromotedWhilePaused(t *testing.T) {
	f := at20(t)
	f.do(Command{Verb: Pause})
	f.do(Command{Verb: Jump, Step: 4})
	f.see(Pass)
	f.expect("100% while paused", Paused, 4, "100%", KindPaused, KindStepAdvanced)
	f.do(Command{Verb: Resume})
	f.tick(Observations{})
	f.expect("resumed", Progressing, 4, "100%", KindResumed)
	f.see(Pass)
	f.expect("and seen to be well", Promoted, 4, "100%", KindPromoted)
}

func TestEditedChecks(t *testing.T) {
	f := at20(t)
	f.see(Pass)
	f.configure(usual())
	f.wait(10 * time.Minute)
	f.expect("what passed by the checks of before says nothing", Progressing, 2, "10%")
	f.see(Pass)
	f.expect("what passes by those of now does", Progressing, 3, "50%", KindStepAdvanced)
}

func TestEditedAfterTheEnd(t *testing.T) {
	for _, end := range []Command{{Verb: Promote, Full: true}, {Verb: Abort}} {
		f := at20(t)
		f.do(end)
		f.events = nil
		before := f.m.Record()
		f.configure(planned(Step{Weight: 10 * percent, Manual: true}))
		f.wait(time.Hour)
		f.configure(usual())
		f.expect("after "+string(end.Verb), before.State, before.Step, f.m.Weights()[1].String())
	}
}

func TestPlanThatGoesAndComes(t *testing.T) {
	for _, c := range []struct {
		command Command
		state   State
		step    int
		weight  string
	}{
		{Command{Verb: Jump, Step: 3}, Progressing, 3, "50%"},
		{Command{Verb: Pause}, Paused, 2, "10%"},
		{Command{Verb: Promote, Full: true}, Promoted, 4, "100%"},
		{Command{Verb: Abort}, RolledBack, 2, "0%"},
	} {
		f := at20(t)
		f.do(c.command)
		f.events = nil
		without := usual()
		without.Plan = nil
		f.configure(without)
		f.wait(time.Hour)
		f.die()
		f.expect("without a plan", Idle, c.step, "0%")
		f.configure(usual())
		f.tick(Observations{})
		f.expect("with one again", c.state, c.step, c.weight)
	}
}

func TestNewRevision(t *testing.T) {
	for _, c := range []Command{{Verb: Jump, Step: 3}, {Verb: Pause}, {Verb: Promote, Full: true}, {Verb: Abort}} {
		f := at20(t)
		f.do(c)
		f.events = nil
		release := usual()
		release.Revision = "v3"
		f.configure(release)
		f.expect("after "+string(c.Verb), Progressing, 1, "1%", KindStarted)
		record := f.m.Record()
		if record.Revision != "v3" || record.Epoch != 0 || record.Age != 0 || len(record.Weights) > 0 {
			t.Errorf("after %s: a new revision begins with %+v", string(c.Verb), record)
		}
	}
}

func TestRevisionThatComesBack(t *testing.T) {
	f := at20(t)
	f.do(Command{Verb: Abort})
	other := usual()
	other.Revision = "v3"
	f.configure(other)
	f.configure(usual())
	f.expect("it starts again", Progressing, 1, "1%", KindRolledBack, KindStarted, KindStarted)
	if record := f.m.Record(); record.Epoch != 2 || record.Entry != 4 {
		t.Errorf("in epoch %d, want 2: assignments of the ones before are over; in entry %d, want 4", record.Epoch, record.Entry)
	}
}

func TestAnotherCandidate(t *testing.T) {
	release := usual()
	release.Variants = []string{"stable", "canary", "other"}
	release.Weights = []balance.Weight{0, 0, 0}
	f := fly(t, release)
	f.do(Command{Verb: Promote})
	release.Candidate = 2
	f.configure(release)
	f.expect("it starts anew", Progressing, 1, "1%", KindStarted, KindStepAdvanced, KindStarted)
	if record := f.m.Record(); record.Epoch != 1 || f.m.Weights()[1] != 0 {
		t.Errorf("another candidate of a revision begins with %+v, and the old one has %s", record, f.m.Weights()[1].String())
	}
}

func TestDeath(t *testing.T) {
	f := at20(t)
	f.see(Pass, Fail)
	f.wait(5 * time.Minute)
	position := f.m.Position()
	f.now.Wall = f.now.Wall.Add(-1000 * time.Hour)
	f.die()
	f.expect("the same state and step, whatever the clock says", Progressing, 2, "10%")
	if f.m.Position() != position {
		t.Errorf("position %+v became %+v", position, f.m.Position())
	}
	f.wait(5*time.Minute - 1)
	f.see(Pass)
	f.expect("time goes on where it was", Progressing, 2, "10%")
	f.wait(1)
	f.expect("to the nanosecond", Progressing, 3, "50%", KindStepAdvanced)

	f = at20(t)
	f.see(Fail)
	f.die()
	f.requests = DefaultMinRequests - 1
	f.wait(DefaultWindow - 1)
	f.tick(Observations{Evaluation: f.evaluated(Fail)})
	f.expect("the failure of before counts once", Progressing, 2, "10%")
	f.requests++
	f.tick(Observations{Evaluation: f.evaluated(Fail)})
	f.expect("and is not forgotten", RolledBack, 2, "0%", KindRolledBack)
	f.die()
	f.wait(time.Hour)
	f.expect("nor is the rollback", RolledBack, 2, "0%")
}

func TestCopyIsAMachineOfItsOwn(t *testing.T) {
	f := at20(t)
	trial := *f.m
	content, err := f.m.Record().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trial.Command(f.now, Command{Verb: Pause}); err != nil {
		t.Fatal(err)
	}
	if _, err := trial.Command(f.now, Command{Verb: SetWeight, Variant: "canary", Weight: "3"}); err != nil {
		t.Fatal(err)
	}
	after, err := f.m.Record().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content, after) {
		t.Errorf("what a copy did changed %s to %s", content, after)
	}
	if trial.State() != Paused || trial.Weights()[1] != 3*percent {
		t.Errorf("the copy did not do it: %s", string(trial.State()))
	}
}
