package rollout

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

func TestControllerGoesOnWhereAnotherLeft(t *testing.T) {
	memory := store.NewMemory()
	g := serve(t, memory, Settings{Checkpoint: time.Minute}).configure(usual())
	g.expect("a new revision", Progressing, 1, "1%", KindStarted)
	g.wait(4*time.Minute, Pass)
	g.wait(30*time.Second, Pass)
	next := serve(t, memory, Settings{Checkpoint: time.Minute}).configure(usual())
	next.expect("in another process", Progressing, 1, "1%")
	if age := next.c.View().Record.Age; age != 4*time.Minute {
		t.Errorf("the step is %v old, want what it was at the last checkpoint", age)
	}
	next.wait(6*time.Minute, Pass)
	next.expect("at the end of the step", Progressing, 2, "10%", KindStepAdvanced)
	if record := stored(t, memory); record.Step != 2 || record.LastEvent() != 2 {
		t.Errorf("the store has %+v", record)
	}
}

func TestControllersDoEverythingOnce(t *testing.T) {
	memory := store.NewMemory()
	one := serve(t, memory, Settings{}).configure(usual())
	other := serve(t, memory, Settings{}).configure(usual())
	other.expect("the second gateway", Progressing, 1, "1%")
	one.wait(10*time.Minute, Pass)
	other.wait(10*time.Minute, Pass)
	one.expect("the first to tick", Progressing, 2, "10%", KindStarted, KindStepAdvanced)
	other.expect("the second follows", Progressing, 2, "10%")
	if err := other.c.Command(context.Background(), other.now, Command{Verb: Abort}); err != nil {
		t.Error(err)
	}
	err := one.c.Command(context.Background(), one.now, Command{Verb: Promote})
	if !errors.Is(err, ErrState) {
		t.Errorf("promoting what another gateway rolled back: %v", err)
	}
	one.expect("of which it learns then", RolledBack, 2, "0%")
	other.expect("the rollback", RolledBack, 2, "0%", KindRolledBack)
}

// TestFailuresAreCountedBesideOthers: who saves how old a step is makes no other gateway forget what it saw.
func TestFailuresAreCountedBesideOthers(t *testing.T) {
	memory := store.NewMemory()
	one := serve(t, memory, Settings{Checkpoint: time.Minute}).configure(usual())
	other := serve(t, memory, Settings{Checkpoint: time.Minute}).configure(usual())
	one.wait(time.Minute, Hold)
	other.wait(time.Minute, Fail)
	one.wait(time.Minute, Hold)
	other.wait(time.Minute, "")
	if v := other.c.View(); v.Record.Failures != 1 || v.Last.Verdict != Fail {
		t.Errorf("%d failures, and the last evaluation was %q: want one, as it was", v.Record.Failures, string(v.Last.Verdict))
	}
	one.wait(time.Minute, Hold)
	other.wait(time.Minute, Fail)
	other.expect("the second failure in a row", RolledBack, 1, "0%", KindRolledBack)
}

func TestGatewaysThatBeginTogether(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	other := serve(t, s.Memory, Settings{})
	s.loaded = func() { other.configure(usual()) }
	g := serve(t, s, Settings{}).configure(usual())
	g.expect("the slower one", Progressing, 1, "1%")
	other.expect("the faster one", Progressing, 1, "1%", KindStarted)
}

// TestStoreThatCannotBeWritten: a plan that nothing will remember does not begin, or it would with every process.
func TestStoreThatCannotBeWritten(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	full := &readOnly{distant: s}
	g := serve(t, full, Settings{}).configure(usual())
	g.wait(time.Hour, Pass)
	g.expect("nothing can be remembered", "", 0, "0%")
	if away := g.c.View().Away; !strings.Contains(away, "the disk is full") {
		t.Errorf("it says %q", away)
	}
	elsewhere := usual()
	elsewhere.Member = "other" // its clock says the same here, as no two gateways' do
	serve(t, s, Settings{}).configure(elsewhere)
	g.wait(time.Second, "")
	g.expect("what another gateway remembers is known", Progressing, 1, "1%")
	serve(t, full, Settings{}).configure(usual()).expect("and to another process", Progressing, 1, "1%")
}

// readOnly is a store that takes nothing.
type readOnly struct{ *distant }

func (*readOnly) Swap(_ context.Context, _, _ string, _ []byte) (string, error) {
	return "", errors.New("the disk is full")
}

func TestRollbackOutranksWhatOthersDidMeanwhile(t *testing.T) {
	s := &distant{Memory: store.NewMemory()}
	one := serve(t, s, Settings{}).configure(usual())
	other := serve(t, s.Memory, Settings{}).configure(usual())
	s.cut(true)
	one.wait(time.Second, Fail)
	one.wait(time.Second, Fail)
	one.expect("cut off", RolledBack, 1, "0%", KindStarted, KindRolledBack)
	other.wait(10*time.Minute, Pass)
	other.expect("meanwhile", Progressing, 2, "10%", KindStepAdvanced)
	s.cut(false)
	one.wait(time.Second, "")
	one.expect("back again, in the step to which the others went", RolledBack, 2, "0%")
	other.wait(30*time.Minute, Pass)
	other.expect("and everywhere", RolledBack, 2, "0%")
	if record := stored(t, s); record.State != RolledBack || record.Epoch != 1 || record.LastEvent() != 3 || record.Reason != "seen" {
		t.Errorf("the store has %+v", record)
	}
}

