package rollout

import (
	"fmt"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// Time is a moment on both clocks of a gateway.
type Time struct {
	Wall time.Time     // may jump in either direction: hours, ends and what people are shown go by it
	Mono time.Duration // since any moment, and never put back: how long steps last goes by it
}

// Release is what a configuration says of a rollout.
type Release struct {
	// Revision names what is being released: another starts the plan anew.
	Revision string

	// Variants are the names, the baseline first, and Weights what is declared for them. The baseline's is not looked at,
	// nor is the candidate's if there is a plan.
	Variants []string
	Weights  []balance.Weight

	// Declaration stands for declared weights and salt: weights that somebody set are dropped when it changes.
	Declaration string

	// Candidate is the index of the variant that the plan moves forward: with a plan it is not the baseline's.
	Candidate int

	// Plan must have passed [Plan.Check]. Nil: there is none.
	Plan *Plan

	// Ends is when the rollout is rolled back, whatever its state. Zero: never.
	Ends time.Time

	// Member is the name of the gateway, for its events. Empty: it has none.
	Member string
}

// Observations are what a gateway saw since it called last. The zero value is nothing.
type Observations struct {
	Evaluation   *Evaluation
	Confirmation *Confirmation
	Mismatch     *Mismatch

	// Obstacle says why the plan may not go on for now, such as a store that is away or somebody's veto. Rollbacks happen
	// all the same. Empty: nothing keeps it.
	Obstacle string

	// Follows tells that other gateways judge, and go on with the plan: nothing happens by itself here but its end.
	Follows bool

	// Unopposed is the version of the record, see [Record.Version], that no other gateway is about: an outdated machine takes
	// over, and one whose plan was edited goes on by that. Empty: others are, or nobody knows.
	Unopposed string
}

// Machine is a rollout's plan at work. A copy of a Machine is a machine of its own, for trying what would happen. It has
// no lock: whoever shares it brings one, and tells others of events when it is unlocked.
type Machine struct {
	release Release
	record  Record
	now     Time
	events  []Event // of the call that runs

	outdated *Past // see Outdated

	// Of the present position; not kept by stores, because what they say is known again with the next evaluation.
	evaluation   Evaluation // the last; without a verdict before the first
	confirmation Confirmation
	obstacle     string
	counted      bool          // whether a failed evaluation was
	requests     int64         // that the last counted one had seen
	sinceCounted time.Duration // when
}

// New returns the machine of a rollout as a store knows it, and what follows from the release that is configured now.
func New(release Release, record Record, now Time) (*Machine, []Event) {
	m := known(record, now)
	events := m.Configure(release, now)
	return m, events
}

// Follow returns the machine of a rollout that other gateways go on with, too. Unlike that of [New] it leaves the rollout
// at its weight where its own plan has no such step. Plans differ for as long as a configuration takes to reach all
// gateways, and would push each other forward.
func Follow(release Release, record Record, now Time) (*Machine, []Event) {
	m := known(record, now)
	m.configure(release)
	events := m.take()
	return m, events
}

// known returns a machine that is not configured yet.
func known(record Record, now Time) *Machine {
	m := &Machine{record: record, now: now}
	if record.State == "" {
		m.record.State = Idle
	}
	m.counted = record.Failures > 0
	return m
}

// start begins the plan, or waits before its first step for the hours in which it may.
func (m *Machine) start(t move) {
	t.kind = KindStarted
	if m.release.Plan.open(m.now.Wall) || t.cause == ByOperator {
		t.step = 1
	} else {
		t.reason = waiting
	}
	m.begin(t)
}

// waiting is why a plan is before its first step.
const waiting = "waiting for the hours of the plan"

// Tick goes on with what was seen since, and returns what happened. It is to be called about once a second while
// something may be due, such as the end of a step, every few seconds otherwise, and at once with every observation.
func (m *Machine) Tick(now Time, seen Observations) []Event {
	m.elapse(now)
	m.obstacle = seen.Obstacle
	if seen.Unopposed == m.record.Version() {
		m.takeOver(move{reason: fmt.Sprintf("no gateway releases %q any more", m.record.Revision)})
		m.refit()
	}
	if m.outdated != nil {
		return m.take()
	}
	if seen.Follows {
		m.evaluation = Evaluation{} // it would be old when this gateway judges again
	}
	m.end()
	if seen.Mismatch != nil {
		m.mismatch(seen.Mismatch)
	}
	if seen.Evaluation != nil {
		m.judge(seen.Evaluation)
	}
	if seen.Confirmation != nil && seen.Confirmation.Position == m.Position() && !m.confirmation.Confirmed {
		m.confirmation = *seen.Confirmation
	}
	if m.State() == Progressing && !seen.Follows {
		m.advance()
	}
	return m.take()
}

// elapse lets time go by. A monotonic clock that was put back is another one: it is read from there on.
func (m *Machine) elapse(now Time) {
	passed := now.Mono - m.now.Mono
	m.now = now
	if passed <= 0 {
		return
	}
	m.sinceCounted = later(m.sinceCounted, passed)
	r := &m.record
	if m.outdated != nil || m.State() != Progressing || r.Step == 0 {
		return
	}
	r.Age = later(r.Age, passed)
	step := m.step()
	late := r.Age - step.For
	if late > passed {
		late = passed
	}
	if late > 0 && !step.Manual && m.release.Plan.open(now.Wall) {
		r.Overdue = later(r.Overdue, late)
	}
}

// later returns a time after which some more has passed, and never one that has no room in a record.
func later(t, passed time.Duration) time.Duration {
	if passed > maxAge-t {
		return maxAge
	}
	return t + passed
}

// end rolls back what has to be over by now.
func (m *Machine) end() {
	if m.ended() && m.State() != Idle && m.State() != RolledBack {
		m.transition(move{kind: KindRolledBack, to: RolledBack, cause: ByEnd, step: m.record.Step, reason: "it ended at " + m.release.Ends.Format(time.RFC3339)})
	}
}

func (m *Machine) ended() bool {
	return !m.release.Ends.IsZero() && !m.now.Wall.Before(m.release.Ends)
}

func (m *Machine) mismatch(seen *Mismatch) {
	if seen.Position == m.Position() && !m.record.Mismatched {
		m.record.Mismatched = true
		m.report(KindMismatch, "", seen.Reason, seen.Figures)
	}
}

// judge takes an evaluation in. What is promoted or rolled back is judged for people to see only.
func (m *Machine) judge(e *Evaluation) {
	state := m.State()
	if state == Idle || e.Position != m.Position() {
		return
	}
	m.evaluation = *e
	if state != Progressing && state != Paused {
		return
	}
	switch e.Verdict {
	case Pass:
		m.record.Failures = 0
	case Fail:
		m.fail(e)
	default:
		m.evaluation.Verdict = Hold
	}
}

// fail counts a failed evaluation, unless it may have seen nothing but what the last counted one saw: enough new requests
// or a whole new window make it another incident.
func (m *Machine) fail(e *Evaluation) {
	plan := m.release.Plan
	if m.counted && e.Requests-m.requests < plan.MinRequests && m.sinceCounted < plan.Window {
		return
	}
	m.counted = true
	m.requests = e.Requests
	m.sinceCounted = 0
	m.record.Failures++
	if m.record.Failures < plan.Failures {
		return
	}
	failed := move{kind: KindRolledBack, to: RolledBack, cause: ByCheck, step: m.record.Step, reason: e.Reason, figures: e.Figures}
	if plan.PauseOnFail {
		failed.kind = KindPaused
		failed.to = Paused
	}
	if failed.to != m.record.State {
		m.transition(failed)
	}
}

// advance ends the step if everything has come about that it waits for.
func (m *Machine) advance() {
	r := &m.record
	if r.Step == 0 {
		if m.obstacle == "" && m.release.Plan.open(m.now.Wall) {
			m.goOn(move{step: 1, reason: "the hours of the plan began"})
		}
		return
	}
	step := m.step()
	if step.Manual || r.Age < step.For {
		return
	}
	g := m.gate(step)
	if g.open {
		m.goOn(move{step: m.next(), reason: g.reason, figures: m.evaluation.Figures})
		return
	}
	if g.reason != "" && !r.Held {
		r.Held = true
		m.report(KindHeld, "", g.reason, m.evaluation.Figures)
	}
	if deadline := m.release.Plan.Deadline; deadline > 0 && r.Overdue >= deadline && !r.Stalled {
		r.Stalled = true
		if g.reason == "" {
			g.reason = "nothing was evaluated or confirmed"
		}
		m.report(KindStalled, "", g.reason, m.evaluation.Figures)
	}
}

// next returns the step after the present one. At a weight of which the plan has no step that is the one above, for whose
// time and gates the rollout has waited.
func (m *Machine) next() int {
	if !m.fits() && m.record.weight() < m.step().Weight {
		return m.record.Step
	}
	return m.record.Step + 1
}

// gate is what stands between a step whose time is over and its end.
type gate struct {
	open   bool
	reason string // why it is open or not; "" if that is not known yet
}

func (m *Machine) gate(step Step) gate {
	switch {
	case m.obstacle != "":
		return gate{reason: m.obstacle}
	case !m.release.Plan.open(m.now.Wall):
		return gate{reason: "outside the hours of the plan"}
	case m.evaluation.Verdict != Pass:
		return gate{reason: m.evaluation.Reason}
	case step.Confirm != "" && !m.confirmation.Confirmed:
		return gate{reason: m.confirmation.Reason}
	}
	return gate{open: true, reason: m.evaluation.Reason}
}

// Awaits returns the URL whose answer is all that the present step waits for, or "".
func (m *Machine) Awaits() string {
	if m.outdated != nil || m.State() != Progressing || m.record.Step == 0 {
		return ""
	}
	step := m.step()
	if step.Manual || m.record.Age < step.For || m.confirmation.Confirmed {
		return ""
	}
	confirmed := step
	confirmed.Confirm = ""
	if g := m.gate(confirmed); !g.open {
		return ""
	}
	return step.Confirm
}
