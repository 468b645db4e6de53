package rollout

import (
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

func TestCommandsByState(t *testing.T) {
	reach := map[State]func(f *flight){
		Progressing: func(f *flight) {},
		Paused:      func(f *flight) { f.do(Command{Verb: Pause}) },
		Promoted:    func(f *flight) { f.do(Command{Verb: Promote, Full: true}) },
		RolledBack:  func(f *flight) { f.do(Command{Verb: Abort}) },
	}
	cases := []struct {
		command Command
		from    State
		to      State // "": refused
		step    int
		kind    Kind
	}{
		{Command{Verb: Promote}, Progressing, Progressing, 2, KindStepAdvanced},
		{Command{Verb: Promote}, Paused, Progressing, 2, KindStepAdvanced},
		{Command{Verb: Promote}, Promoted, "", 0, ""},
		{Command{Verb: Promote}, RolledBack, "", 0, ""},
		{Command{Verb: Promote, Full: true}, Progressing, Promoted, 4, KindPromoted},
		{Command{Verb: Promote, Full: true}, Paused, Promoted, 4, KindPromoted},
		{Command{Verb: Promote, Full: true}, Promoted, "", 0, ""},
		{Command{Verb: Promote, Full: true}, RolledBack, "", 0, ""},
		{Command{Verb: Jump, Step: 3}, Progressing, Progressing, 3, KindStepAdvanced},
		{Command{Verb: Jump, Step: 4}, Progressing, Promoted, 4, KindPromoted},
		{Command{Verb: Jump, Step: 3}, Paused, Paused, 3, KindStepAdvanced},
		{Command{Verb: Jump, Step: 4}, Paused, Paused, 4, KindStepAdvanced},
		{Command{Verb: Jump, Step: 3}, Promoted, "", 0, ""},
		{Command{Verb: Jump, Step: 3}, RolledBack, "", 0, ""},
		{Command{Verb: Jump, Step: 1}, Progressing, "", 0, ""}, // it is there
		{Command{Verb: Pause}, Progressing, Paused, 1, KindPaused},
		{Command{Verb: Pause}, Paused, "", 0, ""},
		{Command{Verb: Pause}, Promoted, "", 0, ""},
		{Command{Verb: Pause}, RolledBack, "", 0, ""},
		{Command{Verb: Resume}, Progressing, "", 0, ""},
		{Command{Verb: Resume}, Paused, Progressing, 1, KindResumed},
		{Command{Verb: Resume}, Promoted, "", 0, ""},
		{Command{Verb: Resume}, RolledBack, "", 0, ""},
		{Command{Verb: Abort}, Progressing, RolledBack, 1, KindRolledBack},
		{Command{Verb: Abort}, Paused, RolledBack, 1, KindRolledBack},
		{Command{Verb: Abort}, Promoted, RolledBack, 4, KindRolledBack},
		{Command{Verb: Abort}, RolledBack, "", 0, ""},
		{Command{Verb: Restart}, Progressing, Progressing, 1, KindRestarted},
		{Command{Verb: Restart}, Paused, Progressing, 1, KindRestarted},
		{Command{Verb: Restart}, Promoted, Progressing, 1, KindRestarted},
		{Command{Verb: Restart}, RolledBack, Progressing, 1, KindRestarted},
		{Command{Verb: SetWeight, Variant: "canary", Weight: "7%"}, Progressing, "", 0, ""},
		{Command{Verb: SetWeight, Variant: "canary", Weight: "7%"}, Paused, Paused, 1, KindWeightSet},
		{Command{Verb: SetWeight, Variant: "canary", Weight: "7%"}, Promoted, "", 0, ""},
		{Command{Verb: SetWeight, Variant: "canary", Weight: "7%"}, RolledBack, "", 0, ""},
	}
	for _, c := range cases {
		f := fly(t, usual())
		reach[c.from](f)
		f.events = nil
		epoch := f.m.Record().Epoch
		what := string(c.command.Verb) + " from " + string(c.from)
		if c.to == "" {
			f.refuse(c.command, ErrState, "")
			continue
		}
		f.do(c.command)
		f.expect(what, c.to, c.step, f.m.Weights()[1].String(), c.kind)
		f.because(what, ByOperator, "")
		if c.kind == KindPromoted || c.kind == KindRolledBack || c.kind == KindRestarted {
			epoch++
		}
		if got := f.m.Record().Epoch; got != epoch {
			t.Errorf("%s: epoch %d, want %d", what, got, epoch)
		}
	}
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	f := fly(t, usual())
	for _, step := range []int{-1, 0, 5} {
		f.refuse(Command{Verb: Jump, Step: step}, ErrCommand, "the plan has 1 to 4")
	}
	f.refuse(Command{Verb: "delete"}, ErrCommand, "there are promote, step")
	f.refuse(Command{}, ErrCommand, "there are promote, step")
	f.do(Command{Verb: Pause})
	f.refuse(Command{Verb: SetWeight, Variant: "canarry", Weight: "1%"}, ErrCommand, `unknown variant "canarry": there are stable, canary`)
	f.refuse(Command{Verb: SetWeight, Variant: "stable", Weight: "1%"}, ErrCommand, "takes what the others leave")
	for _, weight := range []string{"", "-1", "101%", "NaN", "0.0001%", "1e3"} {
		f.refuse(Command{Verb: SetWeight, Variant: "canary", Weight: weight}, ErrCommand, "not a weight")
	}
}

func TestPromoteFullGoesTo100(t *testing.T) {
	f := fly(t, planned(Step{Weight: percent, For: time.Minute}, Step{Weight: balance.Full, For: time.Hour}))
	f.do(Command{Verb: Promote, Full: true})
	f.expect("which is a bake", Progressing, 2, "100%", KindStarted, KindStepAdvanced)
	f.do(Command{Verb: Promote, Full: true})
	f.expect("and from there it is promoted", Promoted, 2, "100%", KindPromoted)

	f = fly(t, planned(Step{Weight: percent, For: time.Minute}, Step{Weight: 50 * percent, Manual: true}))
	f.do(Command{Verb: Promote, Full: true})
	f.expect("no step of the plan", Promoted, 2, "100%", KindStarted, KindPromoted)
}

func TestPause(t *testing.T) {
	f := fly(t, usual())
	f.see(Pass)
	f.wait(4 * time.Minute)
	f.do(Command{Verb: Pause})
	f.wait(time.Hour)
	f.see(Pass)
	f.expect("paused", Paused, 1, "1%", KindStarted, KindPaused)
	f.do(Command{Verb: Resume})
	f.wait(6*time.Minute - 1)
	f.expect("pauses do not count", Progressing, 1, "1%", KindResumed)
	f.wait(1)
	f.expect("what was seen before or during the pause does not pass", Progressing, 1, "1%")
	f.see(Pass)
	f.expect("what is seen after it does", Progressing, 2, "10%", KindStepAdvanced)
}

func TestWeightsWhilePaused(t *testing.T) {
	f := fly(t, usual())
	f.do(Command{Verb: Pause})
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "33.5"})
	f.expect("set", Paused, 1, "33.5%", KindStarted, KindPaused, KindWeightSet)
	f.because("set", ByOperator, "canary 33.5%")
	f.die()
	f.expect("over a death", Paused, 1, "33.5%")
	edited := usual()
	edited.Plan.Steps[1].For = time.Hour
	f.configure(edited)
	f.expect("over an edit of the plan", Paused, 1, "33.5%")
	edited.Declaration = "other weights"
	f.configure(edited)
	f.expect("but not over other declared weights", Paused, 1, "1%", KindWeightSet)
	f.because("not over other declared weights", "", "canary 1% by the configuration")
	f.configure(edited)
	f.expect("which is told once", Paused, 1, "1%")
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "2"})
	f.do(Command{Verb: Jump, Step: 3})
	f.expect("nor over a step", Paused, 3, "50%", KindWeightSet, KindStepAdvanced)
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "2"})
	f.do(Command{Verb: Resume})
	f.expect("nor over going on", Progressing, 3, "50%", KindWeightSet, KindResumed)
}