func TestRecordThatIsNone(t *testing.T) {
	memory := store.NewMemory()
	if _, err := memory.Swap(context.Background(), "checkout", "", []byte(`{"format":1,"state":"flying"}`)); err != nil {
		t.Fatal(err)
	}
	g := serve(t, memory, Settings{}).configure(usual())
	g.expect("it begins anew", Progressing, 1, "1%", KindStarted)
	if len(g.faults) != 1 || !strings.Contains(g.faults[0], `unknown state "flying"`) {
		t.Errorf("told of faults %q", g.faults)
	}
	if record := stored(t, memory); record.State != Progressing {
		t.Errorf("the store has %+v", record)
	}

	d, err := memory.Load(context.Background(), "checkout")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Swap(context.Background(), "checkout", d.Version, []byte(`[]`)); err != nil {
		t.Fatal(err)
	}
	g.wait(10*time.Minute, Pass)
	g.expect("a gateway that knows better replaces it", Progressing, 2, "10%", KindStepAdvanced)
	if record := stored(t, memory); record.Step != 2 {
		t.Errorf("the store has %+v", record)
	}
}

func TestRecordOfANewerVersion(t *testing.T) {
	memory := store.NewMemory()
	version, err := memory.Swap(context.Background(), "checkout", "", []byte(`{"format":2}`))
	if err != nil {
		t.Fatal(err)
	}
	g := serve(t, memory, Settings{}).configure(usual())
	g.wait(time.Hour, Pass)
	g.expect("nobody knows", "", 0, "0%")
	if d, err := memory.Load(context.Background(), "checkout"); err != nil || d.Version != version {
		t.Errorf("it was replaced by %s, %v", d.Content, err)
	}
	if len(g.faults) != 1 || !strings.Contains(g.faults[0], "newer version") {
		t.Errorf("told of faults %q", g.faults)
	}
}

func TestVeto(t *testing.T) {
	memory := store.NewMemory()
	veto := errors.New("not on my watch")
	release := planned(Step{Weight: 50 * percent, For: time.Minute}, Step{Weight: 100 * percent})
	g := serve(t, memory, Settings{Veto: func(promotion Event) error {
		if promotion.Kind != KindPromoted || promotion.State != Promoted {
			t.Errorf("asked about %+v", promotion)
		}
		return veto
	}}).configure(release)
	g.wait(time.Minute, Pass)
	g.expect("vetoed", Progressing, 1, "50%", KindStarted, KindHeld)
	if last := g.c.View().Record.Events[1]; last.Reason != "vetoed: not on my watch" {
		t.Errorf("held because %q", last.Reason)
	}
	if err := g.c.Command(context.Background(), g.now, Command{Verb: Promote}); !errors.Is(err, ErrVeto) || !errors.Is(err, veto) {
		t.Errorf("a command to promote: %v", err)
	}
	other := planned(Step{Weight: 100 * percent})
	other.Revision = "v3"
	serve(t, store.NewMemory(), Settings{Veto: func(promotion Event) error {
		t.Errorf("asked about a configuration: %+v", promotion)
		return veto
	}}).configure(other).expect("a configuration that promotes at once", Promoted, 1, "100%", KindStarted, KindPromoted)
	veto = nil
	g.wait(time.Second, "")
	g.expect("not vetoed any more", Promoted, 2, "100%", KindPromoted)
}

func TestListenersMayCallBack(t *testing.T) {
	memory := store.NewMemory()
	g := serve(t, memory, Settings{})
	var errs []error
	g.c.settings.Listen = func(events []Event) {
		if events[len(events)-1].Kind == KindStarted {
			errs = append(errs, g.c.Command(context.Background(), g.now, Command{Verb: Pause}))
		}
	}
	g.configure(usual())
	g.expect("paused by a listener", Paused, 1, "1%")
	if len(errs) != 1 || errs[0] != nil {
		t.Errorf("it got %v", errs)
	}
}

func TestNotConfigured(t *testing.T) {
	g := serve(t, store.NewMemory(), Settings{})
	g.c.Tick(context.Background(), g.now, Observations{})
	if err := g.c.Command(context.Background(), g.now, Command{Verb: Pause}); !errors.Is(err, ErrState) || g.c.View() != nil {
		t.Errorf("a command: %v, view %v", err, g.c.View())
	}
}

func TestControllersWatch(t *testing.T) {
	memory := store.NewMemory()
	one := serve(t, memory, Settings{}).configure(usual())
	other := serve(t, memory, Settings{}).configure(usual())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan bool)
	now := other.now
	go func() {
		other.c.Watch(ctx, func() Time { return now })
		close(ended)
	}()
	if err := one.c.Command(ctx, one.now, Command{Verb: Abort}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3000 && other.c.View().State != RolledBack; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-ended
	other.expect("what another gateway did", RolledBack, 1, "0%")
}

