package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Plan is a plan that is simulated.
type Plan struct {
	Release rollout.Release // with a plan
	Checks  *analysis.Checks

	// Start is when the plan begins, by the wall clock: its hours go by that.
	Start time.Time

	// Manual is how long people take to promote and to confirm, once nothing else keeps a step from ending.
	Manual time.Duration

	// Prometheus are answers by query. All that the checks ask must be there: what is missing is unknown, and holds.
	Prometheus map[string]float64
}

// Horizon is how far a simulation looks.
const Horizon = 400 * 24 * time.Hour

// Stage is a stay in a step.
type Stage struct {
	Step   int            `json:"step"` // from 1; 0: waiting for the hours of the plan
	Weight string         `json:"weight"`
	At     time.Time      `json:"at"`
	After  time.Duration  `json:"after_ns"` // since the start
	Waits  string         `json:"waits,omitempty"`
	State  rollout.State  `json:"state"`
	Record rollout.Record `json:"-"`
}

// moment is a time of the simulation on both clocks.
func (p *Plan) moment(elapsed time.Duration) rollout.Time {
	return rollout.Time{Wall: p.Start.Add(elapsed), Mono: elapsed}
}

// Timeline says when a plan whose evaluations all pass would be where, if people take as long as the plan says. The last
// stage is where it ends: promoted, unless that is beyond the [Horizon].
func (p *Plan) Timeline() []Stage {
	machine, _ := rollout.New(p.Release, rollout.Record{}, p.moment(0))
	h := p.people(machine)
	stages := []Stage{p.stage(machine, 0)}
	every := p.Release.Plan.Every
	for now := time.Duration(0); now < Horizon && machine.State() == rollout.Progressing; {
		position := machine.Position()
		now += p.pause(machine, every)
		pass := &rollout.Evaluation{Position: position, Verdict: rollout.Pass, Requests: int64(now / time.Second)}
		machine.Tick(p.moment(now), rollout.Observations{Evaluation: pass})
		h.act(machine, now)
		if machine.Position() != position || machine.State() != rollout.Progressing {
			stages = append(stages, p.stage(machine, now))
		}
	}
	return stages
}

// pause returns how long nothing happens: to the end of a step's time, or else from one evaluation to the next.
func (p *Plan) pause(machine *rollout.Machine, every time.Duration) time.Duration {
	r := machine.Record()
	if r.Step == 0 || p.Release.Ends.After(p.Start) {
		return every
	}
	left := p.Release.Plan.Steps[r.Step-1].For - r.Age
	if left > 0 && left < every {
		return left
	}
	return max(every, left.Truncate(every))
}

func (p *Plan) stage(machine *rollout.Machine, now time.Duration) Stage {
	r := machine.Record()
	s := Stage{Step: r.Step, At: p.Start.Add(now), After: now, State: machine.State(), Record: r}
	s.Weight = machine.Weights()[p.Release.Candidate].String()
	if s.State != rollout.Progressing {
		return s
	}
	if r.Step == 0 {
		s.Waits = "for the hours of the plan"
		return s
	}
	switch step := p.Release.Plan.Steps[r.Step-1]; {
	case step.Manual:
		s.Waits = "until somebody promotes"
	case step.Confirm != "" && step.For > 0:
		s.Waits = fmt.Sprintf("%s, and for a confirmation", step.For)
	case step.Confirm != "":
		s.Waits = "for a confirmation"
	case step.For > 0:
		s.Waits = step.For.String()
	}
	return s
}

// people promote and confirm.
type people struct {
	plan     *Plan
	position rollout.Position
	since    time.Duration // when they could have: since the step began, or its confirm is all that it waits for
	asked    bool          // for that
}

func (p *Plan) people(machine *rollout.Machine) *people {
	return &people{plan: p, position: machine.Position()}
}

// act lets them do what they are waited for, not at the moment at which that begins.
func (h *people) act(machine *rollout.Machine, now time.Duration) {
	if h.position != machine.Position() {
		h.follow(machine, now)
		return
	}
	step := machine.Record().Step
	if machine.State() != rollout.Progressing || step == 0 {
		return
	}
	if !h.plan.Release.Plan.Steps[step-1].Manual {
		h.confirm(machine, now)
		return
	}
	if now-h.since >= h.plan.Manual {
		_, _ = machine.Command(h.plan.moment(now), rollout.Command{Verb: rollout.Promote}) // it is progressing
		h.follow(machine, now)
	}
}

func (h *people) follow(machine *rollout.Machine, now time.Duration) {
	h.position = machine.Position()
	h.since = now
	h.asked = false
}

