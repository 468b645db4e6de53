package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// State is where a rollout stands.
type State string

const (
	Idle        State = "idle" // there is no plan
	Progressing State = "progressing"
	Paused      State = "paused"
	Promoted    State = "promoted"
	RolledBack  State = "rolled_back"
)

// Cause is what makes a rollout change, if not the plan alone.
type Cause string

const (
	ByCheck    Cause = "check"    // evaluations failed
	ByOperator Cause = "operator" // somebody said so
	ByEnd      Cause = "ended"    // the rollout's end has come
)

// MaxEvents is how many events are remembered: the last ones.
const MaxEvents = 100

// Record is all that a rollout remembers, and what a store keeps of it. The zero Record is a rollout of which nothing is
// known.
type Record struct {
	// Format is the version of this document.
	Format int `json:"format"`

	// Revision and Candidate are what is being released.
	Revision  string `json:"revision"`
	Candidate string `json:"candidate,omitempty"`

	// Epoch counts rollbacks, restarts and promotions of the revision, from 0. A revision that comes back continues its
	// own count as long as its events are remembered.
	Epoch int `json:"epoch"`

	// Entry counts the stays in steps that ever began.
	Entry int `json:"entry"`

	State State `json:"state"`
	Step  int   `json:"step"` // from 1; 0 is before the first. Once promoted or rolled back, the last one

	// Weight is the step's, as a text: what an edited plan goes on from.
	Weight string `json:"weight,omitempty"`

	// Since is when the state or step began, by the wall clock, for people to see. Cause and Reason say why it did.
	Since  time.Time `json:"since"`
	Cause  Cause     `json:"cause,omitempty"`
	Reason string    `json:"reason,omitempty"`

	// Age is how long the step has lasted, without pauses and the times when nobody served, and Overdue how long it has
	// been waiting since it could have ended.
	Age     time.Duration `json:"age_ns"`
	Overdue time.Duration `json:"overdue_ns,omitempty"`

	// Failures is how many counted evaluations in a row have failed.
	Failures int `json:"failures,omitempty"`

	// Held, Stalled and Mismatched tell that this was reported since the step was entered.
	Held       bool `json:"held,omitempty"`
	Stalled    bool `json:"stalled,omitempty"`
	Mismatched bool `json:"mismatched,omitempty"`

	// Weights are those that somebody set, by variant, and Declaration what they were set for.
	Weights     map[string]string `json:"weights,omitempty"`
	Declaration string            `json:"declaration,omitempty"`

	// Past are the releases that this one superseded, the last one last: see [Machine.Outdated].
	Past []Past `json:"past,omitempty"`

	// Events are the last ones, oldest first.
	Events []Event `json:"events,omitempty"`
}

const (
	format    = 1
	maxRecord = 4 << 20
	maxAge    = 100 * 365 * 24 * time.Hour
)

// Errors of [Decode] wrap one of these.
var (
	ErrRecord = errors.New("not the state of a rollout")
	ErrNewer  = errors.New("the state of a rollout as a newer version knows it")
)

// Encode returns the record as JSON, for [Decode].
func (r Record) Encode() ([]byte, error) {
	r.Format = format
	return json.Marshal(r)
}

// Decode reads what Encode wrote. Whatever else it is given is an error.
func Decode(content []byte) (Record, error) {
	if len(content) > maxRecord {
		return Record{}, fmt.Errorf("%w: %d bytes are more than it can have", ErrRecord, len(content))
	}
	var r Record
	err := json.Unmarshal(content, &r)
	if r.Format > format {
		return Record{}, fmt.Errorf("%w: it has format %d, and this version knows %d", ErrNewer, r.Format, format)
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.Format != format {
		return Record{}, fmt.Errorf("%w: it has no format", ErrRecord)
	}
	if wrong := r.wrong(); wrong != "" {
		return Record{}, fmt.Errorf("%w: %s", ErrRecord, wrong)
	}
	if extra := len(r.Events) - MaxEvents; extra > 0 {
		r.Events = r.Events[extra:]
	}
	if extra := len(r.Past) - MaxPast; extra > 0 {
		r.Past = r.Past[extra:]
	}
	return r, nil
}

// wrong returns what no record can have.
func (r *Record) wrong() string {
	switch r.State {
	case Idle, Progressing, Paused, Promoted, RolledBack:
	default:
		return fmt.Sprintf("unknown state %.20q", string(r.State))
	}
	if r.Epoch < 0 || r.Entry < 0 || r.Step < 0 || r.Failures < 0 {
		return "a count is less than nothing"
	}
	if r.Age < 0 || r.Age > maxAge || r.Overdue < 0 || r.Overdue > r.Age {
		return "the age of a step is out of range"
	}
	if r.Step > 0 {
		if _, err := balance.ParseWeight(r.Weight); err != nil {
			return err.Error()
		}
	}
	for variant, weight := range r.Weights {
		if _, err := balance.ParseWeight(weight); err != nil {
			return fmt.Sprintf("variant %.64q: %v", variant, err)
		}
	}
	last := int64(0)
	for i := range r.Events {
		if r.Events[i].ID <= last {
			return "events are not in order"
		}
		last = r.Events[i].ID
	}
	return ""
}

// weight returns the step's weight; 0 before the first.
func (r *Record) weight() balance.Weight {
	weight, err := balance.ParseWeight(r.Weight)
	if err != nil {
		return 0 // not in a record that was decoded
	}
	return weight
}

// LastEvent returns the ID of the last event: it changes with everything that happens. 0: nothing ever has.
func (r *Record) LastEvent() int64 {
	if len(r.Events) == 0 {
		return 0
	}
	return r.Events[len(r.Events)-1].ID
}

// Version changes with everything that happens. It is not empty.
func (r *Record) Version() string { return strconv.FormatInt(r.LastEvent(), 10) }

// epochAfter returns the epoch in which a revision begins: 0, or the one after the last in which it was released before.
func (r *Record) epochAfter(revision string) int {
	epoch := 0
	if r.Revision == revision && r.State != Idle && r.State != "" {
		epoch = r.Epoch + 1
	}
	for i := range r.Events {
		if e := &r.Events[i]; e.Revision == revision && e.Epoch >= epoch && e.Step > 0 {
			epoch = e.Epoch + 1
		}
	}
	return epoch
}

// text returns a reason that has room in a record.
func text(reason string) string {
	const most = 1000
	if len(reason) <= most {
		return reason
	}
	end := most
	for end > 0 && reason[end]&0xC0 == 0x80 { // within a character
		end--
	}
	return reason[:end] + "…"
}
