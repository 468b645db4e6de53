package rollout

import (
	"math"
	"time"
)

// Verdict is what an evaluation of all checks says of the candidate.
type Verdict string

const (
	Hold Verdict = "hold" // there is not enough to know: holding is never failing
	Pass Verdict = "pass"
	Fail Verdict = "fail"
)

// Position is one stay in one step; where a paused rollout goes on, another one begins. What was decided or seen in another
// says nothing about this one, even if it is the same step again: two positions are the same if and only if they are equal.
type Position struct {
	Revision string
	Epoch    int // of the revision
	Entry    int // counts the stays in steps that the rollout ever began
}

// Evaluation is one look at all checks.
type Evaluation struct {
	// Position is the one whose requests were judged. One of any other position is ignored.
	Position Position

	// Verdict is what the checks say. Anything but Pass and Fail is Hold.
	Verdict Verdict

	// Requests is how many requests of the candidate were seen since the position began. It never falls within one.
	Requests int64

	// Reason says which check decided and what it saw. Figures are the numbers behind it; those that no JSON can hold,
	// infinities and NaN, are left out of events.
	Reason  string
	Figures map[string]float64
}

// Confirmation is the answer of the URL that a step's confirm names.
type Confirmation struct {
	Position  Position // in which it was asked. One of any other position is ignored.
	Confirmed bool
	Reason    string // why not, such as the status of the answer
}

// Mismatch tells that clients were not divided as the weights say.
type Mismatch struct {
	Position Position // in which they were assigned. One of any other position is ignored.
	Reason   string
	Figures  map[string]float64
}

// Kind is what happened.
type Kind string

const (
	KindStarted      Kind = "started"       // a revision's plan began
	KindStepAdvanced Kind = "step_advanced" // another step began: the next, or one that somebody or an edited plan led to
	KindHeld         Kind = "held"          // a step's time is over, and it may not end yet; once for a stay in it
	KindStalled      Kind = "stalled"       // it held for the plan's deadline; once for a stay in it
	KindPaused       Kind = "paused"
	KindResumed      Kind = "resumed"
	KindPromoted     Kind = "promoted"
	KindRolledBack   Kind = "rolled_back"
	KindRestarted    Kind = "restarted"
	KindWeightSet    Kind = "weight_set"            // somebody gave a variant another weight, or a configuration took that back
	KindMismatch     Kind = "sample_ratio_mismatch" // clients are not divided as the weights say; once for a stay in a step
)

// Kinds are all kinds of events.
var Kinds = []Kind{KindStarted, KindStepAdvanced, KindHeld, KindStalled, KindPaused, KindResumed, KindPromoted, KindRolledBack,
	KindRestarted, KindWeightSet, KindMismatch}

// Event is one transition, or something else that people want to know of.
type Event struct {
	// ID numbers the events of a rollout from 1, without gaps.
	ID int64 `json:"id"`

	Kind Kind      `json:"event"`
	Time time.Time `json:"time"` // by the wall clock

	// Revision, Epoch, State and Step are those that the event led to. Step counts from 1; 0 is before the first.
	Revision string `json:"revision"`
	Epoch    int    `json:"epoch"`
	State    State  `json:"state"`
	Step     int    `json:"step"`

	// Cause is what made it happen. Empty: the plan went its way, or it is no transition.
	Cause Cause `json:"cause,omitempty"`

	// Reason says what led to it, for people. Figures are the numbers behind it, by name.
	Reason  string             `json:"reason,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`

	// Member is the name of the gateway where it happened. Empty: that has none.
	Member string `json:"member,omitempty"`
}

// finite returns the figures that JSON can hold, in a map of their own, or nil if there are none.
func finite(figures map[string]float64) map[string]float64 {
	var kept map[string]float64
	for name, value := range figures {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		if kept == nil {
			kept = map[string]float64{}
		}
		kept[name] = value
	}
	return kept
}
