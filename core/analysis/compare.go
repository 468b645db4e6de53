package analysis

import "github.com/grayling-gateway/grayling/core/rollout"

// finding is what a test says of a candidate.
type finding struct {
	// verdict is Fail if what was seen is hardly possible of a candidate that is as it should be, Pass if nothing speaks
	// against it, and Hold if there is not enough to say.
	verdict rollout.Verdict

	// p is the probability that a candidate that is as it should be does as badly as this, or worse: the smallest of all
	// looks back that were tested. 1 if none was. level is what it has to be at most for Fail.
	p, level float64

	// blocks is how many of the last blocks p is about. candidate and baseline are what they held, and dispersion is by what
	// these were divided.
	blocks              int
	candidate, baseline tally
	dispersion          float64
}

// How a test looks back. Small changes need much traffic to show, and sudden ones are to be seen soon, so one level is
// spent in equal parts on several looks: the window, the last recent blocks, the whole stay in the step; and the window
// again, for what is drastic.
const (
	looksBack = 4

	// A candidate is drastically worse by a fifth of its requests, and then bursts of burst hits are all that is taken into
	// account while nobody knows them.
	drastic = 0.2
	burst   = 4

	// It is overwhelmingly worse by half of them, and then bursts of more than flood hits are not believed, whatever was
	// before: what flapped, or was noisy for a while, would be above suspicion for as long as that is remembered.
	overwhelming = 0.5
	flood        = 10
)

// spans returns how many of the last blocks are looked at, without repetition.
func spans(window, blocks int) []int {
	all := []int{window}
	for _, n := range []int{recent, blocks} {
		if n > all[len(all)-1] && n <= blocks {
			all = append(all, n)
		}
	}
	return all
}

// worseThan tells whether a candidate's requests have a property more often than the baseline's: they fail, or they are slow.
// Both are given as blocks of the same times, the oldest first, from the beginning of the stay in a step; the last window
// of them are the window that is evaluated. It is for the caller to have as many requests there as a plan wants to see.
//
// Given all hits, those of the candidate are as if drawn with its share of the requests, whatever the rate is (the exact
// conditional test of J. Przyborowski and H. Wilenski, Biometrika 31, 1940, 313-323). Before, all are divided by the larger
// dispersion of both. Without enough blocks to know it, only what is drastic is told.
func worseThan(candidate, baseline []tally, window int, level float64) finding {
	f := finding{verdict: rollout.Hold, p: 1, level: level / looksBack, dispersion: 1, blocks: window}
	n := len(candidate)
	f.candidate = sum(candidate[n-window:])
	f.baseline = sum(baseline[n-window:])
	if more := excess(f.candidate, f.baseline); more >= drastic {
		phi, _ := dispersion(lastBlocks(baseline, recent))
		if phi < burst {
			phi = burst
		}
		if more >= overwhelming && phi > flood {
			phi = flood
		}
		f.test(candidate[n-window:], baseline[n-window:], share(candidate[n-window:], baseline[n-window:]), phi)
	}
	if isTelling(candidate) && isTelling(baseline) {
		f.verdict = rollout.Pass
		for _, span := range spans(window, n) {
			f.look(candidate, baseline, span)
		}
	}
	if f.p <= f.level {
		f.verdict = rollout.Fail
	}
	return f
}

// look tests a number of the last blocks. Where the candidate has no more hits than its share there is nothing to test.
func (f *finding) look(candidate, baseline []tally, span int) {
	n := len(candidate)
	c := candidate[n-span:]
	b := baseline[n-span:]
	part := share(c, b)
	hits := sum(c).hits
	if float64(hits) <= part*float64(hits+sum(b).hits) {
		return
	}
	phi, _ := dispersion(lastBlocks(candidate, span))
	if span < recent {
		span = recent
	}
	if of, _ := dispersion(lastBlocks(baseline, span)); of > phi {
		phi = of
	}
	f.test(c, b, part, phi)
}

// excess returns by how much larger the candidate's rate is.
func excess(candidate, baseline tally) float64 {
	if candidate.requests == 0 || baseline.requests == 0 {
		return 0
	}
	return float64(candidate.hits)/float64(candidate.requests) - float64(baseline.hits)/float64(baseline.requests)
}

// test keeps the smallest probability: of so many hits or more, if each is the candidate's with the probability share.
func (f *finding) test(candidate, baseline []tally, share, phi float64) {
	c := sum(candidate)
	b := sum(baseline)
	p := UpperTail(float64(c.hits)/phi, float64(c.hits+b.hits)/phi, share)
	if p < f.p {
		f.p = p
		f.blocks = len(candidate)
		f.candidate = c
		f.baseline = b
		f.dispersion = phi
	}
}

// stratum is how many requests of a candidate tell its share of the traffic at a time.
const stratum = 20

// share returns the candidate's share of the traffic at the times of the hits: where hits become more frequent while the
// share grows, as it does with clients who stay where they were assigned, the candidate has more of them and is no worse.
// The number of a candidate's hits, drawn with other shares at other times, is above their mean at most as likely as if drawn
// with the mean share (W. Hoeffding, Annals of Mathematical Statistics 27, 1956, 713-721).
func share(candidate, baseline []tally) float64 {
	var c, b tally
	weighted, hits := 0.0, 0.0
	left := sum(candidate).requests
	for i := range candidate {
		c.hits += candidate[i].hits
		c.requests += candidate[i].requests
		b.hits += baseline[i].hits
		b.requests += baseline[i].requests
		left -= candidate[i].requests
		if i+1 < len(candidate) && (c.requests < stratum || left < stratum) {
			continue
		}
		if requests := c.requests + b.requests; requests > 0 {
			k := float64(c.hits + b.hits)
			weighted += k * float64(c.requests) / float64(requests)
			hits += k
		}
		c = tally{}
		b = tally{}
	}
	if hits == 0 {
		return 1
	}
	return weighted / hits
}
