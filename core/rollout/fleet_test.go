package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/store"
)

// common is a store that gateways share.
type common struct{ *distant }

func newCommon() *common { return &common{distant: &distant{Memory: store.NewMemory()}} }

// link is one gateway's way to it, which can be cut off.
func (c *common) link() *common { return &common{distant: &distant{Memory: c.Memory}} }

func (*common) Report(_ context.Context, _, _ string, _ []byte, _ time.Duration) error { return nil }

func (*common) Reports(_ context.Context, _ string, _ int) ([]store.Report, error) { return nil, nil }

func (*common) Leave(_ context.Context, _, _ string) error { return nil }

func (*common) Reporting() int { return 0 }

// revised is the usual release of a revision.
func revised(revision string) Release {
	release := usual()
	release.Revision = revision
	return release
}

// look has a gateway see what the store has, as a watch does.
func (g *gateway) look(s store.Store) {
	d, err := s.Load(context.Background(), "checkout")
	if err != nil {
		g.t.Fatal(err)
	}
	g.c.follow(context.Background(), g.now, d)
}

func (g *gateway) tick(d time.Duration, seen Observations) {
	g.now.Wall = g.now.Wall.Add(d)
	g.now.Mono += d
	g.c.Tick(context.Background(), g.now, seen)
}

func (g *gateway) command(verb Verb) error {
	return g.c.Command(context.Background(), g.now, Command{Verb: verb})
}

// TestNewestRevisionWins: the configurations of a deploy reach gateways one after another.
func TestNewestRevisionWins(t *testing.T) {
	s := newCommon()
	one := serve(t, s, Settings{}).configure(revised("v2"))
	other := serve(t, s, Settings{}).configure(revised("v2"))
	one.wait(10*time.Minute, Pass)
	one.expect("of v2", Progressing, 2, "10%", KindStarted, KindStepAdvanced)
	other.look(s)
	one.configure(revised("v3"))
	one.expect("the first gateway of the deploy", Progressing, 1, "1%", KindStarted)
	other.look(s)
	other.expect("one that is still to come", RolledBack, 1, "0%")
	if v := other.c.View(); v.Outdated == nil || v.Outdated.Revision != "v2" || v.Record.Revision != "v3" || v.Position.Revision != "v2" {
		t.Errorf("it shows %+v", v)
	}
	for i := 0; i < 20; i++ {
		other.wait(time.Hour, Pass)
		one.wait(time.Second, Hold)
	}
	other.expect("it leaves the others alone", RolledBack, 1, "0%")
	one.expect("and they it", Progressing, 1, "1%")
	other.configure(revised("v3"))
	other.expect("now it has the same", Progressing, 1, "1%")
	if record := stored(t, s); len(record.Past) != 1 || record.Past[0].Revision != "v2" || record.Epoch != 0 {
		t.Errorf("the store has %+v", record)
	}
}

// TestOutdatedAfterPromotion: what was promoted everywhere stays so where a newer revision has not come yet.
func TestOutdatedAfterPromotion(t *testing.T) {
	s := newCommon()
	one := serve(t, s, Settings{}).configure(revised("v2"))
	other := serve(t, s, Settings{}).configure(revised("v2"))
	if err := one.c.Command(context.Background(), one.now, Command{Verb: Promote, Full: true}); err != nil {
		t.Fatal(err)
	}
	one.expect("everywhere", Promoted, 4, "100%", KindStarted, KindPromoted)
	other.look(s)
	one.configure(revised("v3"))
	one.expect("the next", Progressing, 1, "1%", KindStarted)
	other.look(s)
	other.expect("v2 goes on there", Promoted, 1, "100%")
	if err := one.command(Abort); err != nil {
		t.Fatal(err)
	}
	other.look(s)
	other.expect("whatever becomes of v3", Promoted, 1, "100%")
}

