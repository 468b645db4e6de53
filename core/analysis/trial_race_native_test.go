package analysis

import (
	"sync"
	"testing"
	"time"
)

// TestRequestsGoByWhileATrialIsEvaluated: what requests call and what the one goroutine behind them calls need no lock.
func TestRequestsGoByWhileATrialIsEvaluated(t *testing.T) {
	const goroutines, each = 4, 5000
	trial, checks := newTrial(), parsed(t, `!worse("canary")`, `error_rate("canary") <= 0.5`)
	var requests sync.WaitGroup
	for g := range goroutines {
		requests.Go(func() {
			for i := range each {
				trial.Assign(g % 2)
				Answered(trial.Arm(g%2), i%100 == 0, time.Duration(i)*time.Microsecond)
			}
		})
	}
	seen := int64(0)
	for look := 1; seen < goroutines*each/2; look++ {
		result := checks.Evaluate(trial, Look{Elapsed: time.Duration(look) * time.Second, For: time.Hour, Number: look})
		if result.Requests < seen {
			t.Fatalf("of %d requests there are %d left", seen, result.Requests)
		}
		seen = result.Requests
	}
	requests.Wait()
	if n := trial.Assignments(); n[0] != goroutines*each/2 || n[1] != n[0] {
		t.Errorf("assigned %v", n)
	}
}
