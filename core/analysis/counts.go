package analysis

import (
	"sort"
	"sync"
	"time"
)

// Counts are what one gateway counted of a variant since its trial began, for others to add to what they counted.
type Counts struct {
	Requests int64 `json:"requests"`
	Failures int64 `json:"failures,omitempty"`

	// Answers are numbers of answers by latency: the number of a bucket, in rising order, and how many are in it, by turns.
	Answers []int64 `json:"answers,omitempty"`
}

// Counts returns what was counted here of a variant. Any goroutine may ask.
func (t *Trial) Counts(variant int) Counts {
	s := t.arms[variant].snapshot()
	c := Counts{Requests: s.requests, Failures: s.failures}
	before := int64(0)
	for i, within := range s.within {
		if within > before {
			c.Answers = append(c.Answers, int64(s.first+i), within-before)
		}
		before = within
	}
	return c
}

// Since returns what was counted since earlier counts of the same gateway and variant, and whether there can be such
// counts: none of them ever falls.
func (c Counts) Since(before Counts) (Counts, bool) {
	since := Counts{Requests: c.Requests - before.Requests, Failures: c.Failures - before.Failures}
	answered, i := int64(0), 0
	for k := 0; k+1 < len(before.Answers); k += 2 {
		for i+1 < len(c.Answers) && c.Answers[i] < before.Answers[k] {
			since.Answers = append(since.Answers, c.Answers[i], c.Answers[i+1])
			i += 2
		}
		if i+1 >= len(c.Answers) || c.Answers[i] != before.Answers[k] || c.Answers[i+1] < before.Answers[k+1] {
			return Counts{}, false
		}
		if n := c.Answers[i+1] - before.Answers[k+1]; n > 0 {
			since.Answers = append(since.Answers, c.Answers[i], n)
		}
		i += 2
	}
	since.Answers = append(since.Answers, c.Answers[i:]...)
	last := int64(-1)
	for k := 0; k+1 < len(since.Answers); k += 2 {
		if bucket := since.Answers[k]; bucket <= last || bucket >= bucketCount || since.Answers[k+1] <= 0 {
			return Counts{}, false
		}
		last = since.Answers[k]
		answered += since.Answers[k+1]
		if answered > since.Requests {
			return Counts{}, false
		}
	}
	possible := len(since.Answers)%2 == 0 && since.Failures >= 0 && since.Failures <= since.Requests && since.Requests <= mostCounted
	return since, possible
}

// mostCounted is how many requests nobody ever counts. It keeps sums of what others say within their type.
const mostCounted = 1 << 50

// elsewhere is what other gateways counted.
type elsewhere struct {
	mu     sync.Mutex
	counts []*snapshot // by variant; none before there are any. Guarded by mu, and none of them changes
}

// Added is what another gateway counted from some time of a trial until now, which must be possible: see [Counts.Since].
type Added struct {
	Counts []Counts // by variant
	From   time.Duration
}

// Add adds what other gateways counted. What took longer than two slots counts as of the time from which it was counted, so that
// nothing that is old is taken for recent; and what was counted from the beginning on, while nobody here looked, is in the totals
// and in no window.
func (t *Trial) Add(more []Added) {
	added := append([]Added{}, more...)
	sort.SliceStable(added, func(a, b int) bool { return added[a].From < added[b].From })
	for variant := range t.names {
		t.addTo(variant, added)
	}
}

// addTo adds to a variant what was counted of it, in the order of the times from which it was. A thousand gateways are
// added up before what is there is copied, once for each moment.
func (t *Trial) addTo(variant int, added []Added) {
	all := newTogether(variant, added)
	next := 0
	var old *snapshot // what counts as of some time before a moment; nil: nothing does
	for _, m := range t.moments {
		before := next
		for ; next < len(added) && (added[next].From < m.at || added[next].From == 0) && t.now-added[next].From > 2*slot; next++ {
			all.add(&added[next].Counts[variant])
		}
		if next > before {
			old = all.snapshot()
		}
		if old != nil {
			m.arms[variant] = m.arms[variant].plus(old)
		}
	}
	for ; next < len(added); next++ {
		all.add(&added[next].Counts[variant])
	}
	if all.requests == 0 {
		return
	}
	t.elsewhere.mu.Lock()
	defer t.elsewhere.mu.Unlock()
	if t.elsewhere.counts == nil {
		for range t.names {
			t.elsewhere.counts = append(t.elsewhere.counts, &snapshot{})
		}
	}
	t.elsewhere.counts[variant] = t.elsewhere.counts[variant].plus(all.snapshot())
}

// together is what several gateways counted.
type together struct {
	requests, failures int64
	first              int     // the bucket of the first of answers
	answers            []int64 // by bucket
}

// newTogether returns nothing yet, with room for what others counted of a variant.
func newTogether(variant int, added []Added) *together {
	first, end := bucketCount, 0
	for i := range added {
		answers := added[i].Counts[variant].Answers
		n := len(answers)
		if n == 0 {
			continue
		}
		if int(answers[0]) < first {
			first = int(answers[0])
		}
		if last := int(answers[n-2]); last >= end {
			end = last + 1
		}
	}
	if first >= end {
		return &together{}
	}
	return &together{first: first, answers: make([]int64, end-first)}
}

func (s *together) add(c *Counts) {
	s.requests += c.Requests
	s.failures += c.Failures
	for i := 0; i+1 < len(c.Answers); i += 2 {
		s.answers[int(c.Answers[i])-s.first] += c.Answers[i+1]
	}
}

// snapshot returns what they counted so far.
func (s *together) snapshot() *snapshot {
	now := &snapshot{requests: s.requests, failures: s.failures, first: s.first}
	now.within = append(now.within, s.answers...)
	cumulate(now.within)
	return now
}

// snapshot returns what was counted so far of a variant, here and elsewhere.
func (t *Trial) snapshot(variant int) *snapshot {
	here := t.arms[variant].snapshot()
	t.elsewhere.mu.Lock()
	defer t.elsewhere.mu.Unlock()
	if t.elsewhere.counts == nil {
		return here
	}
	return here.plus(t.elsewhere.counts[variant])
}

// plus returns what two snapshots counted together.
func (s *snapshot) plus(other *snapshot) *snapshot {
	both := &snapshot{requests: s.requests + other.requests, failures: s.failures + other.failures}
	left, right := s, other
	if len(left.within) == 0 || len(right.within) > 0 && right.first < left.first {
		left, right = other, s
	}
	both.first = left.first
	both.within = left.within
	if len(right.within) == 0 {
		return both
	}
	end := left.first + len(left.within)
	if last := right.first + len(right.within); last > end {
		end = last
	}
	both.within = make([]int64, end-both.first)
	addAnswers(both.within, left.within)
	addAnswers(both.within[right.first-left.first:], right.within)
	cumulate(both.within)
	return both
}

// addAnswers adds to numbers by bucket those that are in the buckets up to each.
func addAnswers(answers, within []int64) {
	before := int64(0)
	for i, n := range within {
		answers[i] += n - before
		before = n
	}
}

// cumulate makes numbers by bucket those in the buckets up to each.
func cumulate(answers []int64) {
	sum := int64(0)
	for i, n := range answers {
		sum += n
		answers[i] = sum
	}
}