func TestSupersededRevisionAtStart(t *testing.T) {
	s := newCommon()
	one := serve(t, s, Settings{}).configure(revised("v2")).configure(revised("v3"))
	late := serve(t, s, Settings{}).configure(revised("v2"))
	late.expect("a process with an old configuration", RolledBack, 1, "0%")
	late.tick(time.Hour, Observations{})
	late.expect("is outdated as long as others go by the newer", RolledBack, 1, "0%")
	late.tick(time.Second, Observations{Unopposed: late.c.View().Record.Version()})
	late.expect("and takes over then", Progressing, 1, "1%", KindStarted)
	if reason := late.c.View().Record.Reason; reason != `no gateway releases "v3" any more` {
		t.Errorf("because %s", reason)
	}
	one.look(s)
	one.expect("now the other one is", RolledBack, 1, "0%", KindStarted, KindStarted)
	if err := one.command(Restart); err != nil {
		t.Fatal(err)
	}
	one.expect("unless somebody says so", Progressing, 1, "1%", KindStarted)
	if record := stored(t, s); record.Revision != "v3" || record.Epoch != 1 {
		t.Errorf("the store has %+v", record)
	}
}

// TestStoreOfOneGateway: where nobody else can have another revision whatever is configured counts.
func TestStoreOfOneGateway(t *testing.T) {
	s := store.NewMemory()
	serve(t, s, Settings{}).configure(revised("v2"))
	serve(t, s, Settings{}).configure(revised("v3"))
	g := serve(t, s, Settings{}).configure(revised("v2"))
	g.expect("as it was before", Progressing, 1, "1%", KindStarted)
}

// TestDeliberateRevision: a configuration that a running gateway gets in the place of what it released is meant so.
func TestDeliberateRevision(t *testing.T) {
	s := newCommon()
	g := serve(t, s, Settings{}).configure(revised("v2")).configure(revised("v3"))
	s.swaps = func() { // another gateway is faster with something else
		other := serve(t, s.link(), Settings{}).configure(revised("v3"))
		if err := other.command(Pause); err != nil {
			t.Error(err)
		}
	}
	g.configure(revised("v2"))
	g.expect("back to what was before", Progressing, 1, "1%", KindStarted, KindStarted, KindStarted)
	if record := stored(t, s); record.Revision != "v2" || record.Epoch != 1 || len(record.Past) != 1 || record.Past[0].Revision != "v3" {
		t.Errorf("the store has %+v", record)
	}
	outdated := serve(t, s, Settings{}).configure(revised("v3"))
	outdated.configure(revised("v3"))
	outdated.expect("the same again is not", RolledBack, 1, "0%")
}

func TestCommandsThroughAnOutdatedGateway(t *testing.T) {
	s := newCommon()
	one := serve(t, s, Settings{}).configure(revised("v2")).configure(revised("v3"))
	late := serve(t, s, Settings{}).configure(revised("v2"))
	for _, verb := range []Verb{Promote, Resume, Jump, SetWeight} {
		if err := late.command(verb); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", string(verb), err)
		}
	}
	if err := late.command(Promote); err == nil || !strings.Contains(err.Error(), `configured with revision "v2", and "v3" is being released`) {
		t.Errorf("it says %v", err)
	}
	if err := late.command(Pause); err != nil {
		t.Fatal(err)
	}
	one.look(s)
	one.expect("what is safe is done", Paused, 1, "1%", KindStarted, KindStarted)
	if err := late.command(Abort); err != nil {
		t.Fatal(err)
	}
	one.look(s)
	one.expect("to what the others release", RolledBack, 1, "0%")
	late.expect("and nothing to its own", RolledBack, 1, "0%", KindPaused, KindRolledBack)
}

