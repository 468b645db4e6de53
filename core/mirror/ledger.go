package mirror

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Counts count what became of the requests that a mirror chose. They only grow. What was sent is answered, timed out, failed
// or was stopped.
type Counts struct {
	Sent     atomic.Int64 // copies that were sent, other than those to the baseline
	Answered atomic.Int64 // got an answer
	TimedOut atomic.Int64 // got none in time
	Failed   atomic.Int64 // got no connection, or half an answer
	Stopped  atomic.Int64 // were ended, or not sent, because the gateway stops, or has not begun

	DroppedConcurrency atomic.Int64 // were not sent: too many were under way
	BodyTooLong        atomic.Int64 // were not copied: the body is longer than is kept
	BodyIncomplete     atomic.Int64 // were not copied: the variant did not read the whole body, or the client went away
	Upgrade            atomic.Int64 // were not copied: they become a connection of their own, such as a websocket
	Loop               atomic.Int64 // were not copied: they are a copy, or say so

	AnswersCut atomic.Int64 // answers that were longer than MaxAnswer, or maxDrained
	Compared   atomic.Int64 // answers that were compared
	Different  atomic.Int64 // of these, where the target's differed, and the baseline's second answer, if there was one, did not
	Uncompared atomic.Int64 // answers that were not: the client's is not known in time or in full, or is encoded otherwise, or the release is another by now
}

// Requests returns what became of the requests that the mirror chose, by name: each is one of these.
func (c *Counts) Requests() map[string]int64 {
	return map[string]int64{
		"answered": c.Answered.Load(), "timed_out": c.TimedOut.Load(), "failed": c.Failed.Load(), "stopped": c.Stopped.Load(),
		"dropped_concurrency": c.DroppedConcurrency.Load(), "body_too_long": c.BodyTooLong.Load(), "body_incomplete": c.BodyIncomplete.Load(),
		"upgrade": c.Upgrade.Load(), "loop": c.Loop.Load(),
	}
}

// Comparisons returns what became of the comparisons of answers, by name: each is one of these.
func (c *Counts) Comparisons() map[string]int64 {
	different := c.Different.Load() // first: it never exceeds Compared then
	return map[string]int64{"same": c.Compared.Load() - different, "different": different, "uncompared": c.Uncompared.Load()}
}

// Tally returns what was counted, by name, but for what never happened.
func (c *Counts) Tally() map[string]int64 {
	all := c.Requests()
	all["sent"] = c.Sent.Load()
	all["answers_cut"] = c.AnswersCut.Load()
	all["compared"] = c.Compared.Load()
	all["different"] = c.Different.Load()
	all["uncompared"] = c.Uncompared.Load()
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}

// Ledger is what was learned from a mirror's copies. It is safe for concurrent use.
type Ledger struct {
	// Counts count since the gateway's process began.
	Counts Counts

	name    string
	sending atomic.Int64 // requests that have copies under way
	uploads atomic.Int64 // requests that have a body on its way in

	mu          sync.Mutex
	way         string       // guarded by mu: in which way answers are compared
	differences *differences // guarded by mu, with all that is in it
}

func newLedger(name string) *Ledger { return &Ledger{name: name, differences: newDifferences()} }

// Name returns the mirror's name.
func (l *Ledger) Name() string { return l.name }

