package rollout

import "fmt"

// Configure goes on with another configuration.
//
// Another revision, or another candidate, than the machine was about starts anew. Otherwise the state stays, and a rollout
// under way goes on at the first step at or above its present weight, or at the last if there is none: in the same stay if
// the weight is the same. Without a plan nothing is forgotten, should there be one again. Weights that somebody set are
// dropped where others are declared, which is an event as well.
func (m *Machine) Configure(release Release, now Time) []Event {
	m.elapse(now)
	deliberate := m.outdated == nil && len(m.release.Variants) > 0
	edited := !m.release.Plan.sameSteps(release.Plan)
	set := m.record.Weights
	m.configure(release)
	if deliberate {
		m.takeOver(move{})
	}
	if edited {
		m.refit()
	}
	m.tellDropped(set)
	return m.take()
}

// tellDropped reports what counts in the place of weights that somebody set, unless what happened says so: they stand in the
// events that people see, and commands that are meant for them must not come through.
func (m *Machine) tellDropped(set map[string]string) {
	if len(set) == 0 || len(m.record.Weights) > 0 || len(m.events) > 0 || m.record.toldDropped() {
		return
	}
	weights := m.Weights()
	for i, name := range m.release.Variants {
		if _, dropped := set[name]; dropped {
			m.report(KindWeightSet, "", fmt.Sprintf("%s %s by the configuration", name, weights[i].String()), nil)
		}
	}
}

// toldDropped reports whether the last event about weights is that a configuration dropped them: another gateway's that had
// it before.
func (r *Record) toldDropped() bool {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if e := &r.Events[i]; e.Kind == KindWeightSet {
			return e.Cause == ""
		}
	}
	return false
}

// configure goes on with a configuration that need not be newer than the record: with a revision that the record's
// superseded the machine is outdated.
func (m *Machine) configure(release Release) {
	m.release = release
	m.evaluation = Evaluation{} // by checks that may have been others
	r := &m.record
	candidate := release.candidate()
	another := r.Revision != release.Revision || r.Candidate != candidate
	m.outdated = nil
	if another && release.Plan != nil {
		m.outdated = r.past(release.Revision, candidate)
	}
	if m.outdated != nil {
		m.forget()
		return
	}
	if another {
		m.supersede()
	}
	if declaration := release.declaration(); r.Declaration != declaration {
		r.Declaration = declaration
		r.Weights = nil
	}
	switch {
	case release.Plan == nil:
	case r.State == Idle:
		m.start(move{})
	case r.State == Progressing || r.State == Paused:
		m.place()
	}
}

// candidate returns the name of the variant that moves forward, or "".
func (r *Release) candidate() string {
	if r.Candidate > 0 && r.Candidate < len(r.Variants) {
		return r.Variants[r.Candidate]
	}
	return ""
}

// same reports whether two configurations are about the same release.
func (r *Release) same(other *Release) bool {
	return r.Revision == other.Revision && r.candidate() == other.candidate()
}

// declaration stands for what weights are set for.
func (r *Release) declaration() string {
	if r.Plan != nil {
		return r.Declaration + " with a plan"
	}
	return r.Declaration
}

// place finds the step at which a plan that was edited goes on: the first at or above the present weight, or the last.
func (m *Machine) place() {
	r := &m.record
	if r.Step == 0 {
		return
	}
	steps := m.release.Plan.Steps
	weight := r.weight()
	i := 0
	for i < len(steps)-1 && steps[i].Weight < weight {
		i++
	}
	r.Step = i + 1
	if m.fits() && r.Age < steps[i].For { // it was shorter
		r.Overdue = 0
		r.Held = false
		r.Stalled = false
	}
}

// fits reports whether the plan has a step of the present weight.
func (m *Machine) fits() bool {
	return m.record.Step == 0 || m.step().Weight == m.record.weight()
}

// refit goes to the step at which a plan that was edited goes on.
func (m *Machine) refit() {
	state := m.State()
	under := m.outdated == nil && (state == Progressing || state == Paused)
	if under && !m.fits() {
		m.transition(move{kind: KindStepAdvanced, to: state, step: m.record.Step, reason: "the plan was edited"})
	}
}
