package analysis

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// Arm is how one variant did during one stay in a step. Its counters only grow. It belongs to many goroutines.
//
// An answer is counted once, by its latency and whether it was a failure: what it costs is one addition. The counters are
// there several times over, so that cores seldom write to the same cache line.
type Arm struct {
	counts []int64 // of each shard the good answers by latency, then the failures by latency
	shards uint64  // the bits of an index that tell the shard
}

// A latency's place is made of bits of what it is in nanoseconds as a floating-point number: 6 of the power of two, which
// is all that a time.Duration has, and 4 of the mantissa, for sixteenths.
const (
	places     = 1 << 10
	placeShift = 48
	failed     = places                       // where failures begin
	unanswered = failed + places - subBuckets // the failures of a single nanosecond, which no answer takes
	shardSize  = 2 * places
	mostShards = 8
)

// NewArm returns an arm that has counted nothing.
func NewArm() *Arm {
	n := 1
	for n < mostShards && n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return &Arm{counts: make([]int64, n*shardSize), shards: uint64(n-1) * shardSize}
}

// Answered counts an answer, and whether it was a failure: a 5xx, or an error of the proxy in place of one. Its latency is
// the time to the first byte.
//
// The bits of the latency that choose the shard are as good as random. This and Unanswered are functions because methods
// cost several times more when they are interpreted.
func Answered(a *Arm, failure bool, latency time.Duration) {
	i := math.Float64bits(float64(latency))>>placeShift&(places-1) | uint64(latency)<<7&a.shards
	if failure {
		i += failed
	}
	atomic.AddInt64(&a.counts[i], 1)
}

// Unanswered counts a request that failed without an answer, and so has no latency.
func Unanswered(a *Arm) {
	atomic.AddInt64(&a.counts[unanswered], 1)
}

// AnsweredAlike counts n answers of one kind, for simulations.
func AnsweredAlike(a *Arm, n int64, failure bool, latency time.Duration) {
	i := math.Float64bits(float64(latency)) >> placeShift & (places - 1)
	if failure {
		i += failed
	}
	atomic.AddInt64(&a.counts[i], n)
}

// snapshot returns what was counted so far. Requests that go by meanwhile are in it or not.
func (a *Arm) snapshot() *snapshot {
	s := &snapshot{}
	answers := make([]int64, bucketCount)
	for shard := 0; shard < len(a.counts); shard += shardSize {
		for place := 0; place < places; place++ {
			good := atomic.LoadInt64(&a.counts[shard+place])
			bad := atomic.LoadInt64(&a.counts[shard+failed+place])
			if good == 0 && bad == 0 {
				continue
			}
			s.failures += bad
			if failed+place == unanswered {
				s.requests += bad
				bad = 0
			}
			answers[(place+subBuckets)%bucketCount] += good + bad // the smallest have the largest places
		}
	}
	s.keep(answers)
	return s
}