func (h *people) confirm(machine *rollout.Machine, now time.Duration) {
	if machine.Awaits() == "" {
		h.asked = false
		return
	}
	if !h.asked {
		h.asked = true
		h.since = now
	}
	if now-h.since >= h.plan.Manual {
		confirmed := &rollout.Confirmation{Position: machine.Position(), Confirmed: true, Reason: "confirmed"}
		machine.Tick(h.plan.moment(now), rollout.Observations{Confirmation: confirmed})
	}
}

// Scenario is what happens to a plan.
type Scenario struct {
	Traffic   Traffic
	Healthy   Behaviour // of all variants but the candidate
	Candidate Behaviour

	// After is how long the candidate is as the others before it is as it is.
	After time.Duration

	// Patience is after how long it is enough, however far the plan has come.
	Patience time.Duration
}

// Outcome is how a plan ended.
type Outcome struct {
	State rollout.State // progressing: not within the patience
	Step  int
	Took  time.Duration // since the start

	// Requests and Failures are those of the candidate.
	Requests, Failures int64

	// Reached is when each step was entered, from the first; shorter if not all were.
	Reached []time.Duration

	// Reason is why it was stopped, or what it waits for.
	Reason string
}

// Run simulates a plan once. The same seed leads to the same.
func (p *Plan) Run(s Scenario, seed uint64) Outcome {
	random := Seeded(seed)
	plan := p.Release.Plan
	machine, _ := rollout.New(p.Release, rollout.Record{}, p.moment(0))
	h := p.people(machine)
	var o Outcome
	var position rollout.Position
	var trial *analysis.Trial
	began, looks := time.Duration(0), 0
	now := time.Duration(0)
	for now < s.Patience && machine.State() == rollout.Progressing {
		if trial == nil || position != machine.Position() {
			position = machine.Position()
			trial = analysis.NewTrial(p.Release.Variants)
			began, looks = now, 0
			for len(o.Reached) < machine.Record().Step {
				o.Reached = append(o.Reached, now)
			}
		}
		weights := machine.Weights()
		p.serve(s, random, trial, weights, now, &o)
		now += plan.Every
		looks++
		machine.Tick(p.moment(now), rollout.Observations{Evaluation: p.evaluate(trial, machine, weights, now-began, looks)})
		h.act(machine, now)
	}
	o.State = machine.State()
	o.Step = machine.Record().Step
	o.Took = now
	switch o.State {
	case rollout.RolledBack, rollout.Paused:
		o.Reason = machine.Record().Reason
	case rollout.Progressing:
		o.Reason = p.stage(machine, now).Waits
		if e := machine.Evaluation(); e.Verdict == rollout.Hold {
			o.Reason = e.Reason
		}
	}
	return o
}

// serve lets all variants answer until the next evaluation: the baseline first, then the candidate, then the others.
func (p *Plan) serve(s Scenario, random *rand.Rand, trial *analysis.Trial, weights []balance.Weight, now time.Duration, o *Outcome) {
	candidate := p.Release.Candidate
	behaves := s.Healthy
	if now >= s.After {
		behaves = s.Candidate
	}
	share := func(i int) float64 { return float64(weights[i]) / float64(balance.Full) }
	every := p.Release.Plan.Every
	s.Traffic.Serve(random, trial.Arm(0), share(0), every, s.Healthy)
	counts := s.Traffic.Serve(random, trial.Arm(candidate), share(candidate), every, behaves)
	o.Requests += int64(counts.Requests)
	o.Failures += int64(counts.Failures)
	for i := 1; i < len(weights); i++ {
		if i != candidate && weights[i] > 0 {
			s.Traffic.Serve(random, trial.Arm(i), share(i), every, s.Healthy)
		}
	}
}

// evaluate looks at the checks as a gateway does.
func (p *Plan) evaluate(trial *analysis.Trial, machine *rollout.Machine, weights []balance.Weight, elapsed time.Duration, number int) *rollout.Evaluation {
	look := analysis.Look{Elapsed: elapsed, Number: number, Prometheus: p.Prometheus}
	look.Alone = weights[0] == 0
	look.Dark = weights[p.Release.Candidate] == 0
	look.Mirror = func(string) analysis.Mirrored {
		return analysis.Mirrored{Compared: p.Release.Plan.MinRequests, Certain: true} // and agree
	}
	if step := machine.Record().Step; step > 0 {
		look.For = p.Release.Plan.Steps[step-1].For
	}
	result := p.Checks.Evaluate(trial, look)
	return &rollout.Evaluation{Position: machine.Position(), Verdict: result.Verdict, Requests: result.Requests, Reason: result.Reason, Figures: result.Figures}
}
