package analysis

import (
	"sync"
	"testing"
	"time"
)

func TestCountingDoesNotAllocate(t *testing.T) {
	a := NewArm()
	if n := testing.AllocsPerRun(100, func() { Answered(a, true, time.Millisecond); Unanswered(a) }); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

// TestNothingIsLost: many goroutines count while another looks.
func TestNothingIsLost(t *testing.T) {
	const goroutines, each = 8, 10_000
	a := NewArm()
	var counting sync.WaitGroup
	for g := range goroutines {
		counting.Go(func() {
			for i := range each {
				Answered(a, i%2 == 0, time.Duration(g*each+i)*time.Microsecond)
			}
		})
	}
	before := a.snapshot()
	for done := false; !done; {
		now := a.snapshot()
		s := sample{from: before, to: now}
		if s.requests() < 0 || s.failures() < 0 || s.failures() > s.requests() {
			t.Fatalf("%d requests and %d failures since the last look", s.requests(), s.failures())
		}
		done = now.requests == goroutines*each
		before = now
	}
	counting.Wait()
	if s := counted(a); s.failures() != goroutines*each/2 {
		t.Errorf("%d failures, want %d", s.failures(), goroutines*each/2)
	}
}

// BenchmarkAnsweredInParallel times what a request costs that all cores count at once.
func BenchmarkAnsweredInParallel(b *testing.B) {
	for _, test := range []struct {
		name   string
		spread time.Duration // of latencies
	}{{"latencies differ", 1009}, {"latencies are all the same", 0}} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			a := NewArm()
			b.RunParallel(func(p *testing.PB) {
				latency := 20 * time.Millisecond
				for p.Next() {
					latency = (latency + test.spread) & (1<<26 - 1)
					Answered(a, false, latency)
				}
			})
		})
	}
}
