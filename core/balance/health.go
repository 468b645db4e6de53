package balance

import (
	"sync"
	"sync/atomic"
	"time"
)

// Health is what requests and checks have said about one upstream. Whoever sends it a request asks [Begin] for an
// attempt, and says how that ended: [Succeeded], [Failed] or [Cancelled].
//
//	up --failures in a row--> out --back-off--> one trial --success--> up
//	                           ^                    |
//	                           '-- failure: twice --'
//
// An attempt belongs to the time between two changes. What is known only later says nothing: a request that was sent
// before the upstream went out neither brings it back nor keeps it out for longer. A trial whose end nobody tells holds
// up the next for one back-off. Beside that, checks of the host's own take an upstream out and back.
//
// It reads no clock and starts nothing. The zero value is up. It is safe for concurrent use.
type Health struct {
	// Steady holds the attempt that is there for the taking as long as nothing speaks against the upstream, not even a
	// single failure; Refused otherwise. It is for hosts that must be quick, and only to be read: an attempt that Steady
	// still holds when it succeeds need not be ended.
	Steady atomic.Int64

	mu         sync.Mutex
	generation int64         // how often it went out and came back, or stayed out; guarded by mu
	failures   int           // in a row, while up; guarded by mu
	out        bool          // guarded by mu
	unwell     bool          // the last check failed; guarded by mu
	backoff    time.Duration // while out: the present one; guarded by mu
	due        time.Time     // while out: when there may be a trial; guarded by mu
}

// HealthPolicy is when failures take an upstream out, and for how long.
type HealthPolicy struct {
	// Failures is how many in a row take an upstream out. 0: none do.
	Failures int

	// Backoff is how long the first time. Each failed trial doubles it, up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
}

// Attempt is a request to an upstream, to be ended by one of [Succeeded], [Failed] and [Cancelled].
type Attempt int64

// Refused is the attempt that [Begin] does not give.
const Refused Attempt = -1

// Begin returns an attempt, or Refused if the upstream is to be left alone. When a back-off has ended one attempt is
// given, the trial.
func Begin(h *Health, now time.Time) Attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.available(now) {
		return Refused
	}
	if h.out {
		h.due = now.Add(h.backoff)
	}
	return Attempt(h.generation)
}

// Forced returns an attempt at an upstream whatever is known of it, for a request that has no better one to go to.
func Forced(h *Health) Attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Attempt(h.generation)
}

// Available reports whether Begin would give an attempt.
func (h *Health) Available(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.available(now)
}

// AvailableOnce is Available for a request that cannot be sent again, and had better not be a trial: only if no other
// request was for as long as the back-off.
func (h *Health) AvailableOnce(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.available(now) && (!h.out || now.Sub(h.due) >= h.backoff)
}

// available: a time further away than a back-off is one that a clock saw that was put back since. Caller holds mu.
func (h *Health) available(now time.Time) bool {
	return !h.unwell && (!h.out || !now.Before(h.due) || h.due.Sub(now) > h.backoff)
}

// Succeeded ends an attempt that the upstream answered, and reports whether that brings it back.
func Succeeded(h *Health, a Attempt) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(a) != h.generation {
		return false
	}
	back := h.out
	h.failures = 0
	h.out = false
	if back {
		h.generation++
	}
	h.publish()
	return back
}

// Failed ends an attempt that the upstream did not answer. It returns for how long the upstream is out now, or 0 if that
// does not follow.
func Failed(h *Health, a Attempt, policy HealthPolicy, now time.Time) time.Duration {
	if policy.Failures <= 0 {
		Succeeded(h, a) // a policy before it may have taken the upstream out
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(a) != h.generation {
		return 0
	}
	h.failures++
	if !h.out && h.failures < policy.Failures {
		h.publish()
		return 0
	}
	h.backoff = policy.after(h.backoff, h.out)
	h.failures = 0
	h.out = true
	h.due = now.Add(h.backoff)
	h.generation++
	h.publish()
	return h.backoff
}

// after returns the back-off that follows another.
func (p HealthPolicy) after(last time.Duration, again bool) time.Duration {
	switch {
	case !again || p.MaxBackoff < p.Backoff:
		return p.Backoff
	case last > p.MaxBackoff/2:
		return p.MaxBackoff
	}
	return 2 * last
}

// Cancelled ends an attempt that says nothing, such as one whose client went away: another may be the trial.
func Cancelled(h *Health, a Attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(a) == h.generation && h.out {
		h.due = time.Time{}
	}
}

// Check takes the upstream out or back by a check of the host's own, and reports whether that is news.
func (h *Health) Check(well bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := well == h.unwell
	h.unwell = !well
	h.publish()
	return news
}

// publish keeps Steady. Caller holds mu.
func (h *Health) publish() {
	if h.out || h.unwell || h.failures > 0 {
		h.Steady.Store(int64(Refused))
		return
	}
	h.Steady.Store(h.generation)
}
