//go:build !race

package rollout

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

var fleets = flag.Uint64("fleets", 2500, "how many fleets TestProtocol runs")

// TestProtocol runs fleets through whatever can happen to them and to their store, each in an order of its own, and holds
// them to what people may rely on. A seed that fails is run again for the story that led to it.
func TestProtocol(t *testing.T) {
	seeds := *fleets
	total := map[string]int{}
	for seed := uint64(1); seed <= seeds; seed++ {
		w := newWorld(seed)
		w.live()
		if w.wrong != "" {
			again := newWorld(seed)
			again.traced = true
			again.live()
			told := again.trace[max(0, len(again.trace)-60):]
			t.Fatalf("seed %d: %s\n%s", seed, w.wrong, strings.Join(told, "\n"))
		}
		for what, n := range w.happened {
			total[what] += n
		}
	}
	t.Logf("%d fleets: %v", seeds, total)
	for _, what := range []string{"step_advanced", "promoted", "rolled_back by check", "rolled_back by operator", "restarted by operator", "paused by operator",
		"resumed by operator", "held", "conflicts", "lost", "unanswered", "late", "kills", "cuts", "deploys", "started", "outdated"} {
		if total[what] < 100 && uint64(total[what]) < seeds/20 {
			t.Errorf("%q happened %d times: this test says little about it", what, total[what])
		}
	}
}

// chaos is how long things go wrong. Then nothing does any more.
const chaos = 60 * time.Second

const stepFor = 6 * time.Second

func newWorld(seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 8)), happened: map[string]int{}, epochs: map[string]int{}}
	w.faultless = seed%4 == 0
	w.delegates = seed%3 == 0
	for i := 0; i < 2+w.random.IntN(4); i++ {
		m := &member{w: w, name: string(rune('A' + i)), skew: w.upTo(time.Minute) - 30*time.Second, healthy: true}
		m.release = planned(Step{Weight: percent, For: stepFor}, Step{Weight: 10 * percent, For: stepFor}, Step{Weight: 50 * percent, For: stepFor}, Step{Weight: balance.Full})
		m.release.Plan.Window = DefaultEvery
		w.members = append(w.members, m)
	}
	return w
}

// live lets a fleet live.
func (w *world) live() {
	for _, m := range w.members {
		w.after(w.upTo(3*time.Second), func() { m.begin() })
	}
	for i := 0; i < 12; i++ {
		w.after(w.upTo(chaos), w.something)
	}
	final := "v2"
	if w.one(3) || w.faultless {
		final = "v3"
		w.after(settled+w.upTo(chaos/2), w.roll)
	}
	w.runUntil(chaos)
	w.calm = true
	for _, m := range w.members {
		m.healthy, m.flaky = true, false
		m.isolate(false)
		if m.release.Revision != final {
			m.deploy(final)
		}
	}
	w.runUntil(chaos + settled + 6*longestLate)
	w.auditEnd(final)
}

// roll deploys the next revision, gateway by gateway.
func (w *world) roll() {
	at := time.Duration(0)
	for _, i := range w.random.Perm(len(w.members)) {
		at += w.upTo(6 * time.Second)
		w.after(at, func() { w.members[i].deploy("v3") })
	}
}

// something happens, to one of the members.
func (w *world) something() {
	m := w.members[w.random.IntN(len(w.members))]
	lasts := w.upTo(10 * time.Second)
	if m.c == nil {
		return
	}
	what := w.random.IntN(16)
	if w.faultless && what < 6 {
		return
	}
	switch what {
	case 0, 1:
		w.happened["cuts"]++
		m.isolate(true)
		w.after(lasts, func() { m.isolate(false) })
	case 2, 3:
		m.flaky = true
		w.after(lasts, func() {
			m.flaky = false
			m.well = w.now
		})
	case 4:
		w.note("%s's watch breaks", m.name)
		m.deaf = true
		w.after(lasts, func() { m.isolate(m.cut) })
	case 5:
		w.happened["kills"]++
		m.kill()
		m.begin()
	case 6, 7:
		w.note("%s sees the candidate fail", m.name)
		m.healthy = false
		w.after(lasts, func() { m.healthy = true })
	case 8:
		m.configure(m.release)
	case 9:
		if !w.faultless {
			m.deploy([]string{"v2", "v3"}[w.random.IntN(2)])
		}
	default:
		m.command([]Command{{Verb: Promote}, {Verb: Promote, Full: true}, {Verb: Jump, Step: 1 + w.random.IntN(3)}, {Verb: Pause}, {Verb: Pause}, {Verb: Resume},
			{Verb: Resume}, {Verb: Abort}, {Verb: Restart}, {Verb: Restart}}[w.random.IntN(10)])
	}
}

