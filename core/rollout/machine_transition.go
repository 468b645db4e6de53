package rollout

import (
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// move is a transition.
type move struct {
	kind    Kind
	to      State
	step    int
	cause   Cause
	reason  string
	figures map[string]float64
}

// transition is the one place where state, step and epoch change.
func (m *Machine) transition(t move) {
	r := &m.record
	r.State = t.to
	r.Cause = t.cause
	r.Reason = text(t.reason)
	r.Since = m.now.utc()
	switch t.kind {
	case KindStarted, KindStepAdvanced:
		m.enter(t.step)
	case KindRestarted:
		r.Epoch++
		m.enter(t.step)
	case KindPromoted:
		r.Step = t.step
		r.Weight = m.weight()
		m.leave()
	case KindRolledBack:
		m.leave()
	case KindResumed: // what was seen before made somebody look, or was seen with weights that somebody may have set
		r.Entry++
		r.Weights = nil
		m.forget()
	}
	m.report(t.kind, t.cause, t.reason, t.figures)
}

// enter begins a stay in a step.
func (m *Machine) enter(step int) {
	r := &m.record
	r.Step = step
	r.Entry++
	r.Weight = m.weight()
	r.Age = 0
	r.Overdue = 0
	r.Held = false
	r.Stalled = false
	r.Mismatched = false
	r.Weights = nil
	m.forget()
}

// leave ends the epoch, and with it the last stay in a step.
func (m *Machine) leave() {
	m.record.Epoch++
	m.record.Held = false
	m.record.Stalled = false
	m.record.Weights = nil
	m.forget()
}

// forget drops what was seen in another position.
func (m *Machine) forget() {
	m.record.Failures = 0
	m.evaluation = Evaluation{}
	m.confirmation = Confirmation{}
	m.counted = false
	m.requests = 0
	m.sinceCounted = 0
}

// remember goes on with what a machine of this gateway saw in the present position, where the record came from another
// gateway: that one has failures of its own. declaration is what weights are set for in the record.
func (m *Machine) remember(before *Machine, declaration string) {
	if m.outdated != nil || m.Position() != before.Position() {
		return
	}
	// A clock that has seen the same stay begin and not end, as who paused it has, knows better than what was saved.
	if r := &before.record; r.Age > m.record.Age && r.Since.Equal(m.record.Since) {
		m.record.Age = r.Age
		m.record.Overdue = r.Overdue
	}
	// Who has the next configuration dropped the weights that somebody set for this one: here they count until it comes.
	if own := m.record.Declaration; declaration != own && before.record.Declaration == own {
		m.record.Weights = before.record.Weights
	}
	m.record.Failures = before.record.Failures
	m.evaluation = before.evaluation
	m.confirmation = before.confirmation
	m.counted = before.counted
	m.requests = before.requests
	m.sinceCounted = before.sinceCounted
}

// begin starts or restarts the plan at a step.
func (m *Machine) begin(t move) {
	t.to = Progressing
	m.transition(t)
	if t.step > 0 && m.step().promotesAtOnce() {
		m.goOn(t)
	}
}

// goOn begins a step whose turn it is, or promotes: behind the last one, and on entry of one that says so.
func (m *Machine) goOn(t move) {
	steps := m.release.Plan.Steps
	t.kind = KindStepAdvanced
	t.to = Progressing
	if t.step > len(steps) || steps[t.step-1].promotesAtOnce() {
		t.kind = KindPromoted
		t.to = Promoted
		t.step = len(steps)
	}
	m.transition(t)
}

// report remembers an event, and hands it to the caller.
func (m *Machine) report(kind Kind, cause Cause, reason string, figures map[string]float64) {
	r := &m.record
	e := Event{ID: r.LastEvent() + 1, Kind: kind, Time: m.now.utc(), Revision: r.Revision, Epoch: r.Epoch, State: m.recorded(), Step: r.Step,
		Cause: cause, Reason: text(reason), Figures: finite(figures), Member: m.release.Member}
	kept := r.Events
	if extra := len(kept) + 1 - MaxEvents; extra > 0 {
		kept = kept[extra:]
	}
	events := make([]Event, 0, len(kept)+1) // its own memory: a copy of the machine has the same old events
	events = append(events, kept...)
	events = append(events, e)
	r.Events = events
	m.events = append(m.events, e)
}

// take returns the events of the call that ends.
func (m *Machine) take() []Event {
	events := m.events
	m.events = nil
	return events
}

// utc returns the wall clock's time as a document holds it.
func (t Time) utc() time.Time { return t.Wall.Round(0).UTC() }

// step returns the present step. There must be one.
func (m *Machine) step() Step { return m.release.Plan.Steps[m.record.Step-1] }

// weight returns the present step's weight as a record has it.
func (m *Machine) weight() string {
	if m.record.Step == 0 {
		return ""
	}
	return m.step().Weight.String()
}

// State returns where the rollout stands, as far as its own release goes.
func (m *Machine) State() State {
	switch {
	case m.release.Plan == nil:
		return Idle
	case m.outdated != nil && m.outdated.Promoted:
		return Promoted
	case m.outdated != nil:
		return RolledBack
	}
	return m.record.State
}

// recorded returns where the rollout stands by the record.
func (m *Machine) recorded() State {
	if m.release.Plan == nil {
		return Idle
	}
	return m.record.State
}

// Position returns the present position, to which observations must belong.
func (m *Machine) Position() Position {
	if m.outdated != nil {
		return Position{Revision: m.outdated.Revision, Epoch: m.outdated.Epoch}
	}
	return Position{Revision: m.record.Revision, Epoch: m.record.Epoch, Entry: m.record.Entry}
}

// Record returns what a store is to keep, as of the last call. It is to be kept after every event; whoever keeps it more
// often loses less of a step's age with the process.
func (m *Machine) Record() Record { return m.record }

// Evaluation returns the last evaluation of the present position, without a verdict if there was none.
func (m *Machine) Evaluation() Evaluation { return m.evaluation }

// Weights returns the variants' shares as they are now. The baseline has what the others leave.
func (m *Machine) Weights() []balance.Weight {
	weights := append([]balance.Weight(nil), m.release.Weights...)
	if m.release.Plan != nil {
		weights[m.release.Candidate] = m.share()
	}
	if state := m.State(); m.outdated == nil && (state == Idle || state == Paused) {
		for i, name := range m.release.Variants {
			if set, ok := m.record.Weights[name]; ok && i > 0 {
				if weight, err := balance.ParseWeight(set); err == nil {
					weights[i] = weight
				}
			}
		}
	}
	weights[0] = balance.Full - sum(weights[1:])
	return weights
}

// share returns the candidate's share by the plan.
func (m *Machine) share() balance.Weight {
	switch m.State() {
	case Progressing, Paused:
		if weight := m.record.weight(); m.record.Step > 0 && weight < m.room() { // of a plan that may have been another's
			return weight
		}
		if m.record.Step > 0 {
			return m.room()
		}
	case Promoted:
		return m.room()
	}
	return 0
}

// room returns what the other variants leave to the candidate and the baseline.
func (m *Machine) room() balance.Weight {
	others := append([]balance.Weight(nil), m.release.Weights[1:]...)
	others[m.release.Candidate-1] = 0
	return balance.Full - sum(others)
}

func sum(weights []balance.Weight) balance.Weight {
	total := balance.Weight(0)
	for _, weight := range weights {
		total += weight
	}
	return total
}
