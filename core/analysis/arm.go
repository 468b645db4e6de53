package analysis

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// Arm is how one variant did during one stay in a step. Its counters only grow. It belongs to many goroutines.
//
// An answer is counted once, by its latency and whether it was a failure: what it costs is one addition. The counters of
// good answers are there several times over, so that cores seldom write to the same cache line; those of failures once, and
// only where there are any.
type Arm struct {
	counts []int64      // of each shard the good answers by latency
	shards uint64       // the bits of an index that tell the shard
	failed atomic.Value // *failures; nothing before there is one
}

// failures are counts of failures by latency.
type failures struct{ counts []int64 }

// A latency's place is made of bits of what it is in nanoseconds as a floating-point number: 6 of the power of two, which
// is all that a time.Duration has, and 4 of the mantissa, for sixteenths.
const (
	places     = 1 << 10
	placeShift = 48
	unanswered = places - subBuckets // the failures of a single nanosecond, which no answer takes; and where the first bucket is
	mostShards = 8
)

// NewArm returns an arm that has counted nothing.
func NewArm() *Arm {
	n := 1
	for n < mostShards && n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return &Arm{counts: make([]int64, n*places), shards: uint64(n-1) * places}
}

// Answered counts an answer, and whether it was a failure: a 5xx, or an error of the proxy in place of one. Its latency is
// the time to the first byte.
//
// The bits of the latency that choose the shard are as good as random. This and Unanswered are functions because methods
// cost several times more when they are interpreted.
func Answered(a *Arm, failure bool, latency time.Duration) {
	if failure {
		addFailures(a, 1, place(latency))
		return
	}
	i := math.Float64bits(float64(latency))>>placeShift&(places-1) | uint64(latency)<<6&a.shards
	atomic.AddInt64(&a.counts[i], 1)
}

// Unanswered counts a request that failed without an answer, and so has no latency.
func Unanswered(a *Arm) { addFailures(a, 1, unanswered) }

// AnsweredAlike counts n answers of one kind, for simulations.
func AnsweredAlike(a *Arm, n int64, failure bool, latency time.Duration) {
	if failure {
		addFailures(a, n, place(latency))
		return
	}
	atomic.AddInt64(&a.counts[place(latency)], n)
}

func place(latency time.Duration) int {
	return int(math.Float64bits(float64(latency)) >> placeShift & (places - 1))
}

// addFailures counts n failures, and has them counted from the first on.
func addFailures(a *Arm, n int64, place int) {
	if a.failed.Load() == nil {
		a.failed.CompareAndSwap(nil, &failures{counts: make([]int64, places)})
	}
	all := a.failed.Load().(*failures)
	atomic.AddInt64(&all.counts[place], n)
}

// snapshot returns what was counted so far. Requests that go by meanwhile are in it or not.
func (a *Arm) snapshot() *snapshot {
	s := &snapshot{}
	bad, _ := a.failed.Load().(*failures)
	if bad != nil {
		s.failures = atomic.LoadInt64(&bad.counts[unanswered])
		s.requests = s.failures
	}
	first, end := extent(a.counts, bucketCount, 0)
	if bad != nil {
		first, end = extent(bad.counts[:unanswered], first, end)
	}
	if first >= end {
		return s
	}
	s.first = first
	s.within = make([]int64, end-first)
	sum := int64(0)
	for i := range s.within {
		place := (first + i + unanswered) % places
		for shard := 0; shard < len(a.counts); shard += places {
			sum += atomic.LoadInt64(&a.counts[shard+place])
		}
		if bad != nil && place != unanswered {
			n := atomic.LoadInt64(&bad.counts[place])
			s.failures += n
			sum += n
		}
		s.within[i] = sum
	}
	s.requests += sum
	return s
}

// extent returns from the first bucket to the one behind the last that is not empty, or that another extent goes to.
func extent(counts []int64, first, end int) (from, to int) {
	for i := range counts {
		if atomic.LoadInt64(&counts[i]) == 0 {
			continue
		}
		bucket := (i + subBuckets) % places // the smallest have the largest places
		if first > bucket {
			first = bucket
		}
		if end <= bucket {
			end = bucket + 1
		}
	}
	return first, end
}