// Several gateways are told all kinds of things at once: the record that they share is that of one rollout, and what
// they tell others adds up to it.
func TestControllersTogether(t *testing.T) {
	memory := store.NewMemory()
	const gateways = 3
	list := make([]*gateway, gateways)
	var working sync.WaitGroup
	for i := range list {
		g := serve(t, memory, Settings{}).configure(usual())
		list[i] = g
		random := rand.New(rand.NewPCG(uint64(i), 7))
		working.Add(1)
		go func() {
			defer working.Done()
			for n := 0; n < 100; n++ {
				g.wait(time.Duration(random.IntN(600))*time.Second, []Verdict{Pass, Pass, Hold, ""}[random.IntN(4)])
				command := []Command{{Verb: Pause}, {Verb: Resume}, {Verb: Promote}, {Verb: Restart}, {Verb: Jump, Step: 2}}[random.IntN(5)]
				err := g.c.Command(context.Background(), g.now, command)
				if err != nil && !errors.Is(err, ErrState) && !errors.Is(err, store.ErrConflict) {
					t.Errorf("%s: %v", string(command.Verb), err)
				}
			}
		}()
	}
	working.Wait()
	record := stored(t, memory)
	times := map[int64]int{}
	for i := range list {
		for _, e := range list[i].events {
			times[e.ID]++
		}
	}
	if record.LastEvent() < 100 || int64(len(times)) != record.LastEvent() {
		t.Errorf("%d events are remembered, and %d were told", record.LastEvent(), len(times))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("event %d was told %d times", id, n)
		}
	}
	for i := 1; i < len(record.Events); i++ {
		if record.Events[i].ID != record.Events[i-1].ID+1 {
			t.Errorf("event %d follows %d", record.Events[i].ID, record.Events[i-1].ID)
		}
	}
}

// TestViewsGrowOlder: between two ticks the step's age goes on.
func TestViewsGrowOlder(t *testing.T) {
	g := serve(t, store.NewMemory(), Settings{}).configure(usual())
	v, now := g.c.View(), g.now.Mono
	long := v.Release.Plan.Steps[0].For
	if age := v.Age(now + time.Minute); age != time.Minute {
		t.Errorf("a minute later the step has lasted %v", age)
	}
	if left, ends := v.Left(now + long + time.Second); left != -time.Second || !ends {
		t.Errorf("a second after the step %v are left, %v", left, ends)
	}
	if age := v.Age(now - time.Hour); age != 0 {
		t.Errorf("by a clock that was put back it has lasted %v", age)
	}
	if err := g.c.Command(context.Background(), g.now, Command{Verb: Pause}); err != nil {
		t.Fatal(err)
	}
	v = g.c.View()
	if _, ends := v.Left(now); ends || v.Age(now+time.Hour) != 0 {
		t.Errorf("paused for an hour, the step has lasted %v, and ends: %v", v.Age(now+time.Hour), ends)
	}
}

// TestAgeBetweenTicks: who adopts what another gateway saved loses nothing of the time since its own last tick.
func TestAgeBetweenTicks(t *testing.T) {
	shared := store.NewMemory()
	one, two := serve(t, shared, Settings{Checkpoint: time.Second}).configure(usual()), serve(t, shared, Settings{}).configure(usual())
	one.wait(4*time.Second, "")
	two.now.Mono += 5 * time.Second
	d, err := shared.Load(context.Background(), "checkout")
	if err != nil {
		t.Fatal(err)
	}
	two.c.follow(context.Background(), two.now, d)
	if age := two.c.View().Record.Age; age != 5*time.Second {
		t.Errorf("after 5 s without a tick the step has lasted %v", age)
	}
}

// TestWhoComesLate: who waited for his turn comes with an older time than who came before him, and no time passes twice.
func TestWhoComesLate(t *testing.T) {
	shared := newCommon()
	one, other := serve(t, shared, Settings{Checkpoint: time.Second}).configure(usual()), serve(t, shared, Settings{}).configure(usual())
	late := one.now
	for _, g := range []*gateway{one, other} {
		g.wait(5*time.Minute, "")
	}
	document, err := shared.Load(context.Background(), "checkout")
	if err != nil {
		t.Fatal(err)
	}
	for what, come := range map[string]func(g *gateway){
		"a tick":          func(g *gateway) { g.c.Tick(context.Background(), late, Observations{}) },
		"a watch":         func(g *gateway) { g.c.follow(context.Background(), late, document) },
		"a configuration": func(g *gateway) { g.c.Configure(context.Background(), late, usual()) },
	} {
		for name, g := range map[string]*gateway{"who saved it": one, "who did not": other} {
			come(g)
			g.wait(0, "")
			if age := g.c.View().Record.Age; age != 5*time.Minute {
				t.Errorf("after %s that was late, the step has lasted %v for %s", what, age, name)
			}
		}
	}
}
