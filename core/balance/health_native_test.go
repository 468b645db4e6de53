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
	if h.state.Load()&(troubled|unwell) != 0 || !h.Available(noon) {
		t.Errorf("state %b after an answer", h.state.Load())
	}
}

func TestHealthyUpstreamCostsNoAllocation(t *testing.T) {
	h := &Health{}
	if n := testing.AllocsPerRun(100, func() { Succeeded(h, Steady(h)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHealthy(b *testing.B) {
	h := &Health{}
	for b.Loop() {
		Succeeded(h, Steady(h))
	}
}
