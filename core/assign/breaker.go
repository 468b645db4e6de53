package assign

import (
	"sync"
	"time"
)

// A breaker keeps requests from a service that fails: after breakAfter failures in a row nothing is sent for breakFor,
// then one request as a trial. If that fails too, the pause doubles, up to maxBreak; if not, all is well again.
const (
	breakAfter = 5
	breakFor   = time.Second
	maxBreak   = 30 * time.Second
)

// breaker is safe for concurrent use. The zero value is a service that never failed.
type breaker struct {
	mu       sync.Mutex
	failures int           // in a row; guarded by mu, as is all below
	pause    time.Duration // 0: requests are sent
	until    time.Time     // when the pause ends
	trial    bool          // a trial is on its way
}

// allows reports whether a request may be sent now. Each that was must be followed by a report.
func (b *breaker) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return true
	}
	if b.trial || now.Before(b.until) {
		return false
	}
	b.trial = true
	return true
}

// report tells how a request ended, now.
func (b *breaker) report(ok bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		b.pause = 0
		b.trial = false
		return
	}
	b.failures++
	switch {
	case b.trial:
		b.pause *= 2
		if b.pause > maxBreak {
			b.pause = maxBreak
		}
	case b.pause == 0 && b.failures >= breakAfter:
		b.pause = breakFor
	default: // too few, or sent before the pause began
		return
	}
	b.trial = false
	b.until = now.Add(b.pause)
}
