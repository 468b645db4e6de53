package goal

import (
	"math"
	"testing"
)

func near(got, want float64) bool { return math.Abs(got-want) < 1e-4 }

// The intervals are those of R: binom::binom.confint(k, n, methods = "wilson").
func TestSharesHaveWilsonsInterval(t *testing.T) {
	for _, c := range []struct {
		k, n      int64
		low, high float64
	}{{10, 100, 0.0552, 0.1744}, {0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {500, 1000, 0.4691, 0.5309}, {0, 0, 0, 1}} {
		if i := wilson(c.k, c.n, normal95); !near(i.Low, c.low) || !near(i.High, c.high) {
			t.Errorf("%d of %d: %v, want %v to %v", c.k, c.n, i, c.low, c.high)
		}
	}
}

func TestASequenceIsTightestWhereItIsTuned(t *testing.T) {
	for _, alpha := range []float64{0.05, 0.01} {
		alpha := alpha
		at := func(information float64) float64 {
			i := sequence(0, 1/information, alpha)
			return (i.High - i.Low) / 2 * math.Sqrt(information) // in standard errors
		}
		best := at(tightest)
		for _, factor := range []float64{0.01, 0.5, 2, 100} {
			if other := at(tightest * factor); other < best {
				t.Errorf("alpha %v: %v standard errors at %v times the information, %v where it is tuned", alpha, other, factor, best)
			}
		}
		if best < 2 || best > 4.5 {
			t.Errorf("alpha %v: %v standard errors", alpha, best)
		}
	}
}

func counts(clients, reached []int64) Counts {
	p := period()
	p.Variants = []string{"stable", "canary", "other"}[:len(clients)]
	p.Goals = p.Goals[:1]
	return Counts{Period: p, Clients: clients, Reached: [][]int64{reached}, Sampled: 1}
}

func TestVariantsAreComparedWithTheBaseline(t *testing.T) {
	for _, c := range []struct {
		clients, reached []int64
		want             string
	}{
		{[]int64{20000, 20000}, []int64{1000, 1200}, "better"},
		{[]int64{20000, 20000}, []int64{1200, 1000}, "worse"},
		{[]int64{2000, 2000}, []int64{100, 110}, "open"},
		{[]int64{2000, 2000}, []int64{9, 100}, ""},
		{[]int64{0, 0}, []int64{0, 0}, ""},
	} {
		r := Compare(counts(c.clients, c.reached), 1)
		v := r.Goals[0].Variants[1]
		got := ""
		if v.Against != nil {
			got = v.Against.Verdict
		}
		if got != c.want {
			t.Errorf("%v of %v: %q, want %q", c.reached, c.clients, got, c.want)
		}
	}
}

func TestMoreVariantsNeedMore(t *testing.T) {
	two := Compare(counts([]int64{5000, 5000}, []int64{500, 600}), 1).Goals[0].Variants[1].Against
	three := Compare(counts([]int64{5000, 5000, 5000}, []int64{500, 600, 500}), 1).Goals[0].Variants[1].Against
	if three.Interval.Low >= two.Interval.Low {
		t.Errorf("%v of three, %v of two", three.Interval, two.Interval)
	}
}

func TestAnUnlikelyDivisionIsNotBelieved(t *testing.T) {
	if Compare(counts([]int64{10, 10}, []int64{1, 1}), 0.0005).Believe {
		t.Error("it is believed")
	}
	if !Compare(counts([]int64{10, 10}, []int64{1, 1}), 0.01).Believe {
		t.Error("it is not believed")
	}
}
