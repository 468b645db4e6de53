package analysis

import (
	"testing"
	"time"
)

// The benchmarks run compiled ("make bench") and interpreted (integration/tools/yaegi/bench.sh core/analysis).

func BenchmarkAnswered(b *testing.B) {
	a := NewArm()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		Answered(a, false, time.Duration(i))
	}
}

func BenchmarkSnapshot(b *testing.B) {
	a := NewArm()
	Answered(a, false, time.Second)
	for i := 0; i < b.N; i++ {
		a.snapshot()
	}
}

// BenchmarkEvaluate times a look at a step of twenty minutes, as the default check takes it.
func BenchmarkEvaluate(b *testing.B) {
	trial := NewTrial([]string{"stable", "canary"})
	for second := 1; second <= 20*60; second++ {
		for variant := 0; variant < 2; variant++ {
			for i := 0; i < 5; i++ {
				Answered(trial.Arm(variant), second%100 == i, time.Duration(10+(second*7+i)%40)*time.Millisecond)
			}
		}
		trial.Turn(time.Duration(second) * time.Second)
	}
	checks, _ := ParseChecks(nil, Settings{Variants: []string{"stable", "canary"}, Candidate: 1, Steps: 3})
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		checks.Evaluate(trial, Look{Elapsed: 20 * time.Minute, For: 30 * time.Minute, Number: 120})
	}
}
