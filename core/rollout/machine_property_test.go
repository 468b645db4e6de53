package rollout

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// auditor holds a machine to what must always be true. It keeps its own books, of what the machine was shown only.
type auditor struct {
	*flight
	random *rand.Rand
	trail  []string

	state     State // that the events led to
	revision  string
	candidate string
	epoch     int
	last      int64 // event
	before    int   // the step before what happens now
	starts    bool  // it started just now
	said      map[Kind]bool

	age       time.Duration // of the stay
	passed    bool          // the last evaluation of the stay did
	confirmed bool
	fails     int // in the stay since the last pass, counted or not
	obstacle  string
	set       map[string]bool // weights that somebody set, and that may still count
}

// leads holds from which states each kind of transition may come, and where it leads to.
var leads = []struct {
	kind Kind
	from []State
	to   State // "": stays
}{
	{KindStarted, []State{Idle, Progressing, Paused, Promoted, RolledBack}, Progressing},
	{KindStepAdvanced, []State{Progressing, Paused}, Progressing}, // from paused by a command that promotes
	{KindStepAdvanced, []State{Paused}, ""},
	{KindHeld, []State{Progressing}, ""},
	{KindStalled, []State{Progressing}, ""},
	{KindPaused, []State{Progressing}, Paused},
	{KindResumed, []State{Paused}, Progressing},
	{KindPromoted, []State{Progressing, Paused}, Promoted},
	{KindRolledBack, []State{Progressing, Paused, Promoted}, RolledBack},
	{KindRestarted, []State{Progressing, Paused, Promoted, RolledBack}, Progressing},
	{KindWeightSet, []State{Idle, Progressing, Paused, Promoted, RolledBack}, ""}, // by commands only from idle and paused
	{KindMismatch, []State{Idle, Progressing, Paused, Promoted, RolledBack}, ""},
}

// TestAlways lets anything happen in any order.
func TestAlways(t *testing.T) {
	total := map[Kind]int{}
	for seed := uint64(1); seed <= 200; seed++ {
		a := &auditor{random: rand.New(rand.NewPCG(seed, 6)), said: map[Kind]bool{}, set: map[string]bool{}}
		a.flight = &flight{t: t, now: Time{Wall: monday, Mono: time.Hour}}
		a.configures(true)
		for i := 0; i < 150 && !t.Failed(); i++ {
			a.anything()
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, a.trail)
		}
		for _, e := range a.m.Record().Events {
			if e.Cause == "" {
				total[e.Kind]++
			} else {
				total[e.Kind+" by "+Kind(e.Cause)]++
			}
		}
	}
	for _, kind := range []Kind{"started", "step_advanced", "step_advanced by operator", "held", "stalled", "paused by operator", "paused by check", "resumed by operator",
		"promoted", "promoted by operator", "rolled_back by check", "rolled_back by operator", "rolled_back by ended", "restarted by operator",
		"weight_set by operator", "sample_ratio_mismatch"} {
		if total[kind] < 20 {
			t.Errorf("%q happened %d times: this test says little about it", string(kind), total[kind])
		}
	}
}

// anything does one of the things that can happen, and looks.
func (a *auditor) anything() {
	a.before = a.m.Record().Step
	what := a.random.IntN(20)
	switch {
	case what < 7:
		a.waits()
	case what < 13:
		a.evaluates()
	case what < 15:
		a.tells()
	case what == 15:
		a.configures(false)
	case what == 16:
		a.dies()
	default:
		a.commands()
	}
	a.audit()
}

func (a *auditor) note(format string, args ...any) {
	a.trail = append(a.trail, fmt.Sprintf(format, args...))
}

func (a *auditor) waits() {
	d := []time.Duration{1, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, 5 * time.Hour}[a.random.IntN(6)]
	wall := d
	if a.random.IntN(10) == 0 {
		wall = time.Duration(a.random.IntN(200)-100) * time.Hour
	}
	a.note("wait %v", d)
	if a.state == Progressing && a.release.Plan != nil {
		a.age += d
	}
	a.obstacle = ""
	a.now.Wall = a.now.Wall.Add(wall)
	a.now.Mono += d
	a.tick(Observations{})
}

// position is the present one, or a stale one, which the books know nothing of.
func (a *auditor) position() (p Position, present bool) {
	p = a.m.Position()
	switch a.random.IntN(8) {
	case 0:
		p.Entry--
	case 1:
		p.Epoch--
	case 2:
		p.Revision += "?"
	}
	return p, p == a.m.Position() && a.release.Plan != nil
}

func (a *auditor) evaluates() {
	p, present := a.position()
	verdict := []Verdict{Pass, Pass, Pass, Fail, Hold}[a.random.IntN(5)]
	a.requests += int64(a.random.IntN(100))
	a.obstacle = ""
	if a.random.IntN(8) == 0 {
		a.obstacle = "something"
	}
	a.note("%s, present %v", string(verdict), present)
	if present {
		a.passed = verdict == Pass
		if verdict == Pass {
			a.fails = 0
		}
		if verdict == Fail {
			a.fails++
		}
	}
	a.tick(Observations{Evaluation: &Evaluation{Position: p, Verdict: verdict, Requests: a.requests, Reason: "seen"}, Obstacle: a.obstacle})
}

