package analysis

import (
	"math"
	"math/rand"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// TestExceedsEver: how soon a share is found to exceed a limit, against values that were computed by numerical integration.
func TestExceedsEver(t *testing.T) {
	for _, test := range []struct {
		k, n  int64
		limit float64
		p     float64
	}{
		{0, 1000, 0.01, 1},
		{10, 1000, 0.01, 1},
		{1, 1000, 0, 0},
		{3, 3, 0.01, integrated(3, 3, 0.01)},
		{20, 400, 0.01, integrated(20, 400, 0.01)},
		{15, 100, 0.1, integrated(15, 100, 0.1)},
		{700, 1000, 0.5, integrated(700, 1000, 0.5)},
		{5, 5, 1, 1},
	} {
		f := exceedsEver(test.k, test.n, test.limit, 0.001)
		if math.Abs(f.p-test.p) > 1e-6*test.p+1e-12 {
			t.Errorf("%d of %d above %g: %g, want %g", test.k, test.n, test.limit, f.p, test.p)
		}
		if (f.verdict == rollout.Fail) != (test.p <= 0.001) {
			t.Errorf("%d of %d above %g: %s", test.k, test.n, test.limit, string(f.verdict))
		}
	}
}

// integrated returns what exceedsEver does, by the midpoint rule.
func integrated(k, n int64, limit float64) float64 {
	const parts = 200_000
	log := func(q float64) float64 { return float64(k)*math.Log(q) + float64(n-k)*math.Log1p(-q) }
	sum := 0.0
	for i := 0; i < parts; i++ {
		q := limit + (1-limit)*(float64(i)+0.5)/parts
		sum += math.Exp(log(q)-log(limit)) / parts
	}
	return math.Min(1, 1/sum)
}

// TestExceedsEverWhileLooking: a share that is at the limit is found to exceed it in no more than the level's part of cases,
// though every count is looked at.
func TestExceedsEverWhileLooking(t *testing.T) {
	const cases, requests, limit, level = 400, 1000, 0.05, 0.05
	random := rand.New(rand.NewSource(1))
	wrong := 0
	for i := 0; i < cases; i++ {
		different := int64(0)
		for n := int64(1); n <= requests; n++ {
			if random.Float64() < limit {
				different++
				if exceedsEver(different, n, limit, level).verdict == rollout.Fail {
					wrong++
					break
				}
			}
		}
	}
	if wrong > 30 { // 20 are expected at most
		t.Errorf("%d of %d", wrong, cases)
	}
}
