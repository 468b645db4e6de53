package rollout

import (
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// View is a rollout at one moment. It does not change.
type View struct {
	Release Release // that was configured

	// State is empty as long as there is a plan and the store has not said what it knows.
	State    State
	Position Position
	Weights  []balance.Weight // by variant
	Awaits   string           // the URL to ask: see [Machine.Awaits]
	Outdated *Past            // see [Machine.Outdated]; the record is of another revision then
	Record   Record
	Last     Evaluation // of this position; without a verdict if there was none
	Away     string     // why the store is; "" if it is not
	Unsaved  bool       // whether something happened here that the store has not got

	at time.Duration // on the monotonic clock: when the record's Age was so
}

// Age returns how long the step has lasted at a time of the monotonic clock.
func (v *View) Age(now time.Duration) time.Duration {
	if v.lasts() && now > v.at {
		return later(v.Record.Age, now-v.at)
	}
	return v.Record.Age
}

// Left returns how long it is to the end of the step's time, and whether there is one: zero or less before the first step, and
// where the time is over, and the step waits for something.
func (v *View) Left(now time.Duration) (time.Duration, bool) {
	if v.State != Progressing {
		return 0, false
	}
	if v.Record.Step == 0 {
		return 0, true
	}
	step := v.Release.Plan.Steps[v.Record.Step-1]
	left, ends := step.For-v.Age(now), !step.Manual
	return left, ends
}

// lasts reports whether the step grows older.
func (v *View) lasts() bool { return v.State == Progressing && v.Record.Step > 0 }

// Preview returns what a rollout would be in a process that begins with a release, of which a store has that record, and
// what would happen. shared tells that other gateways have that store, too.
func Preview(release Release, record Record, now Time, shared bool) (*View, []Event) {
	m, events := begin(release, record, now, shared)
	return viewOf(m), events
}

// Configured returns what the rollout would be if that release was configured here.
func (v *View) Configured(release Release, now Time) *View {
	m, _ := Follow(v.Release, v.Record, now)
	m.Configure(release, now)
	return viewOf(m)
}

// begin returns the machine of a process that begins.
func begin(release Release, record Record, now Time, shared bool) (*Machine, []Event) {
	if shared {
		m, events := Follow(release, record, now)
		return m, events
	}
	m, events := New(release, record, now)
	events = append(events, m.TakeOver(now)...)
	return m, events
}

// Unknown returns a rollout of which the store has not said yet what it knows: the candidate of a plan gets nothing.
func Unknown(release Release) *View {
	m := Machine{release: release}
	v := &View{Release: release, Weights: m.Weights()}
	if release.Plan == nil {
		v.State = Idle
	}
	return v
}

func viewOf(m *Machine) *View {
	return &View{Release: m.release, State: m.State(), Position: m.Position(), Weights: m.Weights(), Awaits: m.Awaits(), Outdated: m.Outdated(), Record: m.Record(), Last: m.Evaluation(), at: m.now.Mono}
}
