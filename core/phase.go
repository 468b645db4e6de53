package core

import (
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/goal"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// phase is what an engine decides by between two changes of its rollout: all decisions that it can make then. It does not
// change; another one takes its place. Whoever decides takes the phase once and goes by it to the end, so that weights
// and assignments are of one time.
type phase struct {
	turn     int64 // of the Live, when it was looked at last
	state    rollout.State
	step     int // of the plan, from 1; 0 is before the first
	position rollout.Position
	line     *balance.Line
	weights  []balance.Weight
	base     *Decision
	instead  *Decision   // where the base serves in the place of a variant that failed
	over     *Decision   // after the rollout's end
	split    []*Decision // by variant, as the next three
	followed []*Decision
	assigned []*Decision
	routed   []*Decision
	rules    []*Decision     // by rule
	trial    *trial          // nil if nothing is judged or counted
	sample   *goal.Sample    // of clients; nil if they are not counted
	mirrors  *mirror.Mirrors // nil: nobody gets copies

	generation uint64 // of the assignments that are made
	before     uint64 // generation of the epoch before
	drained    int64  // Unix milliseconds until which clients keep the baseline that they were assigned in it
}

// current returns the phase that holds now.
func current(e *Engine) *phase {
	p := e.phase.Load().(*phase)
	if p.turn != e.live.turn.Load() {
		return renew(e)
	}
	return p
}

// renew makes the engine follow what its rollout has come to, if it is one of those that the rollout's controller speaks
// of.
func renew(e *Engine) *phase {
	e.renewing.Lock()
	defer e.renewing.Unlock()
	old := e.phase.Load().(*phase)
	turn := e.live.turn.Load() // before the view: what is shown meanwhile is looked at again
	if turn == old.turn {
		return old
	}
	p := e.newPhase(e.live.shownTo(e), turn, false)
	if p == nil {
		copied := *old
		p = &copied
		p.turn = turn
	}
	e.phase.Store(p)
	return p
}

// newPhase returns the phase in which a view shows the rollout, or a preview of it; nil for a view that is nil.
func (e *Engine) newPhase(v *rollout.View, turn int64, preview bool) *phase {
	if v == nil {
		return nil
	}
	line, err := balance.NewLine(v.Weights)
	if err != nil {
		return nil // no plan and no command makes such weights
	}
	p := &phase{turn: turn, state: v.State, step: v.Record.Step, position: v.Position, line: line, weights: v.Weights}
	p.mirrors = e.copiers.in(v.State)
	epoch := v.Position.Epoch
	p.generation = generationOf(e.generation, epoch)
	p.before = generationOf(e.generation, epoch-1)
	if v.Record.State == rollout.Promoted && v.Outdated == nil && e.assigner != nil {
		p.drained = v.Record.Since.Add(e.assigner.drain).UnixMilli()
	}
	judged := e.plan != nil && v.State != rollout.RolledBack
	if judged || e.assigner != nil {
		p.trial = e.live.trialOf(v, e.variants, e.candidate, preview)
	}
	p.sample = e.live.sampleOf(e, v, preview)
	e.fill(p, v, judged && e.observe)
	return p
}

// fill makes the decisions of a phase. Outcomes count for the plan where chance or an assignment led to the variant, and
// those of rules, by which testers come before anybody else, as long as nobody else does.
func (e *Engine) fill(p *phase, v *rollout.View, counted bool) {
	maker := decisions{engine: e, phase: p, lost: -1}
	if v.State == rollout.RolledBack {
		maker.lost = e.candidate
	}
	base := 0
	if v.State == rollout.Promoted {
		base = e.candidate
	}
	p.base = maker.decision(base, ByBase, "")
	p.instead = maker.decision(base, ByFallback, "")
	p.over = maker.decision(0, ByRolledBack, "")
	if e.plan != nil {
		e.counts(e.candidate, ByBase) // once it is promoted: shown from the start
	}
	rulesToo := counted && e.candidate > 0 && p.weights[e.candidate] == 0
	if e.follows {
		for i := range e.variants {
			p.followed = append(p.followed, maker.decision(i, ByFollowing, ""))
		}
	}
	for i := range e.rules {
		maker.counted = rulesToo
		p.rules = append(p.rules, maker.decision(e.rules[i].variant, ByRule, e.rules[i].name))
	}
	maker.counted = counted
	for i := range e.variants {
		p.split = append(p.split, maker.decision(i, BySplit, ""))
		if e.assigner != nil {
			p.assigned = append(p.assigned, maker.decision(i, ByAssigned, ""))
		}
		if e.assigner != nil && e.assigner.router != nil {
			p.routed = append(p.routed, maker.decision(i, ByRouter, ""))
		}
	}
}

// decisions makes the decisions of a phase.
type decisions struct {
	engine  *Engine
	phase   *phase
	lost    int  // the variant that was rolled back; -1: none was
	counted bool // whether outcomes count for the plan
}

func (m *decisions) decision(variant int, reason Reason, rule string) *Decision {
	e := m.engine
	counted := m.counted
	counts := e.counts(variant, reason) // though it may be lost now: so that it is shown from the start
	if variant == m.lost {
		variant, reason, rule, counted = 0, ByRolledBack, "", false
		counts = e.counts(variant, reason)
	}
	d := &Decision{Variant: e.variants[variant], Index: variant, Reason: reason, Rule: rule, Generation: e.generation, counts: counts, phase: m.phase}
	if counted {
		d.arm = m.phase.trial.Arm(variant)
	}
	return d
}

// trial counts how the variants do during one stay in a step.
type trial struct {
	*analysis.Trial
	position  rollout.Position
	division  string // of traffic, among which variants
	candidate int
	began     time.Duration // on the monotonic clock: when the step did
	made      time.Duration // on the monotonic clock: when this trial did
	seen      int64         // requests of the candidate in trials of this position that were given up
}

// requests returns how many requests of the candidate were seen in the position. It never falls.
func (t *trial) requests() int64 { return t.seen + t.Tally(t.candidate).Requests }
