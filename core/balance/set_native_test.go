package balance

import (
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConcurrentPicksAreExact: however many goroutines pick, together they take every turn once.
func TestConcurrentPicksAreExact(t *testing.T) {
	const goroutines, periods = 8, 50
	weights := []int{98, 1, 1, 0, 20}
	s := weighed(weights...)
	var counts [5]atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range periods * 120 {
				counts[s.Pick(nil, nil)].Add(1)
			}
		})
	}
	all.Wait()
	for i, w := range weights {
		if got := counts[i].Load(); got != int64(w*goroutines*periods) {
			t.Errorf("%v: %c has %d of %d picks", weights, 'a'+i, got, goroutines*periods*120)
		}
	}
}

// TestConcurrentFlapping: while all but one member come and go, every pick finds somebody.
func TestConcurrentFlapping(t *testing.T) {
	s := weighed(50, 20, 20, 5, 0, 1, 1, 1, 1, 1, 1)
	var down [11]atomic.Bool
	var picking atomic.Int64
	picking.Store(4)
	var all sync.WaitGroup
	for range picking.Load() {
		all.Go(func() {
			defer picking.Add(-1)
			for range 20_000 {
				if i := s.Pick(func(i int) bool { return !down[i].Load() }, nil); i < 0 || i == 4 {
					t.Errorf("picked %d", i)
					return
				}
			}
		})
	}
	for picking.Load() > 0 {
		i := rand.Intn(10) // the last one stays
		down[i].Store(!down[i].Load())
	}
	all.Wait()
}

// TestLongSchedules: periods of any length are the obvious ones, and exact. Interpreted, this would take too long.
func TestLongSchedules(t *testing.T) {
	const seed = 6
	random := rand.New(rand.NewSource(seed))
	for range 300 {
		weights := upstreamWeights(random, 12, 60)
		order := schedule(weights)
		if got, want := letters(order), letters(obviousSchedule(weights)); got != want {
			t.Fatalf("seed %d: %v take turns as %q, want %q", seed, weights, got, want)
		}
		checkFair(t, weights, order, 4)
	}
}

// TestLongestSchedule: weights that have nothing in common, as many and as large as can be, have a schedule that is
// right to one turn in MaxPeriod, give or take the turn that nobody goes without.
func TestLongestSchedule(t *testing.T) {
	weights := make([]int, MaxUpstreams)
	sum := 0
	for i := range weights {
		weights[i] = 1 + i*7919%MaxWeight
		sum += weights[i]
	}
	order := schedule(weights)
	counts := make([]int, len(weights))
	for _, i := range order {
		counts[i]++
	}
	if len(order) > MaxPeriod+len(weights) {
		t.Errorf("a period of %d", len(order))
	}
	for i, w := range weights {
		if exact := float64(w) * MaxPeriod / float64(sum); float64(counts[i]) < exact-0.5 || float64(counts[i]) > exact+1 || counts[i] == 0 {
			t.Fatalf("weight %d of %d has %d turns, exactly it would be %f", w, sum, counts[i], exact)
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	upstreams := parsed(t, "a version=v1 weight=3", "b version=v2", "c version=v2")
	whole := NewPool(upstreams, all(upstreams), []string{"version"}, nil).Whole()
	down := 1
	tried := []int{2}
	if n := testing.AllocsPerRun(100, func() {
		whole.Pick(func(i int) bool { return i != down }, tried)
		Narrow(whole, 0, "v2").Pick(func(i int) bool { return i != down }, nil)
	}); n != 0 {
		t.Errorf("picks allocate %v times", n)
	}
}
