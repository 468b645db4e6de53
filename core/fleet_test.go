package core

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet"
	"github.com/grayling-gateway/grayling/core/fleet/fleettest"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// gateway is one of a fleet.
type gateway struct {
	live   *Live
	link   *fleettest.Store
	status *atomic.Int64 // of its canary's answers

	mu    sync.Mutex
	log   bytes.Buffer    // guarded by mu, as what follows
	heard []rollout.Event // what it told
}

func (g *gateway) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := g.log.Write(line)
	return n, err
}

func (g *gateway) logged() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

// told returns how often it told of a kind of event.
func (g *gateway) told(kind rollout.Kind) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for i := range g.heard {
		if g.heard[i].Kind == kind {
			n++
		}
	}
	return n
}

// enter puts another gateway in force until the test ends, with requests unless it is idle.
func enter(t *testing.T, common *fleettest.Store, name string, config Config, idle bool) *gateway {
	t.Helper()
	g := &gateway{live: NewLive(), link: common.Link(), status: &atomic.Int64{}}
	g.status.Store(200)
	config.Member = name
	host := g.host()
	if !idle {
		run(t, config, g.live, host, g.status)
		return g
	}
	stop := g.begin(t, config)
	t.Cleanup(stop)
	return g
}

func (g *gateway) host() Host {
	return Host{Store: g.link, StoreName: "common", Gateway: "test v1", Log: slog.New(slog.NewTextHandler(g, nil)), Listen: func(events []rollout.Event) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.heard = append(g.heard, events...)
	}}
}

// begin puts a configuration in force, and returns what ends that.
func (g *gateway) begin(t *testing.T, config Config) func() {
	t.Helper()
	return inBackground(compile(t, config, g.live, g.host()))
}

// inBackground runs an engine, and returns what ends that.
func inBackground(e *Engine) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}
}

// wait waits for something to become true.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: that does not come about", what)
		}
	}
}

func member(s Status, name string) MemberStatus {
	for _, m := range s.Members {
		if m.Name == name {
			return m
		}
	}
	return MemberStatus{}
}

// TestFleetJudgesAsOne: a canary that fails behind one gateway only is rolled back everywhere, once, and those who have no
// requests of their own know those of the others.
func TestFleetJudgesAsOne(t *testing.T) {
	t.Parallel()
	config := swift()
	config.Plan.Checks = []string{`error_rate("canary") <= 0.2`, `requests("canary") > 60`}
	common := fleettest.New()
	one, two, idle := enter(t, common, "one", config, false), enter(t, common, "two", config, false), enter(t, common, "idle", config, true)
	all := []*gateway{one, two, idle}
	for i := range all {
		until(t, all[i].live, "progressing", 3)
	}
	told := func(kind rollout.Kind) int { return one.told(kind) + two.told(kind) + idle.told(kind) }
	wait(t, "the steps are told", func() bool { return told(rollout.KindStepAdvanced) >= 2 })
	if n := told(rollout.KindStepAdvanced); n != 2 {
		t.Errorf("%d times a gateway told of a step, and there were 2", n)
	}
	wait(t, "the idle gateway judges all requests", func() bool {
		s, _ := idle.live.Status()
		own, others := member(s, "idle"), member(s, "one").Requests+member(s, "two").Requests
		return s.Variants[1].Requests > 60 && s.Evaluation != nil && s.Evaluation.Verdict == rollout.Pass && own.Self && own.Judges && own.Requests == 0 && others > 60
	})
	for _, name := range []string{"one", "two", "idle"} {
		name := name
		wait(t, "the others are known to one, with "+name, func() bool { // by their next reports
			s, _ := one.live.Status()
			m := member(s, name)
			return m.Gateway == "test v1" && m.Revision == "v2" && m.State == "progressing" && m.Step == 3 && m.Weight == "95%" && m.Differs == "" && m.Reported <= 30*time.Second
		})
	}
	two.status.Store(500)
	for i := range all {
		rolled := until(t, all[i].live, "rolled_back", 3)
		if rolled.Cause != "check" || !strings.Contains(rolled.Reason, `error_rate("canary") <= 0.2`) {
			t.Errorf("rolled back by %s: %s", rolled.Cause, rolled.Reason)
		}
	}
	wait(t, "the rollback is told", func() bool { return told(rollout.KindRolledBack) >= 1 })
	if n := told(rollout.KindRolledBack); n != 1 {
		t.Errorf("%d gateways told of the rollback", n)
	}
	for i := range all {
		g := all[i]
		wait(t, "it is logged", func() bool { return strings.Contains(g.logged(), "rollout rolled_back") })
	}
	command(t, idle.live, rollout.Command{Verb: rollout.Restart})
	two.status.Store(200)
	until(t, two.live, "progressing", 3)
}

