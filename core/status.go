package core

import (
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Status is a rollout at one moment, as people and programs are shown it.
type Status struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Member   string `json:"member,omitempty"` // the gateway's name, if it has one

	// State, Cause, Reason and Since are those of the record: see [rollout.Record]. The state is "unknown" as long as the
	// store has not said what it knows.
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

	// Evaluation is the last of this step; nil before the first.
	Evaluation *EvaluationStatus `json:"evaluation,omitempty"`

	// StoreAway says why the store is away. Empty: it is not.
	StoreAway string `json:"store_away,omitempty"`
}

// StepStatus is a step of the plan.
type StepStatus struct {
	Weight  string        `json:"weight"`
	For     time.Duration `json:"for_ns,omitempty"`
	Manual  bool          `json:"manual,omitempty"`
	Confirm bool          `json:"confirm,omitempty"`
}

// VariantStatus is a variant, and what was seen of it since the step began: outcomes that count for the plan.
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
