package analysis

import "github.com/grayling-gateway/grayling/core/rollout"

// exceeds tells whether more than a share of a variant's requests have a property: fail, for an error rate and its limit, or
// take longer than a limit, for a quantile q and the share 1-q. The blocks are those of the stay in the step, the oldest
// first, of which the last window are evaluated. It is Fail if the exact one-sided binomial test says so at the level, after
// hits and requests were divided by the dispersion, or by that of before the window if it is larger: a few blocks with a
// burst in most of them look alike. It is Pass if the share within the window is no more than that; else Hold.
//
// Where the window is over the limit by half of what is left to 100%, bursts of more than flood are not believed.
func exceeds(blocks []tally, window int, limit, level float64) finding {
	n := len(blocks)
	f := finding{verdict: rollout.Hold, p: 1, level: level / looksBack, dispersion: 1, blocks: window, candidate: sum(blocks[n-window:])}
	seen := f.candidate
	before, _ := dispersion(lastBlocks(blocks[:n-window], recent))
	if float64(seen.hits) >= (limit+(1-limit)*overwhelming)*float64(seen.requests) {
		f.p = UpperTail(float64(seen.hits)/flood, float64(seen.requests)/flood, limit)
		f.dispersion = flood
	}
	for _, span := range spans(window, n) {
		phi, known := dispersion(lastBlocks(blocks, span))
		if phi < before {
			phi = before
		}
		if !known && phi < burst {
			phi = burst
		}
		all := sum(blocks[n-span:])
		p := UpperTail(float64(all.hits)/phi, float64(all.requests)/phi, limit)
		if p < f.p {
			f.p = p
			f.blocks = span
			f.candidate = all
			f.dispersion = phi
		}
	}
	if float64(seen.hits) <= limit*float64(seen.requests) {
		f.verdict = rollout.Pass
	}
	if f.p <= f.level {
		f.verdict = rollout.Fail
	}
	return f
}