// TestReloadIsNoEnd: a gateway stays among the others while its old configuration has ended, and the new one is not in force yet. One
// that ends leaves them, whatever configurations were rejected.
func TestReloadIsNoEnd(t *testing.T) {
	t.Parallel()
	common := fleettest.New()
	g := &gateway{live: NewLive(), link: common.Link(), status: &atomic.Int64{}}
	config := planned()
	config.Member = "one"
	number := func() int64 { // of its last report; 0: it has left, or said nothing yet
		list, err := common.Reports(context.Background(), config.Name, 0)
		if err != nil || len(list) > 1 {
			t.Fatalf("%d reports, error %v", len(list), err)
		}
		if len(list) == 0 {
			return 0
		}
		r, err := fleet.Decode(list[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		return r.Number
	}
	stop := g.begin(t, config)
	wait(t, "it reports", func() bool { return number() > 0 })
	replacement := compile(t, config, g.live, g.host())
	g.live.taking.Lock()
	next := inBackground(replacement)
	wait(t, "the next begins", func() bool { return g.live.begun.Load() == replacement.order })
	stop()
	said := number()
	if said == 0 {
		t.Errorf("it left, and goes on")
	}
	g.live.taking.Unlock()
	wait(t, "the next is in force, and reports", func() bool { return g.live.inForce() == replacement && number() > said })
	compile(t, config, g.live, g.host())
	next()
	if number() > 0 {
		t.Errorf("it has ended, and is among the others")
	}
}

// TestFleetWithoutItsStore: weights stay, steps freeze, a rollback works at once, and is in force everywhere later, whatever
// the others came to meanwhile.
func TestFleetWithoutItsStore(t *testing.T) {
	t.Parallel()
	config := swift()
	config.Plan.Steps = []Step{{Weight: "50%", For: "15s"}, {Weight: "95%", Manual: true}}
	common := fleettest.New()
	one, two := enter(t, common, "one", config, false), enter(t, common, "two", config, false)
	until(t, one.live, "progressing", 1)
	until(t, two.live, "progressing", 1)
	one.link.Cut(true)
	wait(t, "it knows", func() bool { s, _ := one.live.Status(); return s.StoreAway != "" })
	until(t, two.live, "progressing", 2)
	if s, _ := one.live.Status(); s.State != "progressing" || s.Step != 1 || s.Variants[1].Weight != "50%" {
		t.Errorf("cut off it is %s at step %d with %s", s.State, s.Step, s.Variants[1].Weight)
	}
	one.status.Store(500)
	until(t, one.live, "rolled_back", 1)
	command(t, two.live, rollout.Command{Verb: rollout.Promote, Full: true})
	if s := until(t, two.live, "promoted", 2); s.Base != "canary" {
		t.Errorf("promoted to %s", s.Base)
	}
	one.link.Cut(false)
	until(t, two.live, "rolled_back", 2)
	if s := until(t, one.live, "rolled_back", 2); s.Base != "stable" || s.Cause != "check" {
		t.Errorf("%s serves after a rollback by %s", s.Base, s.Cause)
	}
}
