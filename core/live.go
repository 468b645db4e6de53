package core

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/identity"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Live is what a rollout remembers while its configuration is read anew: how far it has come, and counters. A host keeps
// one for every name of a rollout and gives it to each engine that it compiles. Engines of an old and a new
// configuration may use it at the same time. The zero value is a rollout of which nothing is known yet.
type Live struct {
	progress
	findings findings

	memories []*memory // of the engines that decided something; guarded by mu

	pools atomic.Value // *Pools that were made last; nothing if none were ever

	mu      sync.Mutex // guards what says so
	sources map[source]*outcomes
	given   map[string]*atomic.Int64 // assignments, by variant
	toldOf  map[rollout.Kind]int64   // events

	tokens identity.Memory
	secret atomic.Value // string: of cookies, from the store; nothing before it was known

	faults    atomic.Int64 // decisions that panicked
	faultSeen atomic.Int64 // Unix second when one was logged last

	mirroring *mirror.Runner // nil until it is needed; guarded by mu
	attempt   string         // to release a revision, the last that began; guarded by mu

	assigned   *assign.Memory      // nil until it is needed; guarded by mu
	routed     assign.RouterCounts // what became of questions to the router
	routerSeen atomic.Int64        // Unix second when a failure of the router was logged last
}

// VariantCounts are a variant's counters.
type VariantCounts struct {
	Success int64 // requests answered with a status below 500
	Failure int64 // requests answered with 5xx, or not at all
	Neutral int64 // requests whose client went away

	// Latency is the sum of the times to the first byte of the response.
	Latency time.Duration
}

// NewLive returns the memory of a new rollout.
func NewLive() *Live { return &Live{} }

// outcomes returns what counts the outcomes of a source, for as long as the rollout lives.
func (l *Live) outcomes(of source) *outcomes {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.sources[of]
	if o == nil {
		if l.sources == nil {
			l.sources = map[source]*outcomes{}
		}
		o = newOutcomes()
		l.sources[of] = o
	}
	return o
}

// Counts returns what every variant did that served a request, by name.
func (l *Live) Counts() map[string]VariantCounts {
	all := l.tallies()
	counts := map[string]VariantCounts{}
	for of, t := range all {
		if !of.merits || t.decisions() == 0 {
			continue
		}
		c := counts[of.variant]
		c.Success += t.success
		c.Failure += t.failure
		c.Neutral += t.neutral
		c.Latency += t.latency
		counts[of.variant] = c
	}
	return counts
}

// assignmentsTo returns what counts the assignments to a variant.
func (l *Live) assignmentsTo(variant string) *atomic.Int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.given[variant]
	if n == nil {
		if l.given == nil {
			l.given = map[string]*atomic.Int64{}
		}
		n = &atomic.Int64{}
		l.given[variant] = n
	}
	return n
}

// tallies returns what was counted of every source.
func (l *Live) tallies() map[source]*tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[source]*tally, len(l.sources))
	for of, o := range l.sources {
		all[of] = o.tally()
	}
	return all
}

// Reasons returns how many decisions were made for each reason that occurred, in alphabetical order of the reasons.
func (l *Live) Reasons() []ReasonCount {
	made := map[Reason]int64{}
	for of, t := range l.tallies() {
		made[of.reason] += t.decisions()
	}
	var list []ReasonCount
	for reason, n := range made {
		if n > 0 {
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
