package analysis

import (
	"fmt"
	"strconv"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// How much slower than the baseline is worse: the share of requests that take longer than some more than its median, and
// than some more than its 95th percentile.
const (
	medianMargin = 1.1
	tailQuantile = 0.95
	tailMargin   = 1.2
)

// wanting returns an outcome for a need that is not met, and whether that is so.
func (e *evaluation) wanting(n need, what string) (outcome, bool) {
	seen := n.seen(e.window.from(), e.window.to())
	if seen >= n.requests {
		return outcome{}, false
	}
	return outcome{verdict: rollout.Hold, why: fmt.Sprintf("%d %s, and %d are wanted", seen, what, n.requests)}, true
}

// limited tells whether a rate or a latency keeps a limit.
func (e *evaluation) limited(n *node) outcome {
	switch n.left.kind {
	case latencyMS:
		return e.limitedLatency(n)
	case mirrorMismatch:
		return e.limitedMismatch(n)
	case conversionRate:
		return e.limitedConversion(n)
	}
	variant := n.left.variant
	if o, unmet := e.wanting(need{variant: variant, requests: e.checks.settings.MinRequests}, "requests"); unmet {
		return o
	}
	f := exceeds(e.window.failures(variant), e.window.blocks, n.number, e.level)
	s := e.window.sample(variant)
	if !related(n.op, float64(s.failures()), n.number*float64(s.requests())) {
		f.verdict = and(f.verdict, rollout.Hold)
	}
	if f.verdict == rollout.Pass {
		f.candidate = tally{hits: s.failures(), requests: s.requests()}
	}
	hits := f.candidate.hits
	if n.left.kind == successRate {
		hits = f.candidate.requests - hits
	}
	return outcome{verdict: f.verdict, test: &f, why: percent(hits, f.candidate.requests) + fmt.Sprintf(" of %d requests", f.candidate.requests) + f.chance()}
}

func (e *evaluation) limitedLatency(n *node) outcome {
	variant, q := n.left.variant, n.left.number
	wanted := need{variant: variant, requests: answersFor(q, e.checks.settings.MinRequests), answered: true}
	if o, unmet := e.wanting(wanted, "answers"); unmet {
		return o
	}
	f := exceeds(e.window.slower(variant, duration(n.number)), e.window.blocks, 1-q, e.level)
	s := e.window.sample(variant)
	seen := milliseconds(s.quantile(q))
	e.figures[e.figure(n.left)] = seen
	return outcome{verdict: f.verdict, test: &f, why: fmt.Sprintf("%s ms of %d answers, %s of %d took longer than %s ms", rounded(seen), s.answered(),
		percent(f.candidate.hits, f.candidate.requests), f.candidate.requests, strconv.FormatFloat(n.number, 'f', -1, 64)) + f.chance()}
}

// worse tells whether a variant is worse than the baseline: fails more, or is slower.
func (e *evaluation) worse(n *node) outcome {
	for _, variant := range []int{n.variant, 0} {
		wanted := need{variant: variant, requests: e.checks.settings.MinRequests}
		if o, unmet := e.wanting(wanted, fmt.Sprintf("requests of %q", e.checks.settings.Variants[variant])); unmet {
			return o
		}
	}
	o := e.against(e.window.failures(n.variant), e.window.failures(0), "requests failed")
	b := e.window.sample(0)
	if b.answered() > 0 {
		for _, limit := range []float64{medianMargin * float64(b.quantile(0.5)), tailMargin * float64(b.quantile(tailQuantile))} {
			ms := limit / 1e6
			slow := e.against(e.window.slower(n.variant, duration(ms)), e.window.slower(0, duration(ms)), fmt.Sprintf("answers took longer than %s ms", rounded(ms)))
			if and(o.verdict, slow.verdict) != o.verdict {
				o = slow
			}
		}
	}
	o.verdict = not(o.verdict)
	return o
}

// against compares a variant with the baseline.
func (e *evaluation) against(variant, baseline []tally, what string) outcome {
	f := worseThan(variant, baseline, e.window.blocks, e.level)
	if f.verdict == rollout.Hold {
		return outcome{verdict: f.verdict, why: fmt.Sprintf("it takes %d slots of ten seconds with requests to know how these vary", fewestBlocks)}
	}
	why := fmt.Sprintf("%s of %d %s, and %s of the baseline's %d", percent(f.candidate.hits, f.candidate.requests), f.candidate.requests, what,
		percent(f.baseline.hits, f.baseline.requests), f.baseline.requests)
	return outcome{verdict: f.verdict, test: &f, why: why + f.chance()}
}

// chance says how likely what was seen is if nothing is wrong, unless nothing is.
func (f *finding) chance() string {
	if f.verdict == rollout.Pass {
		return ""
	}
	return fmt.Sprintf(" (p = %.2g)", f.p)
}
