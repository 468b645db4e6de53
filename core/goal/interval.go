package goal

import "math"

// Interval is where a number lies, with the probability of its level.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// wilson returns the interval of a share of which n clients were seen and k had it, at a quantile z of the normal
// distribution: E. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212.
func wilson(k, n int64, z float64) Interval {
	if n == 0 {
		return Interval{Low: 0, High: 1}
	}
	total := float64(n)
	share := float64(k) / total
	z2 := z * z
	middle := (share + z2/(2*total)) / (1 + z2/total)
	half := z / (1 + z2/total) * math.Sqrt(share*(1-share)/total+z2/(4*total*total))
	return Interval{Low: math.Max(0, middle-half), High: math.Min(1, middle+half)}
}

// tightest is the information, the reciprocal of the variance of a difference, at which [sequence] is as tight as it can
// be: a standard error of half a percentage point. It must not depend on what was seen.
const tightest = 1 / (0.005 * 0.005)

// sequence returns the interval of a difference of shares with a variance, that holds at level 1-alpha at all times at
// once. The score of a difference, over its information, is as good as a Brownian motion with that drift, and stays
// within the boundary of a normal mixture: H. Robbins, Ann. Math. Stat. 41, 1970, 1397-1409, with the parameter of S.
// Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Ann. Stat. 49, 2021, 1055-1080, section 3.5.
func sequence(difference, variance, alpha float64) Interval {
	information := 1 / variance
	logarithm := -2 * math.Log(alpha)
	mixture := tightest / (logarithm + math.Log(logarithm) + 1)
	half := math.Sqrt((information+mixture)*math.Log((information+mixture)/(mixture*alpha*alpha))) / information
	return Interval{Low: math.Max(-1, difference-half), High: math.Min(1, difference+half)}
}

// varianceOf returns the variance of a share, as if one client more had reached the goal and one more had not (A. Agresti,
// B. Caffo, Am. Stat. 54, 2000, 280-288): it is never 0.
func varianceOf(k, n int64) float64 {
	total := float64(n) + 2
	share := (float64(k) + 1) / total
	return share * (1 - share) / total
}
