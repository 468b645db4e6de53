package rollout

import (
	"fmt"
	"time"
)

// Past is a release that another one superseded: what was released, and what came of it.
type Past struct {
	Revision  string `json:"revision"`
	Candidate string `json:"candidate,omitempty"`
	Epoch     int    `json:"epoch,omitempty"`
	Promoted  bool   `json:"promoted,omitempty"` // else it was under way or rolled back, and the baseline is what counts
}

// MaxPast is how many superseded releases are remembered: the last ones.
const MaxPast = 32

// past returns the release as it stood when another superseded it; nil if none has, or that was forgotten.
func (r *Record) past(revision, candidate string) *Past {
	for i := range r.Past {
		if r.Past[i].Revision == revision && r.Past[i].Candidate == candidate {
			found := r.Past[i]
			return &found
		}
	}
	return nil
}

// supersede begins the record of the machine's own release, and remembers the one before as past.
func (m *Machine) supersede() {
	r := &m.record
	revision, candidate := m.release.Revision, m.release.candidate()
	past := make([]Past, 0, len(r.Past)+1) // its own memory: a copy of the machine has the old one
	for i := range r.Past {
		if p := r.Past[i]; p.Revision != revision || p.Candidate != candidate {
			past = append(past, p)
		}
	}
	if r.State != "" && r.State != Idle {
		past = append(past, Past{Revision: r.Revision, Candidate: r.Candidate, Epoch: r.Epoch, Promoted: r.State == Promoted})
	}
	if extra := len(past) - MaxPast; extra > 0 {
		past = past[extra:]
	}
	m.outdated = nil
	m.record = Record{Revision: revision, Candidate: candidate, Epoch: r.epochAfter(revision), Entry: r.Entry, State: Idle, Since: m.now.utc(),
		Declaration: m.release.declaration(), Past: past, Events: r.Events}
	m.forget()
}

// Outdated returns the machine's own release as it stood when another gateway began to release something else; nil if the
// record is of the machine's own.
//
// Configurations reach gateways one after another, and who has not got the newest must not undo it. Such a machine lets
// the candidate of its own release go on if that was promoted, and else has it taken back; what is recorded of the newer
// release stays as it is.
func (m *Machine) Outdated() *Past { return m.outdated }

// TakeOver releases what the machine is configured with in the place of what another gateway does, if it is outdated.
func (m *Machine) TakeOver(now Time) []Event {
	m.elapse(now)
	m.takeOver(move{})
	return m.take()
}

func (m *Machine) takeOver(t move) {
	if m.outdated != nil {
		m.supersede()
		m.start(t)
	}
}

// obeyOutdated does what somebody says through a gateway that is outdated: what takes traffic from the candidate is for the
// release that the others are about, and a restart is for its own.
func (m *Machine) obeyOutdated(verb Verb) error {
	switch verb {
	case Abort:
		m.transition(m.commanded(KindRolledBack, RolledBack, "abort"))
	case Pause:
		m.transition(m.commanded(KindPaused, Paused, "pause"))
	case Restart:
		if m.ended() {
			return fmt.Errorf("%w: it ended at %s: configure another end first", ErrState, m.release.Ends.Format(time.RFC3339))
		}
		m.takeOver(move{cause: ByOperator, reason: "restart"})
	default:
		return fmt.Errorf("%w: this gateway is configured with revision %q, and %q is being released: tell a gateway that has it, or restart to release %q again",
			ErrState, m.outdated.Revision, m.record.Revision, m.outdated.Revision)
	}
	return nil
}

// redo does again, on top of what other gateways did meanwhile, what this one did while it could not tell them. Of one
// revision the later epoch counts, and within an epoch what is rolled back, then what is paused: so a rollback is undone
// neither by an advance nor by a promotion, but by a restart.
func (m *Machine) redo(now Time, done *Event) []Event {
	m.elapse(now)
	r := &m.record
	state := m.recorded()
	if r.Revision != done.Revision {
		return nil
	}
	t := move{kind: done.Kind, step: r.Step, cause: done.Cause, reason: done.Reason, figures: done.Figures}
	switch {
	case done.Kind == KindRolledBack && state == Promoted && r.Epoch <= done.Epoch: // both are counted with the next epoch
		t.to = RolledBack
	case done.Kind == KindRolledBack && (state == Progressing || state == Paused) && r.Epoch < done.Epoch:
		t.to = RolledBack
	case done.Kind == KindPaused && r.Epoch == done.Epoch && state == Progressing:
		t.to = Paused
	default:
		return nil
	}
	wall := m.now.Wall
	m.now.Wall = done.Time // at which people were told of it
	m.transition(t)
	m.now.Wall = wall
	return m.take()
}
