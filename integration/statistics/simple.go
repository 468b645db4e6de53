package main

import (
	"math"

	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/simulation"
)

// counts are what a variant did in some time.
type counts simulation.Counts

func (c counts) plus(d counts) counts {
	return counts{c.Requests + d.Requests, c.Failures + d.Failures}
}

func (c counts) rate() float64 { return float64(c.Failures) / float64(c.Requests) }

// simple is a check as many tools have it, for comparison: it looks at a window and is right each time on its own.
type simple func(candidate, baseline counts) bool

// limit fails if the error rate is above 1%.
func limit(candidate, _ counts) bool { return candidate.rate() > 0.01 }

// zTest fails if the candidate's error rate is above the baseline's by the two-proportion z-test at 99%.
func zTest(candidate, baseline counts) bool {
	pooled := candidate.plus(baseline).rate()
	deviation := math.Sqrt(pooled * (1 - pooled) * (1/float64(candidate.Requests) + 1/float64(baseline.Requests)))
	return deviation > 0 && (candidate.rate()-baseline.rate())/deviation > 2.326
}

// history is what both variants did since a step began, by the time between two evaluations.
type history struct{ candidate, baseline []counts }

// judge looks at the last window of evaluations, or further back for enough requests.
func (h history) judge(fails simple, window int, enough int64) rollout.Verdict {
	var candidate, baseline counts
	for back := 1; back <= len(h.candidate); back++ {
		candidate = candidate.plus(h.candidate[len(h.candidate)-back])
		baseline = baseline.plus(h.baseline[len(h.baseline)-back])
		if back < window || int64(min(candidate.Requests, baseline.Requests)) < enough {
			continue
		}
		if fails(candidate, baseline) {
			return rollout.Fail
		}
		return rollout.Pass
	}
	return rollout.Hold
}