func TestWeightsWithoutPlan(t *testing.T) {
	release := Release{Revision: "v1", Variants: []string{"a", "b", "c"}, Weights: []balance.Weight{0, 20 * percent, 30 * percent}, Declaration: "1", Candidate: 1}
	f := fly(t, release)
	f.expect("no plan", Idle, 0, "20%")
	f.do(Command{Verb: SetWeight, Variant: "b", Weight: "70%"})
	f.do(Command{Verb: SetWeight, Variant: "c", Weight: "5%"})
	f.expect("set", Idle, 0, "70%", KindWeightSet, KindWeightSet)
	f.refuse(Command{Verb: SetWeight, Variant: "c", Weight: "30.000001%"}, ErrCommand, "100.000001% together")
	f.die()
	f.tick(Observations{})
	f.configure(release)
	f.expect("kept", Idle, 0, "70%")
	release.Declaration = "2"
	f.configure(release)
	f.expect("other declared weights, or another salt", Idle, 0, "20%", KindWeightSet, KindWeightSet)
	f.because("other declared weights", "", "c 30% by the configuration")
	f.refuse(Command{Verb: SetWeight, Variant: "b", Weight: "70%", Version: "2"}, ErrVersion, "it has version 4")
	f.do(Command{Verb: SetWeight, Variant: "b", Weight: "70%"})
	f.expect("set again", Idle, 0, "70%", KindWeightSet)
	release.Revision = "v2"
	f.configure(release)
	f.expect("another revision", Idle, 0, "20%", KindWeightSet)
	f.do(Command{Verb: SetWeight, Variant: "b", Weight: "70%"})
	f.release.Declaration = "3"
	f.die()
	f.expect("of a process that begins with it", Idle, 0, "20%", KindWeightSet, KindWeightSet)
	for _, c := range []Command{{Verb: Promote}, {Verb: Pause}, {Verb: Resume}, {Verb: Abort}, {Verb: Restart}, {Verb: Jump, Step: 1}} {
		f.refuse(c, ErrState, "the rollout is idle, as it has no plan: give it one, or set weights with weight")
	}
}