func (a *auditor) tells() {
	p, present := a.position()
	a.obstacle = ""
	if a.random.IntN(2) == 0 {
		a.note("mismatch")
		a.tick(Observations{Mismatch: &Mismatch{Position: p}})
		return
	}
	yes := a.random.IntN(2) == 0
	a.note("confirmed %v, present %v", yes, present)
	a.confirmed = a.confirmed || yes && present
	a.tick(Observations{Confirmation: &Confirmation{Position: p, Confirmed: yes, Reason: "no"}})
}

func (a *auditor) commands() {
	commands := []Command{{Verb: Promote}, {Verb: Promote, Full: true}, {Verb: Jump, Step: a.random.IntN(5)}, {Verb: Pause}, {Verb: Resume}, {Verb: Resume}, {Verb: Abort},
		{Verb: Restart}, {Verb: Restart}, {Verb: SetWeight, Variant: "canary", Weight: "33%"}, {Verb: SetWeight, Variant: "other", Weight: "66%"}}
	c := commands[a.random.IntN(len(commands))]
	a.note("%+v", c)
	before := a.m.Record()
	events, err := a.m.Command(a.now, c)
	if err != nil {
		if after := a.m.Record(); len(events) > 0 || !reflect.DeepEqual(before, after) {
			a.t.Errorf("%v: refused, and it changed %+v to %+v", c, before, after)
		}
		return
	}
	if c.Verb == SetWeight {
		a.set[c.Variant] = true
	}
	a.events = append(a.events, events...)
}

func (a *auditor) configures(first bool) {
	hours, err := ParseHours("Mon-Sun 08:00-20:00 Europe/Berlin")
	if err != nil {
		a.t.Fatal(err)
	}
	release := planned([][]Step{
		usual().Plan.Steps,
		{{Weight: 5 * percent, For: time.Minute}, {Weight: balance.Full, For: time.Hour}},
		{{Weight: 10 * percent}, {Weight: 20 * percent, Confirm: "http://gate"}, {Weight: balance.Full}},
		{{Weight: 0, Manual: true}, {Weight: 50 * percent, For: time.Second}, {Weight: balance.Full, Confirm: "http://gate"}},
		{{Weight: 30 * percent, Manual: true}},
		{{Weight: balance.Full}},
	}[a.random.IntN(6)]...)
	plan := release.Plan
	plan.Failures = 1 + a.random.IntN(3)
	plan.PauseOnFail = a.random.IntN(3) == 0
	plan.Deadline = time.Duration(a.random.IntN(2)) * 5 * time.Minute
	if a.random.IntN(3) == 0 {
		plan.Only = []*Hours{hours}
	}
	release.Variants = []string{"stable", "canary", "other"}
	release.Weights = []balance.Weight{0, 0, 0}
	if a.random.IntN(6) == 0 {
		release.Plan = nil
	}
	if a.random.IntN(6) == 0 {
		release.Ends = a.now.Wall.Add(time.Duration(a.random.IntN(10)) * time.Hour)
	}
	release.Candidate = 1 + a.random.IntN(10)/9
	release.Revision = []string{"v2", "v2", "v2", "v3"}[a.random.IntN(4)]
	release.Declaration = []string{"d1", "d1", "d2"}[a.random.IntN(3)]
	a.note("configure %s, candidate %d, ends %v, %+v", release.Revision, release.Candidate, release.Ends, release.Plan)
	a.passed = false
	a.obstacle = ""
	a.release = release
	if first {
		a.launch(release, Record{})
		a.state = Idle
		a.audit()
		return
	}
	a.configure(release)
}

func (a *auditor) dies() {
	a.note("die")
	state, step, position, weights := a.m.State(), a.m.Record().Step, a.m.Position(), a.m.Weights()
	a.die()
	a.passed = false
	a.confirmed = false
	if a.m.State() != state || a.m.Record().Step != step || a.m.Position() != position || !reflect.DeepEqual(a.m.Weights(), weights) {
		a.t.Errorf("a death changed %s, step %d, %+v, %v to %s, step %d, %+v, %v", string(state), step, position, weights,
			string(a.m.State()), a.m.Record().Step, a.m.Position(), a.m.Weights())
	}
}

// audit looks at what happened.
func (a *auditor) audit() {
	if a.m.Record().Revision != a.revision || a.m.Record().Candidate != a.candidate {
		a.revision = a.m.Record().Revision
		a.candidate = a.m.Record().Candidate
		a.epoch = a.m.Record().Epoch
		if len(a.events) > 0 {
			a.epoch = a.events[0].Epoch
		}
		if a.state != Idle && a.release.Plan != nil && (len(a.events) == 0 || a.events[0].Kind != KindStarted) {
			a.t.Errorf("another revision led to %+v", a.events)
		}
		if a.release.Plan == nil {
			a.state = Idle
		}
		a.enters()
	}
	a.starts = false
	for i := range a.events {
		a.event(a.events[i])
		a.starts = a.events[i].Kind == KindStarted
	}
	a.events = nil
	record := a.m.Record()
	if record.State != a.state || record.Epoch != a.epoch || a.release.Plan == nil && a.m.State() != Idle {
		a.t.Errorf("it is %s in epoch %d, and its events lead to %s in %d", string(record.State), record.Epoch, string(a.state), a.epoch)
	}
	if len(record.Events) > MaxEvents {
		a.t.Errorf("%d events are remembered", len(record.Events))
	}
	a.weights(record)
}

