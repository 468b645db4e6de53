package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// lastEpoch is the last that a test began: an epoch that comes back would bring its assignments back.
var lastEpoch = 0

// beginEpoch shows an engine's rollout as if another epoch had begun.
func beginEpoch(e *Engine, promotion bool, now time.Time) {
	v := e.live.shownTo(e)
	if v == nil {
		v = e.live.preview(e)
	}
	copied := *v
	lastEpoch++
	copied.Record.Epoch = lastEpoch
	copied.Position.Epoch = lastEpoch
	copied.Record.State = rollout.RolledBack
	if promotion {
		copied.Record.State = rollout.Promoted
	}
	copied.Record.Since = now
	e.live.show(&copied)
}

// alone returns a decision without the phase that it belongs to, for comparing those of several engines.
func alone(d Decision) Decision {
	d.phase = nil
	return d
}

// command tells a rollout something, and fails the test if it does not obey.
func command(t *testing.T, l *Live, c rollout.Command) Status {
	t.Helper()
	status, err := l.Command(context.Background(), c, "")
	if err != nil {
		t.Fatalf("%s: %v", c.Verb, err)
	}
	return status
}

// weigh gives a variant another share, as people do.
func weigh(e *Engine, variant, weight string) error {
	_, err := e.live.Command(context.Background(), rollout.Command{Verb: rollout.SetWeight, Variant: variant, Weight: weight}, "")
	return err
}

// inForce compiles a configuration and puts it in force, without its background work.
func inForce(t testing.TB, config Config, live *Live, host Host) *Engine {
	t.Helper()
	e := compile(t, config, live, host)
	e.live.takeOver(context.Background(), e)
	return e
}

