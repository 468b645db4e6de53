package rollout

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// Verb is what somebody wants a rollout to do.
type Verb string

const (
	Promote   Verb = "promote" // end the step, whatever it waits for
	Jump      Verb = "step"    // go to a step, forward or back; a paused rollout stays paused
	Pause     Verb = "pause"
	Resume    Verb = "resume" // go on with the step; weights that somebody set are dropped
	Abort     Verb = "abort"  // roll back, from promoted too
	Restart   Verb = "restart"
	SetWeight Verb = "weight" // give a variant another weight: with a plan only while paused
)

// Command is what somebody tells a rollout.
type Command struct {
	Verb Verb

	// Full makes Promote go to 100%: to the plan's last step if that is a bake, or gated, and it is not there yet; else to
	// being promoted.
	Full bool

	// Step is where to Jump, from 1.
	Step int

	// Variant and Weight are for SetWeight. The weight is a text such as "5%".
	Variant string
	Weight  string

	// Version is that of the record which the command is meant for: see [Record.Version]. Empty: whichever it is.
	Version string
}

// Errors of [Machine.Command] wrap one of these.
var (
	ErrState   = errors.New("not in this state") // the command is for other states than the present one
	ErrCommand = errors.New("not a command")     // it is for no state of this rollout
	ErrVersion = errors.New("the rollout has changed")
)

// Command does what somebody says, at once, and returns what happened. With an error nothing has.
func (m *Machine) Command(now Time, c Command) ([]Event, error) {
	m.elapse(now)
	if err := m.obey(c); err != nil {
		return nil, fmt.Errorf("%s: %w", string(c.Verb), err)
	}
	return m.take(), nil
}

func (m *Machine) obey(c Command) error {
	from, known := obeyed[c.Verb]
	if !known {
		return fmt.Errorf("%w: there are promote, step, pause, resume, abort, restart, weight", ErrCommand)
	}
	if version := m.record.Version(); c.Version != "" && c.Version != version {
		return fmt.Errorf("%w: it has version %s, and not %.64q: look at it again", ErrVersion, version, c.Version)
	}
	state := m.recorded()
	if state == Idle && !strings.Contains(from, string(Idle)) {
		return fmt.Errorf("%w: the rollout is idle, as it has no plan: give it one, or set weights with weight", ErrState)
	}
	if !strings.Contains(from, string(state)) {
		return fmt.Errorf("%w: the rollout is %s, and has to be %s", ErrState, string(state), from)
	}
	if m.outdated != nil {
		return m.obeyOutdated(c.Verb)
	}
	switch c.Verb {
	case Promote:
		m.obeyPromote(c.Full)
	case Jump:
		return m.obeyStep(c.Step)
	case Pause:
		m.transition(m.commanded(KindPaused, Paused, "pause"))
	case Resume:
		m.obeyResume()
	case Abort:
		m.transition(m.commanded(KindRolledBack, RolledBack, "abort"))
	case Restart:
		return m.obeyRestart()
	case SetWeight:
		return m.obeyWeight(c.Variant, c.Weight)
	}
	return nil
}

// obeyed holds the states in which each command is for a rollout.
var obeyed = map[Verb]string{
	Promote:   "progressing or paused",
	Jump:      "progressing or paused",
	Pause:     "progressing",
	Resume:    "paused",
	Abort:     "progressing, paused or promoted",
	Restart:   "progressing, paused, promoted or rolled_back",
	SetWeight: "paused, or idle without a plan",
}

// commanded is a transition that stays in the step.
func (m *Machine) commanded(kind Kind, to State, reason string) move {
	return move{kind: kind, to: to, step: m.record.Step, cause: ByOperator, reason: reason}
}

func (m *Machine) obeyResume() {
	reason := "resume"
	if m.record.Step == 0 {
		reason += ": " + waiting
	}
	m.transition(m.commanded(KindResumed, Progressing, reason))
}

func (m *Machine) obeyPromote(full bool) {
	steps := m.release.Plan.Steps
	if !full {
		m.goOn(move{step: m.next(), cause: ByOperator, reason: "promote"})
		return
	}
	next := len(steps)
	if steps[next-1].Weight != balance.Full || m.next() > next {
		next++ // there is no step of 100% to go to
	}
	m.goOn(move{step: next, cause: ByOperator, reason: "promote --full"})
}

func (m *Machine) obeyStep(step int) error {
	if n := len(m.release.Plan.Steps); step < 1 || step > n {
		return fmt.Errorf("%w: there is no step %d: the plan has 1 to %d", ErrCommand, step, n)
	}
	if step == m.record.Step && m.fits() {
		return fmt.Errorf("%w: it is at step %d", ErrState, step)
	}
	to := move{step: step, cause: ByOperator, reason: fmt.Sprintf("step %d", step)}
	if m.record.State == Progressing {
		m.goOn(to)
		return nil
	}
	to.kind = KindStepAdvanced
	to.to = Paused
	m.transition(to)
	return nil
}

func (m *Machine) obeyRestart() error {
	if m.ended() {
		return fmt.Errorf("%w: it ended at %s: configure another end first", ErrState, m.release.Ends.Format(time.RFC3339))
	}
	m.begin(move{kind: KindRestarted, step: 1, cause: ByOperator, reason: "restart"})
	return nil
}

func (m *Machine) obeyWeight(variant, weight string) error {
	share, err := balance.ParseWeight(weight)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCommand, err)
	}
	weights := m.Weights()
	i := -1
	for k, name := range m.release.Variants {
		if name == variant {
			i = k
		}
	}
	if i < 0 {
		return fmt.Errorf("%w: unknown variant %.64q: there are %s", ErrCommand, variant, strings.Join(m.release.Variants, ", "))
	}
	if i == 0 {
		return fmt.Errorf("%w: %q is the baseline, which takes what the others leave: set their weights", ErrCommand, variant)
	}
	weights[i] = share
	if total := sum(weights[1:]); total > balance.Full {
		return fmt.Errorf("%w: %s for %q would make %s together, and 100%% is all there is", ErrCommand, share.String(), variant, total.String())
	}
	r := &m.record
	set := map[string]string{variant: share.String()} // its own memory: a copy of the machine has the old one
	for name, kept := range r.Weights {
		if name != variant {
			set[name] = kept
		}
	}
	r.Weights = set
	r.Mismatched = false
	m.report(KindWeightSet, ByOperator, fmt.Sprintf("%s %s", variant, share.String()), nil)
	return nil
}