func TestWeightsWithoutPlanAreNotThoseOfAPlan(t *testing.T) {
	release := usual()
	plan := release.Plan
	release.Plan = nil
	f := fly(t, release)
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "70%"})
	release.Plan = plan
	f.configure(release)
	f.do(Command{Verb: Pause})
	f.expect("a plan begins", Paused, 1, "1%", KindWeightSet, KindStarted, KindPaused)
	if epoch := f.m.Record().Epoch; epoch != 0 {
		t.Errorf("a plan that begins is epoch %d, want 0", epoch)
	}
}

func TestWhatMadeSomebodyPauseDoesNotCountAfterwards(t *testing.T) {
	f := fly(t, usual())
	f.see(Fail)
	f.do(Command{Verb: Pause})
	paused := f.m.Position()
	age := f.m.Record().Age
	f.do(Command{Verb: Resume})
	f.expect("going on", Progressing, 1, "1%", KindStarted, KindPaused, KindResumed)
	if f.m.Position() == paused {
		t.Errorf("after the pause the position is still %+v: what was seen before it would count", paused)
	}
	if f.m.Record().Age != age {
		t.Errorf("the step is %s old, want %s as before the pause", f.m.Record().Age, age)
	}
	f.tick(Observations{Evaluation: &Evaluation{Position: paused, Verdict: Fail, Requests: 1000}})
	f.expect("a failure of before", Progressing, 1, "1%")
	f.see(Fail)
	f.expect("the first failure since", Progressing, 1, "1%")
}

// TestResumeBeforeTheFirstStep: what the plan waits for stays known.
func TestResumeBeforeTheFirstStep(t *testing.T) {
	release := usual()
	hours, err := ParseHours("Sun 03:00-04:00")
	if err != nil {
		t.Fatal(err)
	}
	release.Plan.Only = []*Hours{hours}
	now := Time{Wall: monday}
	m, _ := New(release, Record{}, now)
	for _, verb := range []Verb{Pause, Resume} {
		if _, err := m.Command(now, Command{Verb: verb}); err != nil {
			t.Fatal(err)
		}
	}
	if r := m.Record(); r.Step != 0 || r.Reason != "resume: waiting for the hours of the plan" {
		t.Errorf("step %d: %s", r.Step, r.Reason)
	}
}