// command has somebody tell a member something.
func (m *member) command(c Command) {
	m.do("", func() {
		m.w.happened[purpose[c.Verb]]++
		err := m.c.Command(context.Background(), m.clock(), c)
		m.w.note("%s is told to %s: %v", m.name, string(c.Verb), err)
		if err != nil && !errors.Is(err, ErrAway) {
			m.w.happened[purpose[c.Verb]]--
		}
	})
}

// purpose is what commands are counted as, beside the events that they may lead to.
var purpose = map[Verb]string{Promote: "commands forward", Jump: "commands forward", Pause: "commands to pause", Resume: "commands to resume", Abort: "commands to abort",
	Restart: "commands to restart"}

const (
	settled = patience + 2*time.Second      // after which a member that was cut off knows what there is
	lag     = longestWatch + 20*longestHop  // after which a member knows what others did
	slack   = patience + longestWatch + lag // by which ages may differ: of what is being written they count from before
)

// auditCommit holds what is written to what was there before.
func (w *world) auditCommit(old, next *commit) {
	before, after := &old.record, &next.record
	known := before.Events
	if len(after.Events) < len(known) {
		w.fail("%s forgets events", next.by.name)
		return
	}
	for i := range known {
		if identity(&known[i]) != identity(&after.Events[i]) || known[i].ID != after.Events[i].ID {
			w.fail("%s replaces event %d", next.by.name, known[i].ID)
			return
		}
	}
	if epoch, known := w.epochs[after.Revision]; known && (after.Epoch < epoch || after.Revision != before.Revision && after.Epoch == epoch) || after.Entry < before.Entry {
		w.fail("%s goes back from epoch %d, entry %d to epoch %d, entry %d", next.by.name, before.Epoch, before.Entry, after.Epoch, after.Entry)
	}
	w.epochs[after.Revision] = after.Epoch
	if before.State == Progressing {
		w.age += next.at - old.at
	}
	state := walk{state: before.State, step: before.Step, epoch: before.Epoch, revision: before.Revision, last: before.LastEvent()}
	for _, e := range after.Events[len(known):] {
		w.auditEvent(&state, &e, e.Time.Sub(monday)-next.by.skew)
		name := string(e.Kind)
		if e.Cause != "" {
			name += " by " + string(e.Cause)
		}
		w.happened[name]++
	}
	if state.state != after.State || state.step != after.Step {
		w.fail("%s writes %s step %d, to which no event leads", next.by.name, string(after.State), after.Step)
	}
	if after.Age > w.age+slack {
		w.fail("%s writes that the step is %v old: it is %v", next.by.name, after.Age, w.age)
	}
}

// walk is where the events before led to.
type walk struct {
	state    State
	step     int
	epoch    int
	revision string
	last     int64
}

// auditEvent holds an event, which happened at some time, to those before it.
func (w *world) auditEvent(at *walk, e *Event, happened time.Duration) {
	from := *at
	*at = walk{state: e.State, step: e.Step, epoch: e.Epoch, revision: e.Revision, last: e.ID}
	allowed := false
	for _, l := range leads {
		if l.kind == e.Kind && (l.to == e.State || l.to == "" && e.State == from.state) {
			for _, state := range l.from {
				allowed = allowed || state == from.state || state == Idle && from.state == ""
			}
		}
	}
	if !allowed || e.ID != from.last+1 {
		w.fail("%s leads from event %d, %s to %s", said(e), from.last, string(from.state), string(e.State))
	}
	switch e.Kind {
	case KindStarted:
		if e.Revision == from.revision {
			w.fail("%s: it had", said(e))
		}
		w.age = w.now - happened
	case KindRestarted:
		if e.Epoch != from.epoch+1 {
			w.fail("%s after epoch %d", said(e), from.epoch)
		}
		w.age = w.now - happened
	case KindStepAdvanced:
		if e.Cause == "" && e.Step != from.step+1 {
			w.fail("%s after step %d", said(e), from.step)
		}
		w.auditAge(e)
		w.age = w.now - happened
	case KindPromoted:
		if e.Cause == "" && from.step != 3 {
			w.fail("%s after step %d", said(e), from.step)
		}
		w.auditAge(e)
	}
}

func (w *world) auditAge(e *Event) {
	if e.Cause == "" && w.age < stepFor-slack {
		w.fail("%s after %v of %v", said(e), w.age, stepFor)
	}
}

