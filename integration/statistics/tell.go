package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// rolledBack returns how many rollouts were rolled back, and when, the soonest first.
func rolledBack(outcomes []outcome) (times []time.Duration) {
	for _, o := range outcomes {
		if o.state == rollout.RolledBack {
			times = append(times, o.took)
		}
	}
	slices.Sort(times)
	return times
}

// falseAlarms tells a share with its interval.
func falseAlarms(outcomes []outcome) string {
	return share(len(rolledBack(outcomes)), len(outcomes))
}

// detections tells a share with its interval, and when: the median, and from which to which time nine of ten are.
func detections(outcomes []outcome) string {
	times := rolledBack(outcomes)
	text := share(len(times), len(outcomes))
	if len(times) < 20 {
		return text
	}
	at := func(q float64) string { return minutes(times[int(q*float64(len(times)-1))]) }
	return fmt.Sprintf("%s: %s (%s to %s)", text, at(0.5), at(0.05), at(0.95))
}

func minutes(d time.Duration) string {
	if d < 10*time.Minute {
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// share tells k of n with the 95% interval.
func share(k, n int) string {
	low, high := interval(k, n, 0.95)
	return fmt.Sprintf("%s (%s to %s)", percent(float64(k)/float64(n)), percent(low), percent(high))
}

// percent tells more decimals near 0 and 100%.
func percent(x float64) string {
	decimals := 0
	switch near := min(x, 1-x); {
	case near < 0.00005: // as good as none
	case near < 0.01:
		decimals = 2
	case near < 0.1:
		decimals = 1
	}
	return strconv.FormatFloat(100*x, 'f', decimals, 64) + "%"
}

// interval returns between which probabilities that of k successes of n trials is, with a confidence: that of C. J. Clopper
// and E. S. Pearson (Biometrika 26, 1934, 404-413), which is exact and so rather too wide.
func interval(k, n int, confidence float64) (low, high float64) {
	beyond := (1 - confidence) / 2
	low = bisect(func(p float64) bool { return analysis.UpperTail(float64(k), float64(n), p) < beyond })
	high = bisect(func(p float64) bool { return 1-analysis.UpperTail(float64(k+1), float64(n), p) > beyond })
	if k == 0 {
		low = 0
	}
	return low, high
}

// bisect returns where between 0 and 1 a condition ends to hold.
func bisect(holds func(float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if middle := (low + high) / 2; holds(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
