package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

func TestStoreAway(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	g := serve(t, s, Settings{}).configure(usual())
	g.expect("a new revision", Progressing, 1, "1%", KindStarted)
	s.cut(true)
	g.wait(10*time.Minute, Pass)
	g.expect("steps freeze", Progressing, 1, "1%", KindHeld)
	for _, c := range []Command{{Verb: Promote}, {Verb: Jump, Step: 2}, {Verb: Restart}} {
		if err := g.c.Command(context.Background(), g.now, c); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), errCut.Error()) {
			t.Errorf("%s: %v, want that the store is away", string(c.Verb), err)
		}
	}
	g.expect("for people too", Progressing, 1, "1%")
	if err := g.c.Command(context.Background(), g.now, Command{Verb: Pause}); err != nil {
		t.Errorf("a pause: %v", err)
	}
	g.expect("a pause takes nothing forward", Paused, 1, "1%", KindPaused)
	g.wait(time.Second, Fail)
	g.wait(time.Second, Fail)
	g.expect("nor does a rollback", RolledBack, 1, "0%", KindRolledBack)
	if len(g.faults) != 1 || !strings.Contains(g.faults[0], "rollout checkout: the store is away: the cable is cut") {
		t.Errorf("told of faults %q", g.faults)
	}
	s.cut(false)
	g.wait(time.Second, "")
	if record := stored(t, s); record.State != RolledBack || record.LastEvent() != 4 {
		t.Errorf("written later: %+v", record)
	}
	if len(g.faults) != 2 || g.faults[1] != "<nil>" {
		t.Errorf("told of faults %q, want one and that it is over", g.faults)
	}
}

func TestReasonsWhileTheStoreIsAway(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	g := serve(t, s, Settings{}).configure(usual())
	s.cut(true)
	g.wait(10*time.Minute, Hold)
	g.expect("held", Progressing, 1, "1%", KindStarted, KindHeld)
	if last := g.c.View().Record.Events[1]; last.Reason != "seen" {
		t.Errorf("because of %q, want what the evaluation says: the store is not what it waits for", last.Reason)
	}
}

func TestConfigurationWhileTheStoreIsAway(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	g := serve(t, s, Settings{}).configure(usual())
	s.cut(true)
	release := usual()
	release.Revision = "v3"
	g.configure(release)
	g.expect("another revision", Progressing, 1, "1%", KindStarted, KindStarted)
	s.cut(false)
	g.wait(time.Second, "")
	if record := stored(t, s); record.Revision != "v3" {
		t.Errorf("the store has %+v", record)
	}
}

func TestRollbackDoesNotWaitForTheStore(t *testing.T) {
	for _, unsaved := range []bool{false, true} {
		s := &distant{Memory: store.NewMemory()}
		g := serve(t, s, Settings{}).configure(usual())
		if unsaved { // something else has to be written too
			s.cut(true)
			if err := g.c.Command(context.Background(), g.now, Command{Verb: Pause}); err != nil {
				t.Fatal(err)
			}
		}
		g.wait(time.Second, Fail)
		s.cut(false)
		var seen *View
		s.swaps = func() { seen = g.c.View() }
		g.wait(time.Second, Fail)
		if seen == nil || seen.State != RolledBack || seen.Weights[1] != 0 {
			t.Errorf("unsaved %v: while the store is asked, requests see %+v", unsaved, seen)
		}
		if record := stored(t, s); record.State != RolledBack {
			t.Errorf("unsaved %v: the store has %+v", unsaved, record)
		}
	}
}

func TestStoreAwayFromTheBeginning(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	serve(t, s, Settings{}).configure(usual())
	s.cut(true)
	g := serve(t, s, Settings{}).configure(usual())
	g.wait(time.Hour, Pass)
	g.expect("nobody knows", "", 0, "0%")
	if err := g.c.Command(context.Background(), g.now, Command{Verb: Abort}); !errors.Is(err, ErrAway) {
		t.Errorf("a command then: %v", err)
	}
	s.cut(false)
	g.wait(time.Second, "")
	g.expect("and then it is known", Progressing, 1, "1%")

	s.cut(true)
	without := usual()
	without.Plan = nil
	without.Weights[1] = 30 * percent
	serve(t, s, Settings{}).configure(without).expect("what has no plan needs no store", Idle, 0, "30%")
}

// TestAnswersThatGetLost: what was saved is told, though the store did not say that it was.
func TestAnswersThatGetLost(t *testing.T) {
	s := newCommon()
	deaf := &forgetful{common: s}
	var learned []Event
	one := serve(t, deaf, Settings{Learn: func(events []Event) { learned = append(learned, events...) }}).configure(usual())
	one.expect("begun", Progressing, 1, "1%", KindStarted)
	deaf.lose = true
	one.wait(10*time.Minute, Pass)
	one.expect("nobody knows", Progressing, 1, "1%", KindHeld)
	deaf.lose = false
	one.look(s)
	one.expect("it was done after all", Progressing, 2, "10%", KindStepAdvanced)
	if len(learned) > 0 {
		t.Errorf("and by nobody else: %+v", learned)
	}
	deaf.lose = true
	one.wait(time.Second, Fail)
	one.wait(time.Second, Fail)
	one.expect("a rollback", RolledBack, 2, "0%", KindRolledBack)
	deaf.lose = false
	one.tick(time.Second, Observations{})
	one.expect("is not told twice", RolledBack, 2, "0%")
	if record := stored(t, s); record.LastEvent() != 3 {
		t.Errorf("the store has %+v", record)
	}
}