// identity tells an event from all others: a clock's nanosecond, and no two clocks begin at the same.
func identity(e *Event) string { return fmt.Sprint(e.Time.UnixNano(), " ", string(e.Kind)) }

// shown looks at what requests go by from now on.
func (m *member) shown(v *View) {
	switch fallen := m.fallen; {
	case v.Outdated != nil:
		m.w.happened["outdated"]++
		if v.State != RolledBack && v.State != Promoted {
			m.w.fail("%s is outdated and %s", m.name, string(v.State))
		}
	case v.State == RolledBack:
		r := v.Record
		m.fallen = &r
	case v.State != "" && fallen != nil && fallen.Revision == v.Record.Revision:
		begun := false
		for _, e := range v.Record.Events {
			begun = begun || e.Kind == KindRestarted && e.Revision == fallen.Revision && e.Epoch >= fallen.Epoch ||
				e.Kind == KindStarted && e.Revision == fallen.Revision && !contain(fallen.Events, &e)
		}
		if !begun {
			m.w.fail("%s forgets that it was rolled back: %s, and now %s", m.name, brief(fallen), brief(&v.Record))
		}
		m.fallen = nil
	}
}

// auditView holds what a member goes by to what the store has.
func (m *member) auditView() {
	v := m.c.View()
	if v == nil || m.cut || m.deaf || m.flaky || m.w.now-m.well < settled {
		return
	}
	for i := len(m.w.truth) - 1; i >= 0; i-- {
		r := &m.w.truth[i].record
		if r.State == v.Record.State && r.Step == v.Record.Step && r.Epoch == v.Record.Epoch && r.Entry == v.Record.Entry && r.Revision == v.Record.Revision {
			return
		}
		if m.w.truth[i].at < m.w.now-lag {
			break
		}
	}
	last := m.w.latest()
	m.w.fail("%s goes by %s, and the store has %s", m.name, brief(&v.Record), brief(&last.record))
}

// auditEnd looks at what became of a fleet when nothing had gone wrong for a while.
func (w *world) auditEnd(final string) {
	for _, m := range w.members {
		m.auditView()
		if v := m.c.View(); v == nil {
			w.fail("%s has not begun", m.name)
			return
		} else if v.Outdated != nil || v.Record.Revision != final {
			w.fail("%s goes by revision %s, and %s was deployed everywhere", m.name, v.Record.Revision, final)
		}
		if v := m.c.View(); v.Away != "" {
			w.fail("%s says that the store is away: %s", m.name, v.Away)
		}
	}
	last := w.latest()
	if last.record.State == Progressing && w.now-last.at > stepFor+settled {
		w.fail("%s does not go on", brief(&last.record))
	}
	w.auditTold()
	if started := w.happened["started"]; w.faultless && final == "v3" && w.happened["started by operator"] == 0 && started != 2 {
		w.fail("two revisions were deployed, and begun %d times", started)
	}
	for _, pair := range [][]string{{"commands forward", "step_advanced by operator", "promoted by operator"}, {"commands to pause", "paused by operator"},
		{"commands to resume", "resumed by operator"}, {"commands to abort", "rolled_back by operator"}, {"commands to restart", "restarted by operator", "started by operator"}} {
		done := 0
		for _, kind := range pair[1:] {
			done += w.happened[kind]
		}
		if done > w.happened[pair[0]] {
			w.fail("%d %s, and %d were carried out", w.happened[pair[0]], pair[0], done)
		}
	}
}

// auditTold counts who told what happened.
func (w *world) auditTold() {
	times := map[string]int{}
	for _, m := range w.members {
		for i := range m.told {
			e := &m.told[i]
			times[identity(e)]++
			if n := times[identity(e)]; n > 1 {
				w.fail("%s is told %d times", said(e), n)
			}
		}
	}
	seen := 0
	for i := range w.truth {
		c := &w.truth[i]
		for ; seen < len(c.record.Events); seen++ {
			e := &c.record.Events[seen]
			if times[identity(e)] == 0 && !c.died() && c.at < w.now-patience {
				w.fail("%s is told by nobody: %s wrote it", said(e), c.by.name)
			}
			delete(times, identity(e))
		}
	}
	if w.faultless && len(times) > 0 {
		w.fail("told, and never written: %v", times)
	}
}

// died reports whether who wrote something may have died before the store could say that it has it.
func (c *commit) died() bool {
	return c.life < len(c.by.deaths) && c.by.deaths[c.life] < c.at+chaos/2
}
