package core

import (
	"encoding/json"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
)

// Explanation is what would become of a request, and why. What does not apply is empty.
type Explanation struct {
	Rollout  string `json:"rollout"`
	Revision string `json:"revision,omitempty"`
	State    string `json:"state"`
	Step     int    `json:"step,omitempty"`
	Epoch    int    `json:"epoch"`

	// Decision is what the request would get, and Choice what it would without what is over: rolled back, or past its end.
	Decision Chosen `json:"decision"`
	Choice   Chosen `json:"choice"`

	// Random tells that chance has a part in the decision, so that another request of the same kind may get another.
	Random bool `json:"random,omitempty"`

	// Notes say what the decision rests on that is not seen below, and what could not be known here.
	Notes []string `json:"notes,omitempty"`

	// Follow is whether the caller decides; nil if nobody is followed.
	Follow *FollowExplained `json:"follow,omitempty"`

	// Rules are all rules, in order: behind the first that decides none is asked.
	Rules []RuleExplained `json:"rules"`

	// Key is what identifies the client for percentages and the split, and Split the line of slots, with the client's
	// place on it.
	Key   KeyExplained   `json:"key"`
	Split SplitExplained `json:"split"`

	// Token is what became of the request's token, if anything asks for claims.
	Token *TokenExplained `json:"token,omitempty"`

	// Assignments are what cookies and the memory say of the client, in the order in which they count.
	Assignments []AssignmentExplained `json:"assignments,omitempty"`
	Router      *RouterExplained      `json:"router,omitempty"`

	// Subsets are what the request asks for among the variant's upstreams, and Upstreams those that may serve it then.
	Subsets   []SubsetExplained   `json:"subsets,omitempty"`
	Upstreams []UpstreamExplained `json:"upstreams,omitempty"`

	// Fallback is the variant that serves if the decided one fails before it answered. Empty: none does.
	Fallback string `json:"fallback,omitempty"`

	// Goals are what the client may reach by the request; nil without any.
	Goals *GoalsExplained `json:"goals,omitempty"`
}

// Chosen is a variant and the reason for it.
type Chosen struct {
	Variant string `json:"variant"`
	Reason  Reason `json:"reason"`
	Rule    string `json:"rule,omitempty"`
}

// FollowExplained is what becomes of a caller's announcement.
type FollowExplained struct {
	// Trusted tells that the caller's address is one of those that are followed, and Variant what he announces. Empty:
	// nothing that there is.
	Trusted bool   `json:"trusted"`
	Variant string `json:"variant,omitempty"`
}

// RuleExplained is a rule, and what became of it.
type RuleExplained struct {
	Name    string `json:"name"`
	Use     string `json:"use"`
	Percent string `json:"percent,omitempty"`

	// Outcome is "decides", "fails" (the condition does not hold), "misses" (it holds, and the client is not in the
	// percentage) or "skipped" (something before it decides).
	Outcome string `json:"outcome"`

	// Condition are the parts of the condition. Matcher tells that the gateway has one of its own instead, and Assumed
	// that somebody said what that answers.
	Condition []expr.Part `json:"condition,omitempty"`
	Matcher   bool        `json:"matcher,omitempty"`
	Assumed   bool        `json:"assumed,omitempty"`

	// Draw is the client's place on the line of a rule with a percentage; nil if that was not asked for.
	Draw *Draw `json:"draw,omitempty"`
}

// What becomes of a rule.
const (
	RuleDecides = "decides"
	RuleFails   = "fails"
	RuleMisses  = "misses"
	RuleSkipped = "skipped"
)

// Draw is a place on a line of 65,536 slots.
type Draw struct {
	Salt string `json:"salt"`

	// Slot is -1 for a client without a key.
	Slot int `json:"slot"`

	// Random tells that the slot was drawn, and is another for the next request.
	Random bool `json:"random,omitempty"`

	// Until is where a rule's slots end, which begin at 0.
	Until int `json:"until,omitempty"`
}

// KeyExplained is what identifies a client.
type KeyExplained struct {
	Values []expr.KeyPart `json:"values,omitempty"`
	Key    string         `json:"key,omitempty"`

	// By says what else the key is from: "cookie", which has an id for the client, or "client", the value that identifies
	// him to the memory or the router. Empty: one of the values.
	By string `json:"by,omitempty"`
}

// SplitExplained is the line of slots, from the first on.
type SplitExplained struct {
	Ranges []Range `json:"ranges"`
	Draw   *Draw   `json:"draw,omitempty"` // nil: the split was not asked
}

// Range are slots of a variant, up to one that is not among them.
type Range struct {
	Variant string `json:"variant"`
	Weight  string `json:"weight"`
	From    int    `json:"from"`
	To      int    `json:"to"`
}