// TestBackFromAway: what a gateway did while it was cut off, against what the others did meanwhile.
func TestBackFromAway(t *testing.T) {
	rollback := func(g *gateway) {
		g.wait(time.Second, Fail)
		g.wait(time.Second, Fail)
	}
	pause := func(g *gateway) {
		if err := g.command(Pause); err != nil {
			t.Fatal(err)
		}
	}
	obey := func(commands ...Command) func(g *gateway) {
		return func(g *gateway) {
			for _, c := range commands {
				if err := g.c.Command(context.Background(), g.now, c); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	cases := []struct {
		name      string
		here      func(g *gateway)
		elsewhere func(g *gateway)
		state     State
		step      int
		revision  string
	}{
		{"promoted", rollback, obey(Command{Verb: Promote, Full: true}), RolledBack, 4, "v2"},
		{"advanced", rollback, obey(Command{Verb: Promote}), RolledBack, 2, "v2"},
		{"paused", rollback, obey(Command{Verb: Pause}), RolledBack, 1, "v2"},
		{"rolled back too", rollback, obey(Command{Verb: Abort}), RolledBack, 1, "v2"},
		{"restarted at once", rollback, obey(Command{Verb: Restart}), Progressing, 1, "v2"},
		{"rolled back, and restarted", rollback, obey(Command{Verb: Abort}, Command{Verb: Restart}), Progressing, 1, "v2"},
		{"another revision", rollback, func(g *gateway) { g.configure(revised("v3")) }, RolledBack, 1, "v3"},
		{"a pause, and advanced", pause, obey(Command{Verb: Promote}), Paused, 2, "v2"},
		{"a pause, and promoted", pause, obey(Command{Verb: Promote, Full: true}), Promoted, 4, "v2"},
		{"a pause, and rolled back", pause, obey(Command{Verb: Abort}), RolledBack, 1, "v2"},
	}
	for i := range cases {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) {
			s := newCommon()
			way := s.link()
			one := serve(t, way, Settings{}).configure(usual())
			other := serve(t, s, Settings{}).configure(usual())
			way.cut(true)
			c.here(one)
			c.elsewhere(other)
			before := stored(t, s)
			told := len(one.events)
			way.cut(false)
			one.tick(time.Second, Observations{Follows: true})
			if v := one.c.View(); v.State != c.state || v.Record.Step != c.step || v.Record.Revision != c.revision {
				t.Errorf("%s, step %d of %s", string(v.State), v.Record.Step, v.Record.Revision)
			}
			after := stored(t, s)
			for k := range before.Events {
				if fmt.Sprint(before.Events[k]) != fmt.Sprint(after.Events[k]) {
					t.Errorf("event %d was %+v and is %+v", k, before.Events[k], after.Events[k])
				}
			}
			if len(one.events) != told {
				t.Errorf("told again: %+v", one.events[told:])
			}
			if after.Entry < before.Entry || after.State == Paused && after.Entry != before.Entry {
				t.Errorf("entry %d became %d", before.Entry, after.Entry)
			}
			other.look(s)
			if v := other.c.View(); v.Record.State != after.State {
				t.Errorf("elsewhere it is %s", string(v.Record.State))
			}
		})
	}
}

// TestAskedEverMoreSeldom: a store that is away is not asked with every tick whether it is back, which a thousand gateways would
// do; who watches it hears that first.
func TestAskedEverMoreSeldom(t *testing.T) {
	shared := newCommon()
	together := serve(t, shared, Settings{}).configure(usual())
	together.expectAsked(shared.distant, soonAskedByMany, 2*soonAskedByMany, 4*soonAskedByMany, seldomAskedByMany, seldomAskedByMany)
	s := &distant{Memory: store.NewMemory()}
	g := serve(t, s, Settings{}).configure(usual())
	asked := g.expectAsked(s, soonAsked, 2*soonAsked, 4*soonAsked, 8*soonAsked, seldomAsked, seldomAsked)
	s.cut(false)
	g.wait(time.Second, "")
	if away := g.c.View().Away; away == "" {
		t.Errorf("it is asked as often as ever")
	}
	g.c.Ask()
	g.wait(time.Second, "")
	if away := g.c.View().Away; away != "" {
		t.Errorf("it has answered somebody else, and is away: %s", away)
	}
	g.cutOff(s)
	s.cut(false)
	g.look(s)
	if away := g.c.View().Away; away != "" {
		t.Errorf("it is back, and away: %s", away)
	}
	g.cutOff(s)
	before := len(*asked)
	g.wait(time.Second, "")
	if len(*asked) == before {
		t.Errorf("away for the second time it is not asked at once")
	}
}

// expectAsked cuts the store off, and expects that it is asked at once, and again after these times. It returns when it was asked.
func (g *gateway) expectAsked(s *distant, want ...time.Duration) *[]time.Duration {
	g.t.Helper()
	g.cutOff(s)
	asked := &[]time.Duration{}
	s.refused = func() { *asked = append(*asked, g.now.Mono) }
	for i := 0; i < 300 && len(*asked) <= len(want); i++ {
		g.wait(time.Second, "")
	}
	var apart []time.Duration
	for i := 1; i < len(*asked); i++ {
		apart = append(apart, (*asked)[i]-(*asked)[i-1])
	}
	if fmt.Sprint(apart) != fmt.Sprint(want) {
		g.t.Errorf("it is asked again after %v, want %v", apart, want)
	}
	return asked
}

// cutOff cuts the store off, and has the gateway see that while it has nothing to write.
func (g *gateway) cutOff(s *distant) {
	g.t.Helper()
	s.cut(true)
	if err := g.command(Promote); !errors.Is(err, ErrAway) {
		g.t.Errorf("a promotion: %v", err)
	}
}
