package analysis

import "math"

// SampleRatio returns the probability that clients who are divided by the weights are divided as unevenly as these, or
// more so: Pearson's chi-square test. assigned counts clients by variant, never requests, which come from few clients
// each; weights need not add up to 1. It is 1 if there is nothing to say: fewer than two variants share the clients, or
// so few clients that one of these variants expects less than five, as the approximation by chi-square wants (W. G.
// Cochran, Biometrics 10, 1954, 417-451). It is 0 if a client got a variant without a weight.
func SampleRatio(assigned []int64, weights []float64) (p float64) {
	clients, total := 0.0, 0.0
	for i, count := range assigned {
		if weights[i] > 0 {
			clients += float64(count)
			total += weights[i]
		} else if count > 0 {
			return 0
		}
	}
	chi2, shares := 0.0, 0
	for i, count := range assigned {
		if weights[i] <= 0 {
			continue
		}
		expected := clients * weights[i] / total
		if expected < 5 {
			return 1
		}
		off := float64(count) - expected
		chi2 += off * off / expected
		shares++
	}
	if shares < 2 {
		return 1
	}
	return chiSquareTail(chi2, float64(shares-1))
}

// chiSquareTail returns the probability that a chi-square variable is at least x: the regularized incomplete gamma
// function Q(df/2, x/2), by its series (DLMF 8.7.1) below the mean and by its continued fraction (DLMF 8.9.2) above.
func chiSquareTail(x, df float64) float64 {
	a, z := df/2, x/2
	if z <= 0 {
		return 1
	}
	lg, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(z) - z - lg)
	if z < a+1 {
		return 1 - front*gammaSeries(a, z)
	}
	return front * gammaFraction(a, z)
}

func gammaSeries(a, z float64) float64 {
	term := 1 / a
	sum := term
	for i := 1; i < maxTerms && term > sum*precision; i++ {
		term *= z / (a + float64(i))
		sum += term
	}
	return sum
}

func gammaFraction(a, z float64) float64 {
	b := z + 1 - a
	c := 1 / tiny
	d := 1 / nonzero(b)
	f := d
	for i := 1; i < maxTerms; i++ {
		n := float64(i)
		b += 2
		term := -n * (n - a)
		d = 1 / nonzero(term*d+b)
		c = nonzero(b + term/c)
		f *= c * d
		if math.Abs(c*d-1) < precision {
			break
		}
	}
	return f
}
