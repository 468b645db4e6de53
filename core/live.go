package core

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/identity"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// Live is what a rollout remembers while its configuration is read anew: how far it has come, and counters. A host keeps
// one for every name of a rollout and gives it to each engine that it compiles. Engines of an old and a new
// configuration may use it at the same time. The zero value is a rollout of which nothing is known yet.
type Live struct {
	progress

	memories []*memory // of the engines that decided something; guarded by mu

	pools atomic.Value // *Pools that were made last; nothing if none were ever

	mu       sync.Mutex           // guards the maps
	variants map[string]*counters // by name
	reasons  map[Reason]*atomic.Int64

	tokens identity.Memory

	faults    atomic.Int64 // decisions that panicked
	faultSeen atomic.Int64 // Unix second when one was logged last

	mirroring *mirror.Runner // nil until it is needed; guarded by mu
	attempt   string         // to release a revision, the last that began; guarded by mu

	assigned   *assign.Memory      // nil until it is needed; guarded by mu
	routed     assign.RouterCounts // what became of questions to the router
	routerSeen atomic.Int64        // Unix second when a failure of the router was logged last
}

// counters count what a variant did. They only grow.
type counters struct {
	success, failure, neutral atomic.Int64
	latency                   atomic.Int64 // nanoseconds to the first byte, of successes and failures that answered
	last                      atomic.Int64 // Unix nanoseconds of the last outcome
}

// VariantCounts are a variant's counters.
type VariantCounts struct {
	Success int64 // requests answered with a status below 500
	Failure int64 // requests answered with 5xx, or not at all
	Neutral int64 // requests whose client went away

	// Latency is the sum of the times to the first byte of the response.
	Latency time.Duration

	// Last is when the last outcome was reported.
	Last time.Time
}

// NewLive returns the memory of a new rollout.
func NewLive() *Live { return &Live{} }

// counters returns a variant's counters, which live as long as the rollout.
func (l *Live) counters(variant string) *counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.variants[variant]
	if c == nil {
		if l.variants == nil {
			l.variants = map[string]*counters{}
		}
		c = &counters{}
		l.variants[variant] = c
	}
	return c
}

// reason returns the counter of decisions made for a reason.
func (l *Live) reason(reason Reason) *atomic.Int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.reasons[reason]
	if c == nil {
		if l.reasons == nil {
			l.reasons = map[Reason]*atomic.Int64{}
		}
		c = &atomic.Int64{}
		l.reasons[reason] = c
	}
	return c
}

// Counts returns the counters of every variant that served a request, by name.
func (l *Live) Counts() map[string]VariantCounts {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[string]VariantCounts, len(l.variants))
	for name, c := range l.variants {
		counted := VariantCounts{Success: c.success.Load(), Failure: c.failure.Load(), Neutral: c.neutral.Load()}
		if counted.Success+counted.Failure+counted.Neutral > 0 {
			counted.Latency = time.Duration(c.latency.Load())
			counted.Last = time.Unix(0, c.last.Load())
			counts[name] = counted
		}
	}
	return counts
}

// Reasons returns how many decisions were made for each reason that occurred, in alphabetical order of the reasons.
func (l *Live) Reasons() []ReasonCount {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []ReasonCount
	for reason, count := range l.reasons {
		if n := count.Load(); n > 0 {
			list = append(list, ReasonCount{Reason: reason, Decisions: n})
		}
	}
	sort.Slice(list, func(a, b int) bool { return list[a].Reason < list[b].Reason })
	return list
}

// ReasonCount is how many decisions were made for a reason.
type ReasonCount struct {
	Reason    Reason
	Decisions int64
}

// Faults returns how many decisions broke inside and became the base.
func (l *Live) Faults() int64 { return l.faults.Load() }

// Routed returns what became of the questions to the router.
func (l *Live) Routed() *assign.RouterCounts { return &l.routed }

// assignments returns the memory of assignments, which is made with that capacity if there is none yet.
func (l *Live) assignments(capacity int) *assign.Memory {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.assigned == nil {
		l.assigned = assign.NewMemory(capacity)
	}
	return l.assigned
}

// shouldLog reports whether a minute has passed since it was last true; seen is the Unix second of that.
func shouldLog(seen *atomic.Int64, now time.Time) bool {
	last, second := seen.Load(), now.Unix()
	return second-last >= 60 && seen.CompareAndSwap(last, second)
}
