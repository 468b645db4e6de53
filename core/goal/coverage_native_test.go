package goal

import (
	"math/rand/v2"
	"testing"
)

// TestIntervalsHoldHoweverOftenOneLooks looks at every two-hundredth client of tests that run long, and counts the tests in
// which the interval was ever wrong: at most alpha of them, give or take what chance does to 200 tests.
func TestIntervalsHoldHoweverOftenOneLooks(t *testing.T) {
	for _, c := range []struct {
		name          string
		stable, other float64
		share         float64 // of clients that get the other variant
	}{
		{"rare, alike", 0.01, 0.01, 0.5},
		{"rare, different", 0.01, 0.015, 0.1},
		{"common, alike", 0.3, 0.3, 0.5},
		{"common, different", 0.3, 0.33, 0.2},
	} {
		const tests, clients = 200, 10_000
		random := rand.New(rand.NewPCG(7, uint64(len(c.name))))
		wrong := 0
		for range tests {
			n, k := []int64{0, 0}, []int64{0, 0}
			for i := range clients {
				v, rate := 0, c.stable
				if random.Float64() < c.share {
					v, rate = 1, c.other
				}
				n[v]++
				if random.Float64() < rate {
					k[v]++
				}
				if i%200 != 199 {
					continue
				}
				against := Compare(counts(n, k), 1).Goals[0].Variants[1].Against
				if against != nil && (c.other-c.stable < against.Interval.Low || c.other-c.stable > against.Interval.High) {
					wrong++
					break
				}
			}
		}
		if wrong > tests/20+6 { // 10 expected at most; 17 and more happen in one of 40 cases
			t.Errorf("%s: the interval was wrong in %d of %d tests", c.name, wrong, tests)
		} else {
			t.Logf("%s: wrong in %d of %d", c.name, wrong, tests)
		}
	}
}
