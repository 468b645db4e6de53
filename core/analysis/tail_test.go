package analysis

import (
	"math"
	"testing"
)

// near reports whether x is y but for a part of it.
func near(x, y, part float64) bool { return math.Abs(x-y) <= part*math.Abs(y) }

func TestUpperTailOfCountsThatCanBeWrittenDown(t *testing.T) {
	cases := []struct{ k, n, p, want float64 }{
		{1, 1, 0.3, 0.3},
		{2, 2, 0.1, 0.01},
		{1, 2, 0.1, 0.19},
		{3, 3, 0.5, 0.125},
		{5, 10, 0.5, 638.0 / 1024},
		{10, 10, 0.01, 1e-20},
		{0, 10, 0.5, 1},
		{-1, 10, 0.5, 1},
		{11, 10, 0.5, 0},
		{1, 10, 0, 0},
		{1, 10, 1, 1},
	}
	for _, c := range cases {
		if got := UpperTail(c.k, c.n, c.p); !near(got, c.want, 1e-12) {
			t.Errorf("UpperTail(%v, %v, %v) = %v, want %v", c.k, c.n, c.p, got, c.want)
		}
	}
}

func TestUpperTailFallsAsCountsRise(t *testing.T) {
	for _, n := range []float64{1, 7.5, 60, 1e4, 1e9} {
		for _, p := range []float64{1e-6, 0.01, 0.5, 0.99} {
			last := 1.0
			for i := 0; i <= 64; i++ {
				k := n * float64(i) / 64
				tail := UpperTail(k, n, p)
				if !(tail >= 0 && tail <= last+1e-12) {
					t.Fatalf("UpperTail(%v, %v, %v) = %v after %v", k, n, p, tail, last)
				}
				last = tail
			}
		}
	}
}
