package core

import (
	"fmt"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// OutdatedState is the state of a rollout where this gateway is configured with a revision that others superseded.
const OutdatedState = "outdated"

// MemberStatus is a gateway of a fleet, as this one knows it.
type MemberStatus struct {
	ID       string `json:"id"` // of its process
	Name     string `json:"name,omitempty"`
	Self     bool   `json:"self,omitempty"`    // it is this gateway
	Gateway  string `json:"gateway,omitempty"` // what it is, such as "caddy v2.11.4"
	Revision string `json:"revision"`

	// State, Step and Weight are where it sees the rollout.
	State  string `json:"state"`
	Step   int    `json:"step"`
	Weight string `json:"weight,omitempty"`

	// Requests and Failures are what it counted for the plan since the step began.
	Requests int64 `json:"requests"`
	Failures int64 `json:"failures"`

	// Judges tells that it judges the sum of all, and Verdict what it says.
	Judges  bool            `json:"judges,omitempty"`
	Verdict rollout.Verdict `json:"verdict,omitempty"`

	// Reported is how long ago it reported last.
	Reported time.Duration `json:"reported_ago_ns"`

	// Differs says in what it differs from this gateway. Empty: in nothing that matters.
	Differs string `json:"differs,omitempty"`
}

// memberStatus returns the gateways that have the rollout's store; nil if no others can have it. Where there are very many,
// and this one does not judge, it knows only some of them.
func (l *Live) memberStatus() []MemberStatus {
	seen, _ := l.company.seen.Load().(*assembly)
	if seen == nil {
		return nil
	}
	now := clocks().Mono
	members := make([]MemberStatus, 0, len(seen.members))
	for _, m := range seen.members {
		r := m.Report
		status := MemberStatus{ID: m.ID, Name: r.Name, Self: m.ID == seen.id, Gateway: r.Gateway, Revision: r.Revision, State: r.State, Step: r.Step,
			Weight: r.Weight, Requests: r.Requests(), Failures: r.Failures(), Judges: m.Judges, Verdict: r.Verdict, Reported: now - m.Heard, Differs: m.Differs}
		if r.Outdated {
			status.State = OutdatedState
		}
		members = append(members, status)
	}
	return members
}

// outdate makes the status that of a gateway whose revision was superseded. It is no method: interpreted, nobody could
// write a type with methods as JSON.
func outdate(s *Status, v *rollout.View) {
	s.State = OutdatedState
	s.Revision = v.Outdated.Revision
	s.Epoch = v.Outdated.Epoch
	s.Step = 0
	s.Age = 0
	s.Since = time.Time{}
	s.Cause = ""
	s.Held = false
	s.Stalled = false
	s.Reason = fmt.Sprintf("revision %q is being released elsewhere: configure this gateway with it, or restart to release %q again", v.Record.Revision, v.Outdated.Revision)
}