// TestPlansThatDiffer: gateways whose plans have other steps neither take the rollout from one to the other nor drive each
// other forward.
func TestPlansThatDiffer(t *testing.T) {
	s := newCommon()
	ours := planned(Step{Weight: 10 * percent, For: time.Minute}, Step{Weight: 60 * percent, For: 10 * time.Minute}, Step{Weight: balance.Full, For: time.Minute})
	theirs := planned(Step{Weight: 20 * percent, For: 5 * time.Minute}, Step{Weight: 50 * percent, For: 5 * time.Minute}, Step{Weight: balance.Full, For: time.Minute})
	one := serve(t, s, Settings{}).configure(ours)
	other := serve(t, s, Settings{}).configure(theirs)
	one.expect("its first step", Progressing, 1, "10%", KindStarted)
	other.expect("of which the other has none", Progressing, 1, "10%")
	for i := 0; i < 100; i++ {
		one.tick(time.Second, Observations{Follows: true})
		other.tick(time.Second, Observations{Follows: true})
		one.look(s)
		other.look(s)
	}
	one.expect("nobody judges", Progressing, 1, "10%")
	other.expect("nobody moves", Progressing, 1, "10%")
	other.wait(200*time.Second, Pass)
	other.expect("its time is that of the step above", Progressing, 1, "20%", KindStepAdvanced)
	one.look(s)
	one.expect("and the first one follows", Progressing, 2, "20%")
	one.wait(9*time.Minute, Pass)
	one.expect("which waits for its own next", Progressing, 2, "20%")
	one.wait(time.Minute, Pass)
	one.expect("and goes on there", Progressing, 2, "60%", KindStepAdvanced)
	other.look(s)
	other.wait(time.Hour, Hold)
	other.expect("never back", Progressing, 3, "60%", KindHeld)
	other.configure(theirs)
	other.expect("nor forward by the same configuration again", Progressing, 3, "60%")
}

func version(t *testing.T, s store.Store) string {
	record := stored(t, s)
	return record.Version()
}

// TestEditedPlanOfWhoIsAlone: a gateway that begins with another plan goes by it when no other one is there.
func TestEditedPlanOfWhoIsAlone(t *testing.T) {
	s := newCommon()
	serve(t, s, Settings{}).configure(planned(Step{Weight: 10 * percent, For: time.Hour}, Step{Weight: balance.Full}))
	g := serve(t, s, Settings{}).configure(planned(Step{Weight: 20 * percent, For: time.Hour}, Step{Weight: balance.Full}))
	g.tick(time.Second, Observations{Unopposed: "0"})
	g.expect("others may be there", Progressing, 1, "10%")
	g.tick(time.Second, Observations{Unopposed: version(t, s)})
	g.expect("nobody is", Progressing, 1, "20%", KindStepAdvanced)
}

// TestWeightsSetWhileADeployGoesOn: they count in each gateway until the configuration that drops them comes there, and the
// first tells so.
func TestWeightsSetWhileADeployGoesOn(t *testing.T) {
	s := newCommon()
	release := revised("v2")
	release.Plan = nil
	release.Weights = []balance.Weight{0, 50 * percent}
	one := serve(t, s, Settings{}).configure(release)
	other := serve(t, s, Settings{}).configure(release)
	stop := Command{Verb: SetWeight, Variant: "canary", Weight: "0%"}
	if err := one.c.Command(context.Background(), one.now, stop); err != nil {
		t.Fatal(err)
	}
	other.look(s)
	release.Weights = []balance.Weight{0, 1 * percent}
	release.Declaration = "the next"
	one.configure(release)
	one.expect("the next configuration", Idle, 0, "1%", KindWeightSet, KindWeightSet)
	other.look(s)
	other.expect("it is not here yet", Idle, 0, "0%")
	other.configure(release)
	other.expect("and now it is", Idle, 0, "1%")
	one.look(s)
	for _, g := range []*gateway{one, other} {
		if version := g.c.View().Record.Version(); version != "2" {
			t.Errorf("it has version %s, and two things happened", version)
		}
	}
}

