package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Members is what a [Store] offers besides if gateways share it: each of them reports every now and then what it knows of
// a rollout, and what is not reported again is forgotten, because the gateway is gone. All methods are safe for concurrent
// use. Errors mean that the store is away.
type Members interface {
	// Report replaces what a member says of a rollout. It is forgotten when it is older than ttl. member is the name of one
	// process, not of a machine: see [Report.Member].
	Report(ctx context.Context, rollout, member string, content []byte, ttl time.Duration) error

	// Reports returns what the members say of a rollout, in the order of their names: the first limit of them, or all if
	// that is 0.
	Reports(ctx context.Context, rollout string, limit int) ([]Report, error)

	// Leave forgets what a member said of a rollout.
	Leave(ctx context.Context, rollout, member string) error

	// Reporting returns how many reports were written by this process, and not left: one for each of its rollouts.
	Reporting() int
}

// Report is what a member says.
type Report struct {
	// Member tells the process that reports from any other: letters and digits.
	Member string

	// Content is JSON. It must not be changed.
	Content []byte
}

// MaxReport is how many bytes a report may have.
const MaxReport = 64 << 10

// CheckReport returns the error, an ErrDocument, with which every store refuses content that is no report.
func CheckReport(content []byte) error {
	if len(content) > MaxReport {
		return fmt.Errorf("%w: a report of %d bytes, and it may have %d", ErrDocument, len(content), MaxReport)
	}
	if !json.Valid(content) {
		return fmt.Errorf("%w: a report that is not JSON", ErrDocument)
	}
	return nil
}