func (a *auditor) enters() {
	a.age = 0
	a.passed = false
	a.confirmed = false
	a.fails = 0
	a.set = map[string]bool{}
	a.said = map[Kind]bool{}
	a.requests = 0
}

// event holds one to the diagram, to what must have come before, and to being said once.
func (a *auditor) event(e Event) {
	a.last++
	if e.ID != a.last {
		a.t.Errorf("event %d follows %d", e.ID, a.last-1)
	}
	state := a.state
	if a.release.Plan == nil {
		state = Idle
	}
	allowed := false
	for _, l := range leads {
		for _, from := range l.from {
			to := l.to
			if to == "" {
				to = from
			}
			allowed = allowed || l.kind == e.Kind && from == state && to == e.State
		}
	}
	if !allowed {
		a.t.Errorf("%+v from %s", e, string(state))
	}
	a.gates(e, state)
	if a.release.Plan != nil {
		a.state = e.State
	}
	switch e.Kind {
	case KindPromoted, KindRolledBack:
		a.epoch++
		a.enters()
	case KindRestarted:
		a.epoch++
		a.enters()
	case KindStarted, KindStepAdvanced:
		a.enters()
	case KindResumed:
		a.passed = false
		a.fails = 0
		a.set = map[string]bool{}
	case KindHeld, KindStalled, KindMismatch:
		if a.said[e.Kind] {
			a.t.Errorf("%s is said twice", string(e.Kind))
		}
		a.said[e.Kind] = true
	case KindWeightSet:
		a.said[KindMismatch] = false // the shares are others
		if e.Cause == "" {
			a.set = map[string]bool{}
		}
	}
}

// gates holds a transition that nobody commanded to what had to come before.
func (a *auditor) gates(e Event, state State) {
	plan := a.release.Plan
	if e.Cause == ByEnd && a.now.Wall.Before(a.release.Ends) {
		a.t.Errorf("it ended before its end")
	}
	if e.Kind == KindWeightSet && e.Cause == ByOperator && state != Idle && state != Paused {
		a.t.Errorf("weights are set by somebody while it is %s", string(state))
	}
	if e.Cause == ByCheck && a.fails < plan.Failures {
		a.t.Errorf("%s after %d failures in a row", string(e.Kind), a.fails)
	}
	if e.Cause != "" || e.Kind != KindPromoted && e.Kind != KindStepAdvanced || e.Reason == "the plan was edited" {
		if e.Kind == KindStepAdvanced && state == Paused && e.State == Progressing && !strings.HasPrefix(e.Reason, "promote") {
			a.t.Errorf("%+v from paused", e)
		}
		return
	}
	if !plan.open(a.now.Wall) || a.obstacle != "" {
		a.t.Errorf("%s outside its hours, or with an obstacle", string(e.Kind))
	}
	last := len(plan.Steps)
	if a.before == 0 || a.starts && plan.Steps[0].promotesAtOnce() {
		return // it waited for its hours, or has no step to end
	}
	if next := a.before + 1; e.Step != next && (e.Kind != KindPromoted || a.before != last) || e.Kind == KindPromoted && e.Step != last {
		a.t.Errorf("%s from step %d to %d", string(e.Kind), a.before, e.Step)
	}
	ended := plan.Steps[a.before-1]
	if ended.Manual || a.age < ended.For || !a.passed || ended.Confirm != "" && !a.confirmed {
		a.t.Errorf("%s from step %d, %+v, after %v; passed %v, confirmed %v", string(e.Kind), a.before, ended, a.age, a.passed, a.confirmed)
	}
}

func (a *auditor) weights(record Record) {
	weights := a.m.Weights()
	if weights[0] < 0 || weights[1] < 0 || weights[2] < 0 || sum(weights) != balance.Full {
		a.t.Errorf("weights %v", weights)
	}
	want := []balance.Weight{0}
	switch a.m.State() {
	case Progressing, Paused:
		if record.Step > 0 {
			want[0] = a.release.Plan.Steps[record.Step-1].Weight
		}
	case Promoted:
		want[0] = balance.Full
	}
	if a.m.State() == Paused || a.m.State() == Idle {
		want = append(want, 33*percent, 66*percent)
	}
	share := weights[a.release.Candidate]
	for i, w := range want {
		if share == w && (i == 0 || a.set["canary"] || a.set["other"]) {
			return
		}
	}
	a.t.Errorf("%s, step %d: the candidate has %s, want one of %v", string(a.m.State()), record.Step, share.String(), want)
}
