package goal

import (
	"math"
	"time"
)

// Results are how variants compare in a period, as people and programs are shown them.
type Results struct {
	Begin time.Time `json:"begin"`

	// Clients is how many were seen, about: as the sample tells it. Mixed is how many of them saw several variants, and
	// are left out.
	Clients int64 `json:"clients"`
	Mixed   int64 `json:"mixed"`

	// Sampled is the share of clients that was looked at, 1 for all.
	Sampled float64 `json:"sampled"`

	// Chance is the probability with which clients divide as unevenly as these, or more, if nothing is wrong. Below 0.001
	// something is, and Believe is false: what makes clients of one variant vanish, or come twice, may also make the
	// difference that is seen.
	Chance  float64 `json:"sample_ratio_p_value"`
	Believe bool    `json:"believe"`

	// Level is the probability with which all intervals of a goal's differences hold, at all times at once.
	Level float64 `json:"level"`

	Goals []Goal `json:"goals"`
}

// Goal is how the variants do with a goal.
type Goal struct {
	Name     string    `json:"name"`
	Variants []Variant `json:"variants"` // the baseline first
}

// Variant is how a variant does with a goal.
type Variant struct {
	Name    string `json:"name"`
	Clients int64  `json:"clients"` // in the sample
	Reached int64  `json:"reached"`

	// Rate is the share that reached the goal, and Interval where the share of all clients lies with probability 0.95, at
	// one look.
	Rate     float64  `json:"rate"`
	Interval Interval `json:"interval"`

	// Against is the comparison with the baseline. Nil for the baseline, and as long as one of the two has fewer than
	// Enough clients who reached the goal, or who did not.
	Against *Comparison `json:"against_baseline,omitempty"`
}

// Comparison is a variant's rate against the baseline's.
type Comparison struct {
	// Difference is the variant's rate less the baseline's, and Interval where it lies, whenever one looks.
	Difference float64  `json:"difference"`
	Interval   Interval `json:"interval"`

	// Lift is the difference as a share of the baseline's rate, and Lifted its interval, by that rate as it was seen.
	Lift   float64  `json:"lift"`
	Lifted Interval `json:"lift_interval"`

	// Verdict is "better" or "worse" where the interval leaves out zero, else "open".
	Verdict string `json:"verdict"`
}

// Enough is how many clients of each variant must have reached a goal, and not have reached it, before they are compared.
const Enough = 10

// Alpha is the probability with which any interval of a goal's differences is ever wrong.
const Alpha = 0.05

// normal95 is the quantile of the normal distribution that leaves 2.5% above.
const normal95 = 1.959963984540054

// believable is the least probability of a division of clients that is taken for chance.
const believable = 0.001

// Compare says what counts mean. chance is the probability of the division of clients, by the weights.
func Compare(c Counts, chance float64) Results {
	r := Results{Begin: c.Period.Begin, Sampled: c.Sampled, Chance: chance, Believe: chance >= believable, Level: 1 - Alpha, Mixed: c.Mixed}
	for _, n := range c.Clients {
		r.Clients += n
	}
	r.Clients = int64(math.Round(float64(r.Clients+c.Mixed) / c.Sampled))
	r.Mixed = int64(math.Round(float64(c.Mixed) / c.Sampled))
	alpha := Alpha / float64(len(c.Clients)-1)
	for i, name := range c.Period.Goals {
		g := Goal{Name: name}
		for v, variant := range c.Period.Variants {
			one := Variant{Name: variant, Clients: c.Clients[v], Reached: c.Reached[i][v]}
			one.Rate = share(one.Reached, one.Clients)
			one.Interval = wilson(one.Reached, one.Clients, normal95)
			if v > 0 {
				one.Against = against(g.Variants[0], one, alpha)
			}
			g.Variants = append(g.Variants, one)
		}
		r.Goals = append(r.Goals, g)
	}
	return r
}

func share(k, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

// against compares a variant with the baseline; nil if too few are known.
func against(baseline, v Variant, alpha float64) *Comparison {
	if !enough(baseline) || !enough(v) {
		return nil
	}
	c := &Comparison{Difference: v.Rate - baseline.Rate, Verdict: "open"}
	c.Interval = sequence(c.Difference, varianceOf(v.Reached, v.Clients)+varianceOf(baseline.Reached, baseline.Clients), alpha)
	c.Lift = c.Difference / baseline.Rate
	c.Lifted = Interval{Low: c.Interval.Low / baseline.Rate, High: c.Interval.High / baseline.Rate}
	if c.Interval.Low > 0 {
		c.Verdict = "better"
	}
	if c.Interval.High < 0 {
		c.Verdict = "worse"
	}
	return c
}

func enough(v Variant) bool { return v.Reached >= Enough && v.Clients-v.Reached >= Enough }
