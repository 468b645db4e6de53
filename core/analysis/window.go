package analysis

import (
	"math"
	"time"
)

// need is how many requests of a variant an evaluation wants to see.
type need struct {
	variant  int
	requests int64
	answered bool // only those that have a latency count
}

// met tells whether there were enough between two moments.
func (n need) met(from, to *moment) bool { return n.seen(from, to) >= n.requests }

func (n need) seen(from, to *moment) int64 {
	s := sample{from: from.arms[n.variant], to: to.arms[n.variant]}
	if n.answered {
		return s.answered()
	}
	return s.requests()
}

// answersFor returns how many latencies there have to be before a quantile of them is looked at: so many that five are
// expected beyond it.
func answersFor(q float64, minRequests int64) int64 {
	n := math.Ceil(5/(1-q) - 1e-6) // 1-0.9 is less than 0.1
	if n > float64(minRequests) {
		return int64(n)
	}
	return minRequests
}

// window is what an evaluation looks back on: moments from the trial's beginning to now, with a block of time between
// neighbours, and how many of the last blocks it goes by.
type window struct {
	moments []*moment
	blocks  int
}

// present returns the moments up to now, which takes the place of one of the same time.
func (t *Trial) present() []*moment {
	n := len(t.moments)
	if n > 1 && t.moments[n-1].at == t.now {
		n--
	}
	present := append([]*moment{}, t.moments[:n]...)
	present = append(present, t.look())
	return present
}

// back returns the window that reaches back for a time, and further where that takes it to meet the needs. Before the
// beginning there is nothing.
func back(moments []*moment, over time.Duration, needs []need) window {
	now := moments[len(moments)-1]
	i := len(moments) - 2
	for i > 0 && now.at-moments[i].at < over {
		i--
	}
	for _, n := range needs {
		for i > 0 && !n.met(moments[i], now) {
			i--
		}
	}
	return window{moments: moments, blocks: len(moments) - 1 - i}
}

func (w window) from() *moment { return w.moments[len(w.moments)-1-w.blocks] }

func (w window) to() *moment { return w.moments[len(w.moments)-1] }

// sample returns what a variant did in the window.
func (w window) sample(variant int) sample {
	return sample{from: w.from().arms[variant], to: w.to().arms[variant]}
}

// failures returns, for every block from the beginning, how many requests of a variant failed.
func (w window) failures(variant int) []tally {
	blocks := make([]tally, 0, len(w.moments)-1)
	before := w.moments[0].arms[variant]
	for _, m := range w.moments[1:] {
		after := m.arms[variant]
		blocks = append(blocks, tally{hits: after.failures - before.failures, requests: after.requests - before.requests})
		before = after
	}
	return blocks
}

// slower returns, for every block from the beginning, how many answers of a variant took longer than a limit.
func (w window) slower(variant int, limit time.Duration) []tally {
	within := bucketsWithin(limit)
	blocks := make([]tally, 0, len(w.moments)-1)
	before := tally{}
	for i, m := range w.moments {
		after := tally{requests: m.arms[variant].answers(bucketCount)}
		after.hits = after.requests - m.arms[variant].answers(within)
		if i > 0 {
			blocks = append(blocks, tally{hits: after.hits - before.hits, requests: after.requests - before.requests})
		}
		before = after
	}
	return blocks
}
