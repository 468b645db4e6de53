package analysis

import (
	"math"
	"testing"
	"time"
)

// counted returns what an arm has counted so far.
func counted(a *Arm) sample { return sample{from: &snapshot{}, to: a.snapshot()} }

// slower returns how many answers took longer than limit.
func slower(s sample, limit time.Duration) int64 {
	return s.answered() - s.answers(bucketsWithin(limit))
}

func TestLatenciesAreKnownToTheirSixteenths(t *testing.T) {
	for latency := 1000 * time.Nanosecond; latency < 2*time.Hour; latency += latency/9 + 1 {
		a := NewArm()
		Answered(a, false, latency)
		got := counted(a).quantile(0.5)
		if off := math.Abs(float64(got-latency)) / float64(latency); off > 1.0/32 {
			t.Errorf("%d ns is counted as %d ns: %.1f%% off", int64(latency), int64(got), 100*off)
		}
	}
}

func TestAnyLatencyIsCounted(t *testing.T) {
	a := NewArm()
	latencies := []time.Duration{math.MinInt64, -1, 0, 1, 2, 3, time.Nanosecond * 500, 300 * time.Hour, math.MaxInt64}
	for _, latency := range latencies {
		Answered(a, false, latency)
		Answered(a, true, latency)
	}
	Unanswered(a)
	s := counted(a)
	if s.requests() != 19 || s.failures() != 10 {
		t.Errorf("%d requests and %d failures, want 19 and 10", s.requests(), s.failures())
	}
	if longest := s.quantile(1); longest < 280*365*24*time.Hour {
		t.Errorf("the longest latency is %s", longest.String())
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	for bucket := 80; bucket < bucketCount; bucket++ { // below, several stand for the same few nanoseconds
		if middle(bucket) < middle(bucket-1) || middle(bucket) == middle(bucket-1) && bucket < bucketCount-subBuckets {
			t.Errorf("bucket %d stands for %d, the one before for %d", bucket, int64(middle(bucket)), int64(middle(bucket-1)))
		}
	}
}

func TestQuantiles(t *testing.T) {
	a := NewArm()
	for i := 1; i <= 1000; i++ {
		Answered(a, i%10 == 0, time.Duration(i)*time.Millisecond)
	}
	s := counted(a)
	for q, ms := range map[float64]int{0.001: 1, 0.5: 500, 0.95: 950, 0.999: 999} {
		want := time.Duration(ms) * time.Millisecond
		got := s.quantile(q)
		if off := math.Abs(float64(got-want)) / float64(want); off > 1.0/32 {
			t.Errorf("quantile %g is %s, want about %s", q, got.String(), want.String())
		}
	}
	if s.requests() != 1000 || s.failures() != 100 {
		t.Errorf("%d requests and %d failures, want 1000 and 100", s.requests(), s.failures())
	}
	if n := slower(s, 900*time.Millisecond); n < 70 || n > 130 {
		t.Errorf("%d of a thousand took longer than nine tenths of the longest", n)
	}
	if slower(s, 0) != 1000 || slower(s, time.Hour) != 0 {
		t.Errorf("%d took longer than no time and %d than an hour", slower(s, 0), slower(s, time.Hour))
	}
}

func TestUnansweredRequestsHaveNoLatency(t *testing.T) {
	a := NewArm()
	Unanswered(a)
	s := counted(a)
	if s.requests() != 1 || s.failures() != 1 || s.answered() != 0 {
		t.Errorf("%d requests, %d failures, %d answered", s.requests(), s.failures(), s.answered())
	}
}

func TestAnswersAlike(t *testing.T) {
	one, many := NewArm(), NewArm()
	for i := 0; i < 100; i++ {
		Answered(one, i%4 == 0, 30*time.Millisecond)
	}
	AnsweredAlike(many, 75, false, 30*time.Millisecond)
	AnsweredAlike(many, 25, true, 30*time.Millisecond)
	a, b := counted(one), counted(many)
	if a.requests() != b.requests() || a.failures() != b.failures() || a.quantile(0.5) != b.quantile(0.5) {
		t.Errorf("%d and %d requests, %d and %d failures", a.requests(), b.requests(), a.failures(), b.failures())
	}
}
