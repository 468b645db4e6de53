package core

import (
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
)

// Outcome is how the variant did that served a request. A failure is a status of 5xx, or none, or an error of the proxy; a
// client that went away is neither a failure nor a success.
type Outcome struct {
	// Status is the response's status code; 0 if the variant failed before it answered.
	Status int

	// Failed tells that the variant could not be reached or broke off, whatever status the client got in the end.
	Failed bool

	// Broken tells that the response broke off after its header: nobody got an answer.
	Broken bool

	// Replaced tells that the client got the answer of another variant in the place of this one.
	Replaced bool

	// Gone tells that the client went away: such a request says nothing about the variant.
	Gone bool

	// Latency is the time from the decision to the first byte of the response.
	Latency time.Duration
}

// Report counts how a decision turned out. An outcome after a fallback is counted as a decision only: the base did not
// get that request by its own merit.
func (e *Engine) Report(d Decision, o Outcome) { Report(&d, &o) }

// Report is [Engine.Report] for hosts that are interpreted, as [Decide] is.
func Report(d *Decision, o *Outcome) {
	if d.reached != nil {
		d.reached.answered(o)
	}
	if o.Gone || o.Failed || o.Status >= 500 || o.Status == 0 {
		reportFailure(d, o)
		return
	}
	succeeded(d, o.Latency)
}

// Succeeded is [Report] for an outcome with a status below 400, as most are, of a decision that does not ask which, in hosts
// that are interpreted: there cores are too slow to be in each other's way, so that one shard is enough.
func Succeeded(d *Decision, latency time.Duration) {
	i := 0
	for latency > latencyLimits[i] {
		i++
	}
	atomic.AddInt64(&d.counts.cells[i], 1)
	atomic.AddInt64(&d.counts.cells[latencyCell], int64(latency))
	if d.arm != nil || d.reached != nil {
		credit(d, latency)
	}
}

// succeeded is the same for all other hosts.
func succeeded(d *Decision, latency time.Duration) {
	c := d.counts
	shard := int(latency) << shardShift & c.shards
	atomic.AddInt64(&c.cells[shard+bucketOf(latency)], 1)
	atomic.AddInt64(&c.cells[shard+latencyCell], int64(latency))
	if d.arm != nil {
		analysis.Answered(d.arm, false, latency)
	}
}

// credit counts a success for the plan, and for the goals that the client reaches by it.
func credit(d *Decision, latency time.Duration) {
	if d.arm != nil {
		analysis.Answered(d.arm, false, latency)
	}
	if d.reached != nil {
		d.reached.count()
	}
}

// reportFailure is Report for an outcome that is no success.
func reportFailure(d *Decision, o *Outcome) {
	switch {
	case o.Gone:
		atomic.AddInt64(&d.counts.cells[neutralCell], 1)
	case o.Status == 0:
		atomic.AddInt64(&d.counts.cells[unansweredCell], 1)
		if d.arm != nil {
			analysis.Unanswered(d.arm)
		}
	default:
		atomic.AddInt64(&d.counts.cells[failureCell+bucketOf(o.Latency)], 1)
		atomic.AddInt64(&d.counts.cells[latencyCell], int64(o.Latency))
		if d.arm != nil {
			analysis.Answered(d.arm, true, o.Latency)
		}
	}
}

// outcomes count how those requests turned out that one variant got for one reason. They only grow.
//
// A success costs two additions: one in the bucket of its latency, of which the histogram, the number of requests and the
// number of decisions are all made, and one for the sum of latencies. The cells are there several times over, so that cores
// seldom write to the same cache line; the bits of a latency that choose among them are as good as random.
type outcomes struct {
	cells  []int64 // of each shard
	shards int     // the bits of an index that tell the shard
}

// source is what requests are counted by. The merits of a variant are what it was chosen for: what it served in the place of
// another is not, nor is what is not to be observed; of these the decisions count alone.
type source struct {
	variant string
	reason  Reason
	merits  bool
}

// counts returns what counts the requests that a variant gets for a reason.
func (e *Engine) counts(variant int, reason Reason) *outcomes {
	return e.live.outcomes(source{variant: e.variants[variant], reason: reason, merits: e.observe && reason != ByFallback})
}

// The cells of a shard; successes come first. There is room for another bucket of successes, and of failures.
const (
	neutralCell    = 15
	failureCell    = 16 // of the first bucket
	unansweredCell = 31
	latencyCell    = 32 // the sum, in nanoseconds

	shardSize  = 64
	shardShift = 2 // the fifth bit of a latency in nanoseconds is the lowest that tells the shard
	mostShards = 8
)

// latencyLimits are the longest latency of each bucket. Each is at least twice the one before.
var latencyLimits = []time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, math.MaxInt64,
}

// latencySeconds are the same in seconds, without that of the last bucket, which takes all.
var latencySeconds = limitsInSeconds()

func limitsInSeconds() []float64 {
	var seconds []float64
	for _, limit := range latencyLimits[:len(latencyLimits)-1] {
		seconds = append(seconds, limit.Seconds())
	}
	return seconds
}

// firstBuckets are the buckets of the shortest latencies that take so many bits: among those with as many bits there is the
// end of one bucket at most. Clocks that go backwards make 64 bits: that took no time.
var firstBuckets = bucketsByBits()

func bucketsByBits() []int {
	buckets := make([]int, 65)
	for n := 1; n < 64; n++ {
		shortest := time.Duration(1) << (n - 1)
		for shortest > latencyLimits[buckets[n]] {
			buckets[n]++
		}
	}
	return buckets
}

func bucketOf(latency time.Duration) int {
	i := firstBuckets[bits.Len64(uint64(latency))]
	if latency > latencyLimits[i] {
		i++
	}
	return i
}

func newOutcomes() *outcomes {
	n := 1
	for n < mostShards && n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return &outcomes{cells: make([]int64, n*shardSize), shards: (n - 1) * shardSize}
}

// tally is what outcomes had counted at some moment.
type tally struct {
	success, failure, neutral int64
	latency                   time.Duration // the sum
	buckets                   []int64       // requests that were answered, by their latencies
}

func (t *tally) add(other *tally) {
	t.success += other.success
	t.failure += other.failure
	t.neutral += other.neutral
	t.latency += other.latency
	for i, n := range other.buckets {
		t.buckets[i] += n
	}
}

func (t *tally) decisions() int64 { return t.success + t.failure + t.neutral }

// tally returns what was counted so far. Requests that go by meanwhile are in it or not.
func (o *outcomes) tally() *tally {
	t := &tally{buckets: make([]int64, len(latencyLimits))}
	for shard := 0; shard < len(o.cells); shard += shardSize {
		for i := range t.buckets {
			success := atomic.LoadInt64(&o.cells[shard+i])
			failure := atomic.LoadInt64(&o.cells[shard+failureCell+i])
			t.success += success
			t.failure += failure
			t.buckets[i] += success + failure
		}
		t.failure += atomic.LoadInt64(&o.cells[shard+unansweredCell])
		t.neutral += atomic.LoadInt64(&o.cells[shard+neutralCell])
		t.latency += time.Duration(atomic.LoadInt64(&o.cells[shard+latencyCell]))
	}
	return t
}
