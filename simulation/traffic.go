// Package simulation says what a rollout would do, before it does: who would get which variant, who would move by a change
// of its configuration, how long its plan takes, and how long until a bad candidate is found out.
//
// What decides is what decides in a gateway: engines, plans and checks of package core. Only the clients, the traffic and
// the clock are made up, from seeds, so that the same question has the same answer.
package simulation

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
)

// Behaviour is how a variant answers.
type Behaviour struct {
	Errors float64 // the share of requests that fail
	Slow   float64 // the share of requests that take ten times as long
	Slower float64 // by how much all take longer: 1 is not at all
}

// Traffic is what arrives at a rollout.
type Traffic struct {
	Rate   float64 // requests a second, of all variants together
	Burst  int     // errors come so many at a time: 1 is one by one
	Stalls int     // of all requests one in a hundred takes ten times as long, so many at a time. 0: none does
}

// Counts are what a variant did in some time.
type Counts struct{ Requests, Failures int }

// latencies are what answers of a healthy variant take, each as likely as any other: a log-normal distribution of which the
// median is 100 ms and the 95th percentile 228 ms.
var latencies = logNormal(1<<12, 100*time.Millisecond, 0.5)

func logNormal(n int, median time.Duration, sigma float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		quantile := math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(n)-1)
		values[i] = float64(median) * math.Exp(sigma*quantile)
	}
	return values
}

// many is from how many answers on they are drawn by the latency, and not one by one.
const many = 20_000

// Serve lets a variant answer what arrives of a share of the traffic. Arrivals are a Poisson process, and so are bursts,
// which happen at one moment: they are not spread over more than the time of one call. It returns what there was.
func (t Traffic) Serve(random *rand.Rand, arm *analysis.Arm, share float64, over time.Duration, b Behaviour) Counts {
	requests := t.Rate * share * over.Seconds()
	failures := t.Burst * poisson(random, requests*b.Errors/float64(t.Burst))
	stalled := 0
	if t.Stalls > 0 {
		stalled = t.Stalls * poisson(random, requests*0.01/float64(t.Stalls))
	}
	answers := poisson(random, requests*(1-b.Errors))
	if answers > many && t.Stalls == 0 && b.Slow == 0 {
		answers = serveAlike(random, arm, answers, b)
		for range failures {
			analysis.Answered(arm, true, time.Duration(latencies[random.IntN(len(latencies))]*b.Slower))
		}
		return Counts{Requests: answers + failures, Failures: failures}
	}
	for i := range answers + failures {
		latency := latencies[random.IntN(len(latencies))] * b.Slower
		if i < stalled || b.Slow > 0 && random.Float64() < b.Slow {
			latency *= 10
		}
		analysis.Answered(arm, i >= answers, time.Duration(latency))
	}
	return Counts{Requests: answers + failures, Failures: failures}
}

// serveAlike draws how many of about n answers take each of 256 latencies, and returns how many there are of all.
func serveAlike(random *rand.Rand, arm *analysis.Arm, n int, b Behaviour) int {
	const kinds = 256
	all := 0
	for kind := range kinds {
		alike := poisson(random, float64(n)/kinds)
		latency := latencies[kind*len(latencies)/kinds+len(latencies)/kinds/2] * b.Slower
		analysis.AnsweredAlike(arm, int64(alike), false, time.Duration(latency))
		all += alike
	}
	return all
}

// poisson draws a number whose mean is given: by Knuth's method (The Art of Computer Programming 2, 3.4.1) in parts small
// enough for it, and where the mean is large by the normal distribution, which is as good then.
func poisson(random *rand.Rand, mean float64) int {
	const part, large = 30, 10_000
	if mean > large {
		return int(math.Max(0, math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	n := 0
	for ; mean > part; mean -= part {
		n += poisson(random, part)
	}
	limit := math.Exp(-mean)
	for product := random.Float64(); product > limit; product *= random.Float64() {
		n++
	}
	return n
}

// Seeded returns a source that draws the same for the same seed.
func Seeded(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x67726179)) //nolint:gosec // draws are to be repeatable
}
