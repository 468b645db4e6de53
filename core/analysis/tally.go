package analysis

import "time"

// Tally is what was counted of a variant since its trial began, or between two marks.
type Tally struct {
	Requests, Failures int64

	// P50, P95 and P99 are the latencies that half, 95% and 99% of the answers kept within, give or take 3%. 0: nothing was
	// answered.
	P50, P95, P99 time.Duration
}

// Tally returns what was counted of a variant, elsewhere too. Any goroutine may ask.
func (t *Trial) Tally(variant int) Tally {
	s := sample{from: &snapshot{}, to: t.snapshot(variant)}
	return s.tally()
}

func (s sample) tally() Tally {
	tally := Tally{Requests: s.requests(), Failures: s.failures()}
	if s.answered() > 0 {
		tally.P50 = s.quantile(0.5)
		tally.P95 = s.quantile(0.95)
		tally.P99 = s.quantile(0.99)
	}
	return tally
}
