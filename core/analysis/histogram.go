package analysis

import (
	"math"
	"time"
)

// Latencies are counted in buckets: each power of two of nanoseconds has sixteen of the same width. A bucket stands for the
// latency in its middle, from which none in it is further away than 1/32: 3.1%. There are buckets for whatever a
// time.Duration can be.
const (
	subBuckets  = 16              // of a power of two
	bucketCount = 64 * subBuckets // 64 powers
)

// middle returns the latency that a bucket stands for.
func middle(bucket int) time.Duration {
	if bucket >= bucketCount-subBuckets {
		return math.MaxInt64
	}
	return time.Duration(math.Ldexp(1+(float64(bucket%subBuckets)+0.5)/subBuckets, bucket/subBuckets))
}

// bucketsWithin returns how many of the buckets stand for a latency of at most limit.
func bucketsWithin(limit time.Duration) int {
	low, high := 0, bucketCount // below low they do, from high they do not
	for low < high {
		between := (low + high) / 2
		if middle(between) <= limit {
			low = between + 1
		} else {
			high = between
		}
	}
	return low
}

// snapshot is what an arm had counted at some moment.
type snapshot struct {
	requests int64 // answered or not
	failures int64 // among them

	first  int     // the first bucket that is not empty
	within []int64 // answers in the buckets up to each, from the first to the last that is not empty
}

// answers returns how many answers are in the first n buckets.
func (s *snapshot) answers(n int) int64 {
	switch i := n - s.first; {
	case i <= 0 || len(s.within) == 0:
		return 0
	case i > len(s.within):
		return s.within[len(s.within)-1]
	default:
		return s.within[i-1]
	}
}

// sample is what an arm counted between two snapshots.
type sample struct{ from, to *snapshot }

func (s sample) requests() int64 { return s.to.requests - s.from.requests }

func (s sample) failures() int64 { return s.to.failures - s.from.failures }

// answers returns how many answers are in the first n buckets.
func (s sample) answers(n int) int64 { return s.to.answers(n) - s.from.answers(n) }

// answered returns how many requests have a latency.
func (s sample) answered() int64 { return s.answers(bucketCount) }

// quantile returns the latency that a share q of the answers kept within, by the nearest rank. There has to be one.
func (s sample) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(s.answered())))
	if rank < 1 {
		rank = 1
	}
	low, high := 1, bucketCount
	for low < high {
		between := (low + high) / 2
		if s.answers(between) >= rank {
			high = between
		} else {
			low = between + 1
		}
	}
	return middle(low - 1)
}
