package core

import "github.com/grayling-gateway/grayling/core/analysis"

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

	// AsksStatus tells that a goal may be reached whose condition asks for status(), so that [Report] is to be told how the
	// request was answered, and [Succeeded] is not enough.
	AsksStatus bool

	// What Report counts in.
	counts *outcomes
	arm    *analysis.Arm // what the variant did in this step of the plan; nil: that does not count for it

	phase *phase // in which it was made

	fully bool // it is remembered for requests of which the upstream is told by more than one header

	reached *reached // what the client reaches by how the request is answered; nil: nothing

	unclaimed bool // whether the request was found to have no claims, for the copies, which may ask again
}
