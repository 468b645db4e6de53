package analysis

import "math"

// UpperTail returns the probability that at least k of n independent trials succeed, each with probability p: P(X >= k)
// for X ~ Binomial(n, p). k and n need not be whole, because counts are divided by their dispersion: between whole
// numbers the incomplete beta function goes on, of which the binomial tail is a case, I_p(k, n-k+1)
// (NIST Digital Library of Mathematical Functions, 8.17.5).
func UpperTail(k, n, p float64) float64 {
	if k <= 0 || p >= 1 {
		return 1
	}
	if k > n || p <= 0 {
		return 0
	}
	return incompleteBeta(k, n-k+1, p)
}

// incompleteBeta returns the regularized incomplete beta function I_x(a, b) for positive a and b and x in (0,1), by its
// continued fraction (DLMF 8.17.22), which converges quickly below the mean; above, by the symmetry I_x(a, b) =
// 1 - I_{1-x}(b, a) (DLMF 8.17.4).
func incompleteBeta(a, b, x float64) float64 {
	if x > (a+1)/(a+b+2) {
		return 1 - betaBelowMean(b, a, 1-x)
	}
	return betaBelowMean(a, b, x)
}

func betaBelowMean(a, b, x float64) float64 {
	lgA, _ := math.Lgamma(a)
	lgB, _ := math.Lgamma(b)
	lgSum, _ := math.Lgamma(a + b)
	return math.Exp(a*math.Log(x)+b*math.Log1p(-x)+lgSum-lgA-lgB) / a * betaFraction(a, b, x)
}

const (
	precision = 1e-14
	maxTerms  = 10_000 // of a fraction or series: it needs about the square root of its largest parameter
	tiny      = 1e-300 // stands for zero where it would be divided by
)

// betaFraction evaluates 1/(1+ d1/(1+ d2/(1+ ...))) of DLMF 8.17.22 by Lentz's method in Thompson and Barnett's form
// (I. J. Thompson, A. R. Barnett, J. Comput. Phys. 64, 1986, 490-509).
func betaFraction(a, b, x float64) float64 {
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i < maxTerms; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonzero(1+even*d)
		c = nonzero(1 + even/c)
		f *= c * d
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonzero(1+odd*d)
		c = nonzero(1 + odd/c)
		f *= c * d
		if math.Abs(c*d-1) < precision {
			break
		}
	}
	return f
}

func nonzero(x float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