// TestPhases: what requests meet in every state that people lead a plan to.
func TestPhases(t *testing.T) {
	config := planned() // canary: 10%, then 50%; blue has 5%
	live := NewLive()
	e := inForce(t, config, live, Host{})
	seen := func(what, want string) {
		t.Helper()
		// By their slots ada, bob and eve get the first tenth, the first half and blue's share; one has no key, two come by rules.
		got := decided(e, "Cookie: uid=ada") + "; " + decided(e, "Cookie: uid=bob") + "; " + decided(e, "Cookie: uid=eve") + "; " +
			decided(e) + "; " + decided(e, "X-Version: v2") + "; " + decided(e, "X-Version: v1")
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	const first = "canary by split; stable by split; blue by split; stable by base; canary by rule qa; stable by rule old"
	seen("step 1", first)
	command(t, live, rollout.Command{Verb: rollout.Promote})
	seen("step 2", "canary by split; canary by split; blue by split; stable by base; canary by rule qa; stable by rule old")
	command(t, live, rollout.Command{Verb: rollout.Pause})
	command(t, live, rollout.Command{Verb: rollout.SetWeight, Variant: "canary", Weight: "0"})
	seen("paused at nothing", "stable by split; stable by split; blue by split; stable by base; canary by rule qa; stable by rule old")
	command(t, live, rollout.Command{Verb: rollout.Promote})
	seen("promoted", "canary by split; canary by split; blue by split; canary by base; canary by rule qa; stable by rule old")
	d := e.Decide(get("X-Version: v1"), "", noon)
	if e.FallsBack(d, get()) != true || e.Fallback(d).Variant != "canary" {
		t.Error("the base that serves in the baseline's place is not who was promoted")
	}
	if d := e.Decide(get("Cookie: uid=ada"), "", noon); e.FallsBack(d, get()) {
		t.Error("who was promoted falls back")
	}
	command(t, live, rollout.Command{Verb: rollout.Abort})
	seen("aborted", "stable by split; stable by split; blue by split; stable by base; stable by rolled_back; stable by rule old")
	if d := e.Decide(get("X-Version: v2"), "", noon); e.FallsBack(d, get()) || d.Rule != "" {
		t.Errorf("rolled back by rule: %+v", d)
	}
	command(t, live, rollout.Command{Verb: rollout.Restart})
	seen("restarted", first)
}

// TestRejectedConfigurationsChangeNothing: what is compiled and never runs has shown nobody anything.
func TestRejectedConfigurationsChangeNothing(t *testing.T) {
	live := NewLive()
	e := inForce(t, planned(), live, Host{})
	command(t, live, rollout.Command{Verb: rollout.Promote})
	before, _ := live.Status()
	other := planned()
	other.Revision = "v3"
	rejected := compile(t, other, live, Host{})
	if got := decided(rejected, "Cookie: uid=bob"); got != "stable by split" {
		t.Errorf("a new revision begins with %s", got)
	}
	edited := planned()
	edited.Plan.Steps = []Step{{Weight: "1%", For: "1m"}, {Weight: "20%", For: "1m"}, {Weight: "60%", For: "1m"}, {Weight: "95%", Manual: true}}
	if got := compile(t, edited, live, Host{}).Weights()[1].String(); got != "60%" {
		t.Errorf("an edited plan goes on at %s", got)
	}
	after, _ := live.Status()
	if before.Version != after.Version || before.Revision != after.Revision || e.Weights()[1].String() != "50%" {
		t.Errorf("the rollout was %+v and is %+v", before, after)
	}
}

// TestEnginesOfARevisionGoTogether: one that is about to be replaced follows what happens, one of another revision does
// not.
func TestEnginesOfARevisionGoTogether(t *testing.T) {
	live := NewLive()
	old := inForce(t, planned(), live, Host{Remember: true})
	if got := Decide(old, get("Cookie: uid=ada"), "", noon).Variant; got != "canary" {
		t.Fatal(got)
	}
	edited := planned()
	edited.Rules = nil
	inForce(t, edited, live, Host{})
	command(t, live, rollout.Command{Verb: rollout.Abort})
	if Recall(old, get("Cookie: uid=ada")) != nil {
		t.Error("a memory outlives the phase")
	}
	if got := Decide(old, get("Cookie: uid=ada"), "", noon).Variant; got != "stable" {
		t.Errorf("after the rollback the engine before leads to %s", got)
	}
	next := planned()
	next.Revision = "v3"
	inForce(t, next, live, Host{})
	if got := decided(old, "Cookie: uid=ada"); got != "stable by split" {
		t.Errorf("after the next revision began the old engine leads to %s", got)
	}
}

// TestTheLastConfigurationStaysInForce: one that begins when it was replaced already changes nothing.
func TestTheLastConfigurationStaysInForce(t *testing.T) {
	live := NewLive()
	late := compile(t, planned(), live, Host{})
	edited := planned()
	edited.Rules = nil
	last := inForce(t, edited, live, Host{})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	late.Run(ended)
	live.takeOver(context.Background(), late)
	if live.inForce() != last {
		t.Error("the configuration before is in force again")
	}
	command(t, live, rollout.Command{Verb: rollout.Promote})
	if got := decided(last, "Cookie: uid=bob"); got != "canary by split" {
		t.Errorf("the last configuration does not follow its rollout: %s", got)
	}
}

// TestStateOutlivesTheProcess: another Live with the same store goes on where the first was.
func TestStateOutlivesTheProcess(t *testing.T) {
	kept := store.NewMemory()
	host := Host{Store: kept, StoreName: "kept"}
	config := planned()
	for _, verbs := range [][]rollout.Verb{{rollout.Promote}, {rollout.Pause}, {rollout.Promote, rollout.Promote}, {rollout.Abort}, {rollout.Abort, rollout.Restart}} {
		config.Revision += "+"
		live := NewLive()
		e := inForce(t, config, live, host)
		for _, verb := range verbs {
			command(t, live, rollout.Command{Verb: verb})
		}
		was, _ := live.Status()
		again := NewLive()
		next := compile(t, config, again, host)
		for _, uid := range []string{"ada", "bob", "eve", "kim"} {
			if a, b := decided(e, "Cookie: uid="+uid), decided(next, "Cookie: uid="+uid); a != b {
				t.Errorf("%v: %s had %s and gets %s before the engine runs", verbs, uid, a, b)
			}
		}
		again.takeOver(context.Background(), next)
		if is, _ := again.Status(); is.State != was.State || is.Step != was.Step || is.Epoch != was.Epoch || is.Version != was.Version {
			t.Errorf("%v: it was %+v and is %+v", verbs, was, is)
		}
		if a, b := current(e).generation, current(next).generation; a != b {
			t.Errorf("%v: assignments of generation %x do not count in %x", verbs, a, b)
		}
	}
}

// TestStoreThatIsAway: as long as nobody knows how far the plan has come, the candidate gets nothing.
func TestStoreThatIsAway(t *testing.T) {
	live := NewLive()
	e := inForce(t, planned(), live, Host{Store: away{}, StoreName: "away"})
	if got := decided(e, "Cookie: uid=ada"); got != "stable by split" {
		t.Errorf("without a store: %s", got)
	}
	status, ok := live.Status()
	if !ok || status.State != "unknown" || !strings.Contains(status.StoreAway, "unplugged") || status.Revision != "v2" {
		t.Errorf("%+v", status)
	}
	if _, err := live.Command(context.Background(), rollout.Command{Verb: rollout.Promote}, ""); !errors.Is(err, rollout.ErrAway) {
		t.Errorf("a command: %v", err)
	}
	live.takeOver(context.Background(), compile(t, planned(), live, Host{}))
	if status, _ := live.Status(); status.State != "progressing" || status.StoreAway != "" {
		t.Errorf("with another store: %+v", status)
	}
}

// away is a store that nobody can reach.
type away struct{ store.Store }

func (away) Load(_ context.Context, _ string) (store.Document, error) {
	return store.Document{}, errors.New("unplugged")
}

func (away) Swap(_ context.Context, _, _ string, _ []byte) (string, error) {
	return "", errors.New("unplugged")
}

// TestAnotherStore: the state moves along.
func TestAnotherStore(t *testing.T) {
	live := NewLive()
	inForce(t, planned(), live, Host{})
	command(t, live, rollout.Command{Verb: rollout.Promote})
	kept := store.NewMemory()
	inForce(t, planned(), live, Host{Store: kept, StoreName: "kept"})
	if status, _ := live.Status(); status.Step != 2 {
		t.Errorf("in another store it is at step %d", status.Step)
	}
	other := NewLive()
	inForce(t, planned(), other, Host{Store: kept, StoreName: "kept"})
	if status, _ := other.Status(); status.Step != 2 {
		t.Errorf("the other store has step %d", status.Step)
	}
}

// TestWhatCountsForThePlan: outcomes of those who came by chance, of testers only while nobody else comes, and none of
// those who serve in the place of others.
func TestWhatCountsForThePlan(t *testing.T) {
	config := planned()
	config.Plan.Steps = []Step{{Weight: "0", Manual: true}, {Weight: "10%", Manual: true}}
	live := NewLive()
	e := inForce(t, config, live, Host{})
	answer := func(status int, headers ...string) {
		d := e.Decide(get(headers...), "", noon)
		e.Report(d, Outcome{Status: status, Latency: 20 * time.Millisecond})
		if status == 0 {
			e.Report(e.Fallback(d), Outcome{Status: 200, Latency: time.Millisecond})
		}
	}
	counted := func(what string, want ...int64) {
		t.Helper()
		status, _ := live.Status()
		for i := range want {
			v := status.Variants[i/2]
			got := v.Requests
			if i%2 == 1 {
				got = v.Failures
			}
			if got != want[i] {
				t.Errorf("%s: %s has %d requests and %d failures, want %v", what, v.Name, v.Requests, v.Failures, want)
			}
		}
	}
	answer(200, "X-Version: v2")
	answer(500, "X-Version: v2")
	answer(200, "Cookie: uid=ada")
	answer(200) // without a key: the base's, whoever that is
	counted("testers alone", 1, 0, 2, 1)
	before := e.Decide(get("X-Version: v2"), "", noon)
	command(t, live, rollout.Command{Verb: rollout.Promote})
	e.Report(before, Outcome{Status: 500})
	counted("a step begins", 0, 0, 0, 0)
	answer(200, "X-Version: v2")
	answer(0, "Cookie: uid=ada")
	answer(503, "Cookie: uid=ada")
	answer(200, "Cookie: uid=bob")
	e.Report(e.Decide(get("Cookie: uid=ada"), "", noon), Outcome{Status: 499, Gone: true})
	counted("testers among others", 1, 0, 2, 2)
	rejected := config
	rejected.Revision = "v3"
	compile(t, rejected, live, Host{})
	edited := config
	edited.Rules = nil
	e = inForce(t, edited, live, Host{})
	answer(200, "Cookie: uid=ada")
	counted("a reload in the step, after one that was rejected", 1, 0, 3, 2)
	status, _ := live.Status()
	if p := status.Variants[1].LatencyP50; p < 19*time.Millisecond || p > 21*time.Millisecond {
		t.Errorf("the median of 20 ms is %s", p)
	}
}

// TestStatusCounts what happened since the process began, and says nothing of what never did.
func TestStatusCounts(t *testing.T) {
	live := NewLive()
	e := inForce(t, planned(), live, Host{})
	e.Report(e.Decide(get("Cookie: uid=ada"), "", noon), Outcome{Status: 200})
	e.Report(e.Decide(get("X-Version: v2"), "", noon), Outcome{Status: 200})
	live.Routed().TimedOut.Add(3)
	status, _ := live.Status()
	if got, want := fmt.Sprint(status.Counts), "map[decisions_rule:1 decisions_split:1 router_timed_out:3]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
