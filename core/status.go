package core

import (
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Status is a rollout at one moment, as people and programs are shown it.
type Status struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Member   string `json:"member,omitempty"` // the gateway's name, if it has one

	// State, Cause, Reason and Since are those of the record: see [rollout.Record]. The state is "unknown" as long as the
	// store has not said what it knows, and "outdated" where others release what superseded this gateway's revision.
	State  string    `json:"state"`
	Cause  string    `json:"cause,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Epoch  int       `json:"epoch"`

	// Version changes with everything that happens to the rollout: it is what a command may be conditional on.
	Version string `json:"version"`

	// Step counts from 1; 0 without a plan, and before the first. Age is how long it has lasted.
	Step  int           `json:"step"`
	Steps []StepStatus  `json:"steps,omitempty"`
	Age   time.Duration `json:"age_ns"`

	// Held and Stalled tell that the step's time is over, and that this was so for the plan's deadline. Awaits tells that
	// the answer of the step's confirm is all that it waits for.
	Held    bool `json:"held,omitempty"`
	Stalled bool `json:"stalled,omitempty"`
	Awaits  bool `json:"awaits_confirmation,omitempty"`

	Ends time.Time `json:"ends,omitzero"`

	Candidate string          `json:"candidate,omitempty"`
	Base      string          `json:"base"`
	Variants  []VariantStatus `json:"variants"`

	// Checks are what the plan's evaluations look at.
	Checks []analysis.Description `json:"checks,omitempty"`

	// Evaluation is the last of this step; nil before the first.
	Evaluation *EvaluationStatus `json:"evaluation,omitempty"`

	// SampleRatio says why it is not watched whether clients are divided as the weights say. Empty: it is.
	SampleRatio string `json:"sample_ratio_off,omitempty"`

	// Counts are what was counted since the gateway's process began, by name: decisions by reason, evaluations by verdict,
	// refused tokens by cause, and what became of questions to the router, of copies, of webhooks and of queries for Prometheus. What
	// never happened is not there.
	Counts map[string]int64 `json:"counts,omitempty"`

	// StoreAway says why the store is away. Empty: it is not.
	StoreAway string `json:"store_away,omitempty"`

	// Members are the gateways that have the store, this one too. Empty: no others can have it.
	Members []MemberStatus `json:"members,omitempty"`
}

// StepStatus is a step of the plan.
type StepStatus struct {
	Weight  string        `json:"weight"`
	For     time.Duration `json:"for_ns,omitempty"`
	Manual  bool          `json:"manual,omitempty"`
	Confirm bool          `json:"confirm,omitempty"`
}

// VariantStatus is a variant, and what was seen of it: with a plan the outcomes that count for it since the step began,
// without one all since the gateway's process did.
type VariantStatus struct {
	Name       string        `json:"name"`
	Weight     string        `json:"weight"`
	Requests   int64         `json:"requests"`
	Failures   int64         `json:"failures"`
	LatencyP50 time.Duration `json:"latency_p50_ns,omitempty"`
	LatencyP95 time.Duration `json:"latency_p95_ns,omitempty"`
	LatencyP99 time.Duration `json:"latency_p99_ns,omitempty"`
}

// EvaluationStatus is an evaluation of the checks.
type EvaluationStatus struct {
	Verdict rollout.Verdict    `json:"verdict"`
	Reason  string             `json:"reason,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`

	// Failures is how many failed in a row, of the Limit at which the rollout is rolled back or paused.
	Failures int `json:"failures"`
	Limit    int `json:"limit"`
}

// UnknownState is the state of a rollout of which the store has not said yet what it knows.
const UnknownState = "unknown"

// Status returns the rollout as it is now; false if no engine is in force.
func (l *Live) Status() (Status, bool) {
	e := l.inForce()
	s, _ := l.shown.Load().(*shown)
	if e == nil || s == nil {
		return Status{}, false
	}
	v := s.view
	r := &v.Record
	status := Status{
		Name: e.name, Revision: r.Revision, Member: e.member(), State: string(v.State), Cause: string(r.Cause), Reason: r.Reason, Since: r.Since,
		Epoch: r.Epoch, Version: r.Version(), Step: r.Step, Age: v.Age(clocks().Mono), Held: r.Held, Stalled: r.Stalled, Awaits: v.Awaits != "",
		Ends: e.ends, StoreAway: v.Away, SampleRatio: e.sampleRatio(), Counts: l.tallied(),
	}
	if v.State == "" {
		status.State = UnknownState
		status.Revision = v.Release.Revision
	}
	if v.Outdated != nil {
		outdate(&status, v)
	}
	status.Members = l.memberStatus()
	p := current(e)
	status.Base = p.base.Variant
	if e.candidate > 0 {
		status.Candidate = e.variants[e.candidate]
	}
	for i, name := range e.variants {
		status.Variants = append(status.Variants, e.variantStatus(p, name, i))
	}
	if e.plan == nil {
		status.Step = 0
		return status, true
	}
	for _, step := range e.plan.Steps {
		status.Steps = append(status.Steps, StepStatus{Weight: step.Weight.String(), For: step.For, Manual: step.Manual, Confirm: step.Confirm != ""})
	}
	status.Checks = e.checks.Describe()
	if last := v.Last; last.Verdict != "" {
		status.Evaluation = &EvaluationStatus{Verdict: last.Verdict, Reason: last.Reason, Figures: last.Figures, Failures: r.Failures, Limit: e.plan.Failures}
	}
	return status, true
}

func (e *Engine) variantStatus(p *phase, name string, i int) VariantStatus {
	status := VariantStatus{Name: name, Weight: p.weights[i].String()}
	if p.trial != nil && e.plan != nil {
		seen := p.trial.Tally(i)
		status.Requests = seen.Requests
		status.Failures = seen.Failures
		status.LatencyP50 = seen.P50
		status.LatencyP95 = seen.P95
		status.LatencyP99 = seen.P99
		return status
	}
	if e.observe {
		counted := e.live.Counts()[name]
		status.Failures = counted.Failure
		status.Requests = counted.Success + counted.Failure
	}
	return status
}

// sampleRatio says why the division of clients is not watched, or "".
func (e *Engine) sampleRatio() string {
	switch {
	case e.assigner == nil:
		return "assignments are not remembered (sticky), and requests are no clients"
	case e.assigner.router != nil:
		return "the router assigns"
	case e.live.census.isClosed():
		return "clients come who were assigned elsewhere, or before this process began"
	}
	return ""
}
