package fleet

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Report is what a gateway says of a rollout.
type Report struct {
	// Format is the version of this document.
	Format int `json:"format"`

	// Number counts the reports of the process: of two the larger is the later.
	Number int64 `json:"number"`

	// Name is the gateway's, for people, and Gateway what it is, such as "caddy v2.11.4".
	Name    string `json:"name,omitempty"`
	Gateway string `json:"gateway,omitempty"`

	// Revision and Candidate are what the gateway is configured with, and Plan stands for its plan and checks: empty, there is
	// none. Outdated tells that others release something newer.
	Revision  string `json:"revision"`
	Candidate string `json:"candidate,omitempty"`
	Plan      string `json:"plan,omitempty"`
	Outdated  bool   `json:"outdated,omitempty"`

	// Fleet is how many gateways there are, this one too, as far as it knows; 0: it has not looked at all.
	Fleet int `json:"fleet,omitempty"`

	// State, Step and Weight are where it sees the rollout, for people; Epoch and Entry with the revision its position.
	State  string `json:"state"`
	Step   int    `json:"step,omitempty"`
	Weight string `json:"weight,omitempty"`
	Epoch  int    `json:"epoch"`
	Entry  int    `json:"entry"`

	// Verdict is that of its last evaluation; empty if it does not judge.
	Verdict rollout.Verdict `json:"verdict,omitempty"`

	// Division stands for the variants, and their weights, among which traffic is divided. Counts are what it counted of each
	// since its position began. Empty: it counts nothing.
	Division string            `json:"division,omitempty"`
	Counts   []analysis.Counts `json:"counts,omitempty"`
}

const (
	format      = 1
	mostCounts  = 1000 // variants
	longestText = 200  // bytes of what others say of themselves, for people
)

// ErrReport is wrapped by the errors of [Decode].
var ErrReport = errors.New("not the report of a gateway")

// Encode returns the report as JSON, for [Decode].
func (r Report) Encode() ([]byte, error) {
	r.Format = format
	return json.Marshal(r)
}

// Decode reads what Encode wrote. Whatever else it is given is an error.
func Decode(content []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, err)
	}
	if r.Format != format {
		return nil, fmt.Errorf("%w: it has format %d, and this version knows %d", ErrReport, r.Format, format)
	}
	if len(r.Counts) > mostCounts {
		return nil, fmt.Errorf("%w: it counts %d variants", ErrReport, len(r.Counts))
	}
	for _, text := range []string{r.Name, r.Gateway, r.Plan, r.State, r.Weight, string(r.Verdict), r.Division} {
		if len(text) > longestText {
			return nil, fmt.Errorf("%w: a text of %d bytes is too long", ErrReport, len(text))
		}
	}
	return r, nil
}

// Position returns the stay in a step that the report is about.
func (r *Report) Position() rollout.Position {
	return rollout.Position{Revision: r.Revision, Epoch: r.Epoch, Entry: r.Entry}
}

// Requests returns how many requests the gateway counted.
func (r *Report) Requests() int64 {
	n := int64(0)
	for i := range r.Counts {
		n += r.Counts[i].Requests
	}
	return n
}

// Failures returns how many of them failed.
func (r *Report) Failures() int64 {
	n := int64(0)
	for i := range r.Counts {
		n += r.Counts[i].Failures
	}
	return n
}

// releases reports whether the gateway is about a release, and not outdated.
func (r *Report) releases(revision, candidate string) bool {
	return !r.Outdated && r.Revision == revision && r.Candidate == candidate
}
