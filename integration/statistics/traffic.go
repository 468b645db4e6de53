package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
)

// behaviour is how a variant answers.
type behaviour struct {
	errors float64 // the share of requests that fail
	slow   float64 // the share of requests that take ten times as long
	slower float64 // by how much all take longer: 1 is not at all
}

// healthy is how the baseline behaves, and a candidate that is as good.
var healthy = behaviour{errors: 0.005, slower: 1}

// traffic is what arrives at a rollout.
type traffic struct {
	rate   float64 // requests a second, of all variants together
	burst  int     // errors come so many at a time: 1 is one by one
	stalls int     // of all requests one in a hundred takes ten times as long, so many at a time. 0: none does
}

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

// serve lets a variant answer what arrives of a share of the traffic. Arrivals are a Poisson process, and so are bursts,
// which happen at one moment: they are not spread over more than the time of one call. It returns what there was.
func (t traffic) serve(random *rand.Rand, arm *analysis.Arm, share float64, over time.Duration, b behaviour) counts {
	requests := t.rate * share * over.Seconds()
	failures := t.burst * poisson(random, requests*b.errors/float64(t.burst))
	stalled := 0
	if t.stalls > 0 {
		stalled = t.stalls * poisson(random, requests*0.01/float64(t.stalls))
	}
	answers := poisson(random, requests*(1-b.errors))
	for i := range answers + failures {
		latency := latencies[random.IntN(len(latencies))] * b.slower
		if i < stalled || b.slow > 0 && random.Float64() < b.slow {
			latency *= 10
		}
		analysis.Answered(arm, i >= answers, time.Duration(latency))
	}
	return counts{requests: answers + failures, failures: failures}
}

// poisson draws a number whose mean is given, by Knuth's method (The Art of Computer Programming 2, 3.4.1) in parts small
// enough for it.
func poisson(random *rand.Rand, mean float64) int {
	const part = 30
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

// seeded returns a source that draws the same for the same seed.
func seeded(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x67726179)) //nolint:gosec // draws are to be repeatable
}
