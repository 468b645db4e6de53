package main

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/grayling-gateway/grayling/core/analysis"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// agree reports whether two probabilities are the same but for a part of them, or both next to nothing.
func agree(x, y, part float64) bool {
	return math.Abs(x-y) <= part*math.Abs(y) || math.Abs(x) < 1e-290 && math.Abs(y) < 1e-290
}

func TestTailsAreThoseOfExactSums(t *testing.T) {
	for _, p := range []*big.Rat{big.NewRat(1, 1000), big.NewRat(1, 10), big.NewRat(1, 2), big.NewRat(97, 100)} {
		for n := int64(1); n <= 40; n++ {
			sum := new(big.Rat)
			for k := n; k >= 1; k-- {
				sum.Add(sum, term(n, k, p))
				want, _ := sum.Float64()
				float, _ := p.Float64()
				if got := analysis.UpperTail(float64(k), float64(n), float); !agree(got, want, 1e-12) {
					t.Errorf("at least %d of %d with probability %s: %v, want %v", k, n, p, got, want)
				}
			}
		}
	}
}

// term returns the probability of k successes of n.
func term(n, k int64, p *big.Rat) *big.Rat {
	q := new(big.Rat).Sub(big.NewRat(1, 1), p)
	x := new(big.Rat).SetInt(new(big.Int).Binomial(n, k))
	for range k {
		x.Mul(x, p)
	}
	for range n - k {
		x.Mul(x, q)
	}
	return x
}

func TestTailsAreThoseOfGonum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same cases every time
	for range 20_000 {
		n := math.Floor(math.Exp(random.Float64() * math.Log(1e6))) // of more, gonum leaves the last terms out
		p := math.Exp(-random.Float64() * 12)
		deviation := math.Sqrt(n * p * (1 - p))
		k := math.Floor(n*p + deviation*(random.Float64()*14-4))
		if k < 1 || k > n {
			continue
		}
		want := distuv.Binomial{N: n, P: p}.Survival(k - 1) // of which 1e-16 is the least part
		if got := analysis.UpperTail(k, n, p); !agree(got, want, 1e-7) && math.Abs(got-want) > 1e-13 {
			t.Errorf("at least %v of %v with probability %v: %v, and gonum says %v", k, n, p, got, want)
		}
	}
}

func TestTailsBetweenWholeNumbersAreThoseOfGonum(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same cases every time
	for range 20_000 {
		n := math.Exp(random.Float64() * math.Log(1e5))
		k := n * random.Float64()
		p := random.Float64()
		want := mathext.RegIncBeta(k, n-k+1, p)
		if want < 1e-250 {
			continue
		}
		if got := analysis.UpperTail(k, n, p); !agree(got, want, 1e-7) {
			t.Errorf("at least %v of %v with probability %v: %v, and gonum says %v", k, n, p, got, want)
		}
	}
}

func TestSampleRatiosAreThoseOfGonum(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // the same cases every time
	for range 5_000 {
		variants := 2 + random.IntN(6)
		assigned, weights := make([]int64, variants), make([]float64, variants)
		clients, total := 0.0, 0.0
		for i := range variants {
			weights[i] = 1 + random.Float64()
			assigned[i] = int64(100 * weights[i] * (1 + 0.3*random.NormFloat64()))
			assigned[i] = max(assigned[i], 0)
			clients += float64(assigned[i])
			total += weights[i]
		}
		chi2, least := 0.0, math.Inf(1)
		for i := range variants {
			expected := clients * weights[i] / total
			least = min(least, expected)
			chi2 += (float64(assigned[i]) - expected) * (float64(assigned[i]) - expected) / expected
		}
		if least < 5 {
			continue
		}
		want := distuv.ChiSquared{K: float64(variants - 1)}.Survival(chi2)
		if got := analysis.SampleRatio(assigned, weights); !agree(got, want, 1e-8) && math.Abs(got-want) > 1e-14 {
			t.Errorf("%v for %v: %v, and gonum says %v", assigned, weights, got, want)
		}
	}
}