// TestToldOnce: of gateways that share a store one tells of each event, and the others learn of it.
func TestToldOnce(t *testing.T) {
	s := newCommon()
	var learned []Event
	release := usual()
	release.Member = "one"
	one := serve(t, s, Settings{}).configure(release)
	release.Member = "other"
	other := serve(t, s, Settings{Learn: func(events []Event) { learned = append(learned, events...) }}).configure(release)
	one.wait(time.Second, Fail)
	other.wait(time.Second, Fail)
	s.swaps = func() { one.wait(time.Second, Fail) } // both roll back at the same time
	other.wait(time.Second, Fail)
	one.expect("whose write came first tells", RolledBack, 1, "0%", KindStarted, KindRolledBack)
	other.expect("and the other does not", RolledBack, 1, "0%")
	if len(learned) != 1 || learned[0].Kind != KindRolledBack || learned[0].Member != "one" {
		t.Errorf("it learned of %+v", learned)
	}
	if record := stored(t, s); record.LastEvent() != 2 || record.Epoch != 1 {
		t.Errorf("the store has %+v", record)
	}
}

// forgetful is a store whose answers get lost.
type forgetful struct {
	*common
	lose bool
}

func (f *forgetful) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	version, err := f.common.Swap(ctx, name, version, content)
	if f.lose && err == nil {
		return "", errCut
	}
	return version, err
}

// TestResumedElsewhere: who was paused, and had something else to save, does not pause again what others resumed.
func TestResumedElsewhere(t *testing.T) {
	s := newCommon()
	way := s.link()
	one := serve(t, way, Settings{}).configure(usual())
	other := serve(t, s, Settings{}).configure(usual())
	if err := one.command(Pause); err != nil {
		t.Fatal(err)
	}
	way.cut(true)
	one.tick(time.Second, Observations{Mismatch: &Mismatch{Position: one.c.View().Position, Reason: "uneven"}})
	other.look(s)
	if err := other.command(Resume); err != nil {
		t.Fatal(err)
	}
	way.cut(false)
	one.tick(time.Second, Observations{})
	one.expect("resumed", Progressing, 1, "1%", KindStarted, KindPaused, KindMismatch)
}

// TestAgeIsKept: whichever gateway saves how old a step is, nobody's step becomes younger, and those who begin know it.
func TestAgeIsKept(t *testing.T) {
	s := newCommon()
	one := serve(t, s, Settings{Checkpoint: time.Minute}).configure(usual())
	one.tick(5*time.Minute, Observations{})
	late := serve(t, s, Settings{Checkpoint: time.Minute}).configure(usual())
	one.tick(30*time.Second, Observations{})
	late.tick(2*time.Minute, Observations{Follows: true})
	one.look(s)
	if age := one.c.View().Record.Age; age != 5*time.Minute+30*time.Second {
		t.Errorf("the step is %v old where it was seen from its beginning", age)
	}
	late.now.Wall = late.now.Wall.Add(-30 * time.Second)
	late.tick(4*time.Minute, Observations{})
	one.look(s)
	if age := one.c.View().Record.Age; age != 11*time.Minute {
		t.Errorf("the step is %v old, want what the gateway has seen that has seen most", age)
	}
	if age := stored(t, s).Age; age != 11*time.Minute {
		t.Errorf("%v is saved", age)
	}
}

// TestMoveToACommonStore: a gateway that joins others goes by what they have.
func TestMoveToACommonStore(t *testing.T) {
	s := newCommon()
	serve(t, s, Settings{}).configure(revised("v2")).wait(10*time.Minute, Pass)
	g := serve(t, store.NewMemory(), Settings{}).configure(revised("v2"))
	g.c.Move(context.Background(), g.now, s, false)
	g.configure(revised("v2"))
	g.expect("as they do", Progressing, 2, "10%", KindStarted)

	empty := newCommon()
	g.c.Move(context.Background(), g.now, empty, false)
	g.configure(revised("v2"))
	g.expect("who is first brings what it has", Progressing, 2, "10%")
	if record := stored(t, empty); record.Step != 2 {
		t.Errorf("there is %+v", record)
	}
}
