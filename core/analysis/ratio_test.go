package analysis

import (
	"math"
	"testing"
)

func TestSampleRatio(t *testing.T) {
	cases := []struct {
		what     string
		assigned []int64
		weights  []float64
		want     float64
	}{
		{"as the weights say", []int64{900, 100}, []float64{0.9, 0.1}, 1},
		{"weights of any sum", []int64{900, 100}, []float64{90, 10}, 1},
		{"off by one standard deviation", []int64{5050, 4950}, []float64{1, 1}, math.Erfc(1 / math.Sqrt2)},
		{"off by four", []int64{5200, 4800}, []float64{1, 1}, math.Erfc(4 / math.Sqrt2)},
		{"off by twenty", []int64{6000, 4000}, []float64{1, 1}, math.Erfc(20 / math.Sqrt2)},
		{"three variants", []int64{110, 100, 90}, []float64{1, 1, 1}, math.Exp(-1)}, // chi-square 2 with two degrees of freedom
		{"nobody", []int64{0, 0}, []float64{0.5, 0.5}, 1},
		{"nothing at all", nil, nil, 1},
		{"so few that five are not expected", []int64{0, 499}, []float64{0.01, 0.99}, 1},
		{"five are expected, and none came", []int64{0, 500}, []float64{0.01, 0.99}, math.Erfc(math.Sqrt(500.0 / 99 / 2))},
		{"all for one", []int64{1000, 0}, []float64{1, 0}, 1},
		{"clients without a weight", []int64{1000, 1}, []float64{1, 0}, 0},
	}
	for _, c := range cases {
		if got := SampleRatio(c.assigned, c.weights); !near(got, c.want, 1e-9) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