// adopt forgets what differed if answers were compared in another way. The first way is that of the copies which began while
// the configuration came into force: they count.
func (l *Ledger) adopt(s Settings) {
	way := fmt.Sprint(s.Control != nil)
	if c := s.Compare; c != nil {
		way = fmt.Sprintf("%s %t %q %t %t %t %v", way, c.Status, c.Headers, c.Body, c.JSON, c.AnyOrder, c.Ignore)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.way != "" && way != l.way {
		l.differences = newDifferences()
	}
	l.way = way
}

func (l *Ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.differences = newDifferences()
}

// current returns where a copy that begins now will be counted. It may be out of date when that ends, and then counts for
// nothing.
func (l *Ledger) current() *differences {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.differences
}

// record counts one comparison.
func (l *Ledger) record(to *differences, o *outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to != l.differences {
		l.Counts.Uncompared.Add(1)
		return
	}
	l.Counts.Compared.Add(1)
	if to.add(o) {
		l.Counts.Different.Add(1)
	}
}

// Mismatch returns the share of requests, from 0 to 1, that the target answers differently from the baseline, beyond what
// the baseline's own answers differ if that is measured. It is known once so many requests were compared.
func (l *Ledger) Mismatch(requests int64) (share float64, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.differences.pairs == 0 || l.differences.pairs < requests {
		return 0, false
	}
	s := l.differences.mismatch()
	return s, true
}

// Sample is how many answers were compared since the release or its comparison changed last.
type Sample struct {
	Compared   int64
	Different  int64   // of them, in anything, noise included
	Mismatch   float64 // see [Ledger.Mismatch]
	Controlled bool    // whether the noise was measured
}

// Sample returns what was learned in numbers.
func (l *Ledger) Sample() Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.differences
	return Sample{Compared: d.pairs, Different: d.whole.target, Mismatch: d.mismatch(), Controlled: d.controlled}
}

// Report is what was learned from a mirror's copies.
type Report struct {
	Mirror string           `json:"mirror"`
	Counts map[string]int64 `json:"counts"`

	// Compared is how many requests' answers were compared since the release or its comparison changed last, and Mismatch
	// the share of them that the target answers differently, from 0 to 1, beyond the noise.
	Compared int64   `json:"compared"`
	Mismatch float64 `json:"mismatch"`

	// Controlled tells that the baseline's own differences, the noise, were measured.
	Controlled bool `json:"controlled"`

	// Fields are what differed, in the order in which they did so first.
	Fields []Field `json:"fields,omitempty"`

	// Baseline and Target are latencies of the same requests. Nil: there are none.
	Baseline *Latency `json:"baseline_latency,omitempty"`
	Target   *Latency `json:"target_latency,omitempty"`

	// Pairs are the last that differed, the oldest first.
	Pairs []Pair `json:"pairs,omitempty"`
}

// Field is something in which answers differed.
type Field struct {
	// Name is "status", "answer" where the target had none, "header" and a name, "body", or the path of a value in JSON, in
	// which every place in an array is [*]. "(others)" are all beyond the first hundred.
	Name string `json:"name"`

	Different int64 `json:"different"` // requests in which the target's answer differed
	Noise     int64 `json:"noise"`     // requests in which the baseline's second answer did

	// Share is the share of requests in which the target's answer differs beyond the noise, and Above whether that can
	// hardly be chance.
	Share float64 `json:"share"`
	Above bool    `json:"above_noise"`
}

// Latency is the time to the first byte of the last thousand answers.
type Latency struct {
	P50 time.Duration `json:"p50_ns"`
	P95 time.Duration `json:"p95_ns"`
	P99 time.Duration `json:"p99_ns"`
}

// Pair is a request whose answers differed. Neither bodies nor cookies nor credentials are in it, and of the query only
// the names, unless the configuration asks for them.
type Pair struct {
	Time      time.Time     `json:"time"`
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	RequestID string        `json:"request_id,omitempty"`
	Baseline  time.Duration `json:"baseline_latency_ns,omitempty"`
	Target    time.Duration `json:"target_latency_ns,omitempty"`
	Fields    []Difference  `json:"fields"`
}

// Difference is how a field differed.
type Difference struct {
	Field    string `json:"field"`
	Baseline string `json:"baseline,omitempty"`
	Target   string `json:"target,omitempty"`
}

// Report returns what was learned.
func (l *Ledger) Report() Report {
	r := Report{Mirror: l.name, Counts: l.Counts.Tally()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.differences.report(&r)
	return r
}
