package assign

import (
	"fmt"
	"time"
)

// Assignment is the variant that a client keeps.
type Assignment struct {
	// Variant is its name. Empty: the client is known, and has none.
	Variant string

	// Generation is what the assignment belongs to: it counts only as long as that is the generation in force.
	Generation uint64

	// Expires is when it ends, in Unix milliseconds: 0 to Never.
	Expires int64
}

// Never is the end of what only its generation ends: the largest time that a cookie has room for, in the year 10889.
const Never = 1<<48 - 1

// Term is how long assignments last.
type Term struct {
	text  string
	lasts time.Duration
	until time.Time // if lasts is 0; zero: for the whole rollout
}

// Rollout is the text of the term that lasts until the rollout releases everybody.
const Rollout = "rollout"

// ParseTerm reads a term: a duration such as 300s or 24h, a time such as 2027-01-31T18:00:00Z (RFC 3339), or "rollout".
func ParseTerm(text string) (Term, error) {
	t := Term{text: text}
	if text == Rollout {
		return t, nil
	}
	until, err := time.Parse(time.RFC3339, text)
	if err == nil {
		t.until = until
		return t, nil
	}
	lasts, err := time.ParseDuration(text)
	if err != nil || lasts < time.Millisecond {
		return Term{}, fmt.Errorf(`%q is neither a duration such as 300s or 24h, nor a time such as 2027-01-31T18:00:00Z, nor %q`, text, Rollout)
	}
	t.lasts = lasts
	return t, nil
}

// String returns the text that the term was read from.
func (t Term) String() string { return t.text }

// Expires returns when an assignment ends that is made now, in Unix milliseconds: the past, if the term is a time that
// has passed.
func (t Term) Expires(now time.Time) int64 {
	if t.lasts > 0 {
		return bounded(now.UnixMilli() + t.lasts.Milliseconds())
	}
	if t.until.IsZero() {
		return Never
	}
	return bounded(t.until.UnixMilli())
}

// bounded returns a time that a cookie has room for.
func bounded(milliseconds int64) int64 {
	if milliseconds < 0 {
		return 0
	}
	if milliseconds > Never {
		return Never
	}
	return milliseconds
}
