package analysis

import (
	"fmt"
	"math"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Mirrored is what comparing a variant's answers to copies of requests with the baseline's to the requests has shown.
type Mirrored struct {
	Compared  int64 // answers
	Different int64 // of them, that differ

	// Share is the share that differs, from 0 to 1. Certain tells that it is one beyond chance and noise already; else it
	// is what was counted.
	Share   float64
	Certain bool
}

// mirrored returns what is known of a variant's answers to copies, and whether that is enough.
func (e *evaluation) mirrored(variant int) (Mirrored, bool) {
	if e.look.Mirror == nil {
		return Mirrored{}, false
	}
	m := e.look.Mirror(e.checks.settings.Variants[variant])
	known := m.Compared > 0 && m.Compared >= e.checks.settings.MinRequests
	return m, known
}

// limitedMismatch tells whether the share of answers to copies that differ keeps a limit.
func (e *evaluation) limitedMismatch(n *node) outcome {
	m, known := e.mirrored(n.left.variant)
	if !known {
		return outcome{verdict: rollout.Hold, why: fmt.Sprintf("%d answers compared, and %d are wanted", m.Compared, e.checks.settings.MinRequests)}
	}
	e.figures[e.figure(n.left)] = m.Share
	why := fmt.Sprintf("%.3g%% of %d answers differ", 100*m.Share, m.Compared)
	if related(n.op, m.Share, n.number) {
		return outcome{verdict: rollout.Pass, why: why}
	}
	if m.Certain {
		return outcome{verdict: rollout.Fail, why: why + " beyond the noise"}
	}
	f := exceedsEver(m.Different, m.Compared, n.number, e.checks.levelEver(e.look))
	return outcome{verdict: f.verdict, test: &f, why: why + f.chance()}
}

// exceedsEver tells whether a share is more than a limit by a test that stays right however often it looks at counts that
// only grow, so that its level needs no part for each look: Fail, or else Hold.
//
// The likelihood of a share that is anything above the limit L with the same probability, to that of the limit itself, is
// after k of n
//
//	E = integral of q^k (1-q)^(n-k) for q from L to 1, by (1-L) L^k (1-L)^(n-k)
//
// which has an expectation of 1 at most if the share is L or less. By Ville's inequality it then ever reaches 1/a with a
// probability of a at most. (H. Robbins, Statistical methods related to the law of the iterated logarithm, 1970.) The
// integral is that of a beta density, and a binomial tail.
func exceedsEver(k, n int64, limit, level float64) finding {
	f := finding{verdict: rollout.Hold, p: 1, level: level, dispersion: 1, candidate: tally{hits: k, requests: n}}
	hits, rest := float64(k), float64(n-k)
	if hits > limit*float64(n) {
		f.p = 0
		if limit > 0 {
			inside := 1 - UpperTail(hits+1, hits+rest+1, limit)
			evidence := logBeta(hits+1, rest+1) + math.Log(inside) - hits*math.Log(limit) - (rest+1)*math.Log1p(-limit)
			f.p = math.Min(1, math.Exp(-evidence))
		}
	}
	if f.p <= level {
		f.verdict = rollout.Fail
	}
	return f
}

func logBeta(a, b float64) float64 {
	lgA, _ := math.Lgamma(a)
	lgB, _ := math.Lgamma(b)
	lgSum, _ := math.Lgamma(a + b)
	return lgA + lgB - lgSum
}
