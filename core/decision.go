package core

import (
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
)

// Reason says why a variant was chosen.
type Reason string

const (
	ByFollowing  Reason = "followed"    // a caller that is followed said so
	ByRule       Reason = "rule"        // a rule matched
	ByAssigned   Reason = "assigned"    // the client keeps the variant that he was assigned
	ByRouter     Reason = "router"      // the router outside said so
	BySplit      Reason = "split"       // the client's slot lies in the variant's range
	ByBase       Reason = "base"        // nothing else applied
	ByFallback   Reason = "fallback"    // the chosen variant failed before it answered, or has no upstream for the request
	ByRolledBack Reason = "rolled_back" // the rollout is over: the baseline serves in the chosen variant's place
)

// Decision is which variant serves a request, and why.
type Decision struct {
	Variant    string // the variant's name
	Index      int    // its position among the configuration's variants
	Reason     Reason
	Rule       string // the rule's name if the reason is ByRule, else ""
	Generation string // what is being released: changes with revision and salt

	// Cookie is what [Decision.SetCookie] adds to the response. Empty: nothing.
	Cookie string

	// What Report counts in. Nil: it does not.
	decided *atomic.Int64 // decisions for this reason
	served  *counters     // what the variant did
	arm     *analysis.Arm // what it did in this step of the plan

	phase *phase // in which it was made
}

// Outcome is how the variant did that served a request. A failure is a status of 5xx, or none, or an error of the proxy; a
// client that went away is neither a failure nor a success.
type Outcome struct {
	// Status is the response's status code; 0 if the variant failed before it answered.
	Status int

	// Failed tells that the variant could not be reached or broke off, whatever status the client got in the end.
	Failed bool

	// Gone tells that the client went away: such a request says nothing about the variant.
	Gone bool

	// Latency is the time from the decision to the first byte of the response.
	Latency time.Duration
}
