package balance

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneTrialForMany lets many ask for the trial at once, over many back-offs.
func TestOneTrialForMany(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	for range 200 {
		u.wait(u.backoff)
		var given atomic.Int64
		var trial atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if a := Begin(&u.Health, u.now); a != Refused {
					given.Add(1)
					trial.Store(int64(a))
				}
			})
		}
		all.Wait()
		if given.Load() != 1 {
			t.Fatalf("%d trials", given.Load())
		}
		u.fail(Attempt(trial.Load()))
	}
}

// TestHealthUnderConcurrentUse ends as it should whatever came in between: an answer in the end brings the upstream back.
func TestHealthUnderConcurrentUse(t *testing.T) {
	h := &Health{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 2000 {
				now := noon.Add(time.Duration(n) * 10 * time.Millisecond)
				a := Begin(h, now)
				if a == Refused {
					continue
				}
				switch (n + i) % 5 {
				case 0:
					Succeeded(h, a)
				case 1:
					Cancelled(h, a)
				default:
					Failed(h, a, policy, now)
				}
				h.Check(n%7 != 0)
			}
		})
	}
	all.Wait()
	h.Check(true)
	Succeeded(h, Forced(h))
	if h.Steady.Load() == int64(Refused) || !h.Available(noon) {
		t.Error("not steady after an answer")
	}
}

func BenchmarkTroubled(b *testing.B) {
	h := &Health{}
	Failed(h, Begin(h, noon), policy, noon)
	for b.Loop() {
		Cancelled(h, Begin(h, noon))
	}
}