// TokenExplained is what became of a token.
type TokenExplained struct {
	// Status is "verified", "absent", "assumed", or why it has no claims, as metrics name it.
	Status string `json:"status"`
}

// AssignmentExplained is an assignment that was found, or one that was not.
type AssignmentExplained struct {
	// In is "cookie" or "memory", and Name the cookie's name.
	In   string `json:"in"`
	Name string `json:"name,omitempty"`

	// Status is "valid", "absent", "empty" (a cookie that only has an id for the client), "expired", "released" (of another
	// revision, salt or epoch), "unknown_variant" (of one that there is not), "not_genuine" (no secret signed it for this
	// rollout) or "unknown" (there is no secret here to know it by).
	Status string `json:"status"`

	Variant string    `json:"variant,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // zero: only its generation ends it
}

// How assignments are.
const (
	AssignmentValid    = "valid"
	AssignmentAbsent   = "absent"
	AssignmentEmpty    = "empty"
	AssignmentExpired  = "expired"
	AssignmentReleased = "released"
	AssignmentGone     = "unknown_variant"
	AssignmentForged   = "not_genuine" // tampered with, of another rollout, or of a secret that is gone
	AssignmentUnknown  = "unknown"
)

// RouterExplained is what the router says of the client.
type RouterExplained struct {
	Client string `json:"client,omitempty"`

	// Status is "skipped" (something before it decides), "no_client" (nothing identifies the client), "not_asked" (it would
	// be), "answered" or "failed" (the split decides).
	Status  string `json:"status"`
	Variant string `json:"variant,omitempty"`
	Error   string `json:"error,omitempty"`
}

// What becomes of a question to the router.
const (
	RouterSkipped  = "skipped"
	RouterNoClient = "no_client"
	RouterNotAsked = "not_asked"
	RouterAnswered = "answered"
	RouterFailed   = "failed"
)

// SubsetExplained is a value by which a request narrows the upstreams.
type SubsetExplained struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Absent bool   `json:"absent,omitempty"` // it does not narrow
	None   bool   `json:"none,omitempty"`   // no upstream of the variant has the value
}

// UpstreamExplained is an upstream that may serve the request.
type UpstreamExplained struct {
	Name        string `json:"name"`
	Weight      int    `json:"weight"`
	Unavailable bool   `json:"unavailable,omitempty"`
}

// GoalsExplained is what a client reaches by a request, if the variant answers it with a status below 400; where a condition
// asks for status(), that decides by itself.
type GoalsExplained struct {
	// Status is "counted", or why the client reaches no goal: "not_by_chance" (a rule, or whatever else is not chance, led to
	// the variant), "no_client" (nothing tells the client from others) or "one_variant" (there is nothing to compare).
	Status string `json:"status"`

	// List are all goals, in order.
	List []GoalExplained `json:"list"`
}

// Whether a client counts, and so can reach goals.
const (
	GoalsCounted  = "counted"
	GoalsChosen   = "not_by_chance"
	GoalsNoClient = "no_client"
	GoalsAlone    = "one_variant"
)

// GoalExplained is a goal.
type GoalExplained struct {
	Name string `json:"name"`

	// Met tells that the request meets the condition; false if a part decides that is open.
	Met bool `json:"met"`

	// ByStatus tells that the condition asks for status(), so that the status does not have to be below 400.
	ByStatus bool `json:"by_status,omitempty"`

	// Condition are its parts.
	Condition []expr.Part `json:"condition,omitempty"`
}

// Question is a request of which somebody wants to know what would become of it.
type Question struct {
	// Method is the request's. Empty: GET.
	Method string `json:"method,omitempty"`

	// URL is what is asked for, http:// or https:// as the gateway gets it. Required.
	URL string `json:"url"`

	// Headers are the request's, by name.
	Headers map[string][]string `json:"headers,omitempty"`

	// IP is the client's address as the gateway resolves it. Empty: unknown.
	IP string `json:"ip,omitempty"`

	// AskRouter has the router asked; else the split decides in its place.
	AskRouter bool `json:"ask_router,omitempty"`

	// Claims are those of a token that counts as verified: a JSON object. Empty: that of the request is verified.
	Claims json.RawMessage `json:"claims,omitempty"`

	// Geo are answers of geo() by field, Placeholders those of placeholder() by name, and Match those of the gateway's own
	// matchers by the names of their rules. What is missing is asked.
	Geo          map[string]string `json:"geo,omitempty"`
	Placeholders map[string]string `json:"placeholders,omitempty"`
	Match        map[string]bool   `json:"match,omitempty"`
}
