package analysis

import (
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Settings are what a plan's checks are read with.
type Settings struct {
	// Variants are the names, the baseline's first, and Candidate is the index of the one that is moved forward.
	Variants  []string
	Candidate int

	// Every is the time from one evaluation to the next, Window how far each looks back, and MinRequests how many requests
	// of a variant it wants to see.
	Every, Window time.Duration
	MinRequests   int64

	// Alpha is the probability with which a rollout that is healthy may be rolled back, of all its life. 0 stands for the
	// default, 0.01.
	Alpha float64

	// TimedSteps is how many steps of the plan have a duration, and Failures how many failed evaluations in a row roll back:
	// what Alpha is divided by.
	TimedSteps int
	Failures   int

	// Prometheus, Mirror and Goals tell whether there is something to ask for prometheus(), mirror_mismatch() and
	// conversion(). Without, these are errors that say what to configure.
	Prometheus, Mirror, Goals bool
}

// Look is what an evaluation knows beside the trial.
type Look struct {
	Elapsed time.Duration // since the trial began
	For     time.Duration // how long the step lasts. 0: it is manual, or has no duration
	Manual  bool          // somebody ends the step
	Number  int           // of this look during the stay, from 1

	// Alone: the candidate has all of the traffic, and checks that need the baseline are skipped.
	Alone bool

	// Prometheus are answers by query; one that is missing, or no finite number, is unknown.
	Prometheus map[string]float64

	// Mirror and Conversion return shares, from 0 to 1, and whether they are known. Nil: unknown.
	Mirror     func(variant string) (float64, bool)
	Conversion func(variant, goal string) (float64, bool)
}

// Result is what an evaluation says.
type Result struct {
	Verdict rollout.Verdict

	// Requests is how many requests of the candidate were seen since the trial began.
	Requests int64

	// Reason says in one line which check decided and what it saw, Figures the numbers behind it.
	Reason  string
	Figures map[string]float64
}

// Checks are what has to be true of a candidate.
type Checks struct{}

// ParseChecks reads the checks of a plan. On failure it returns the problems of each text, with their columns. No texts at
// all stand for !worse(candidate).
func ParseChecks(texts []string, s Settings) (*Checks, [][]error) {
	return &Checks{}, make([][]error, len(texts))
}

// Queries returns what the checks ask Prometheus, each once.
func (c *Checks) Queries() []string { return nil }

// Evaluate says what the checks make of a trial.
func (c *Checks) Evaluate(t *Trial, look Look) Result { return Result{Verdict: rollout.Hold} }
