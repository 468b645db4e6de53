package analysis

import "time"

// unplanned is for how long an evaluation is planned where a step has no duration: levels of later looks become smaller, and
// never nothing.
const unplanned = time.Hour

// level returns the probability with which one test of one look may be wrong, so that all of them together are with the
// probability alpha at most (Bonferroni: the sum). Steps have equal parts of it, which are spent without an end: half of it
// in equal parts on the looks k up to n, the number planned, and half on those after in parts that fall with 1/(k(k-1)), of
// which the sum is 1/n. Tests are those that one look makes.
//
// duration is how long the step lasts, and every the time from one look to the next. Steps and tests are at least 1.
func level(alpha float64, steps int, duration, every time.Duration, look, tests int) float64 {
	if duration <= 0 {
		duration = unplanned
	}
	n := int(duration / every)
	if n < 1 {
		n = 1
	}
	part := alpha / float64(steps) / float64(tests) / 2
	if look <= n {
		return part / float64(n)
	}
	return part * float64(n) / (float64(look) * float64(look-1))
}
