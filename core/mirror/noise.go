package mirror

import "math"

// alpha is how probable it is, at most, that anything at all is ever reported of a target that answers as the baseline does.
const alpha = 0.01

// tally counts in how many requests something differed.
type tally struct {
	target  int64 // the target's answer from the client's
	control int64 // the baseline's second answer from the client's
	only    int64 // the target's, and not the baseline's second
	noise   int64 // the other way round
}

func (t *tally) add(target, control bool) {
	if target {
		t.target++
	}
	if control {
		t.control++
	}
	if target && !control {
		t.only++
	}
	if control && !target {
		t.noise++
	}
}

// excess returns the share of requests in which the target differs and the baseline would not: an unbiased estimate, which
// may be negative.
func (t *tally) excess(requests int64) float64 {
	if requests == 0 {
		return 0
	}
	return float64(t.only-t.noise) / float64(requests)
}

// isAbove reports whether the target differs more often than the baseline from itself. place counts what is tested, from 1.
//
// If the target is no different, then of the two copies of a request, sent at the same time, either is as likely to be the
// one whose answer differs: a fair coin, tossed for each request in which just one does. With b and c such requests and m =
// b+c, the likelihood of a coin of unknown bias, its bias being anything with the same probability, to that of the fair one
// is
//
//	E = 2^m b! c! / (m+1)!
//
// which for a fair coin has an expectation of 1 after every toss. By Ville's inequality it then ever reaches 1/a, however
// often one looks, with a probability of a at most: so it may be looked at whenever, as a test at a fixed number of requests
// may not. (H. Robbins, Statistical methods related to the law of the iterated logarithm, 1970; the test of pairs is Q.
// McNemar's, 1947.) What is tested in place k gets a = alpha/(k(k+1)), which together are alpha. Fourteen differences
// without noise are enough for the first field.
func (t *tally) isAbove(place int) bool {
	if t.only <= t.noise {
		return false
	}
	b, c := float64(t.only), float64(t.noise)
	k := float64(place)
	return (b+c)*math.Ln2+logFactorial(b)+logFactorial(c)-logFactorial(b+c+1) >= math.Log(k*(k+1)/alpha)
}

func logFactorial(n float64) float64 {
	v, _ := math.Lgamma(n + 1)
	return v
}
