package goal

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"sync"
	"time"
)

const (
	// MaxGoals is how many goals a rollout may have.
	MaxGoals = 16

	// MaxVariants is how many variants a rollout with goals may have.
	MaxVariants = 64

	// capacity is how many clients a sample has room for. One takes some 40 bytes.
	capacity = 50_000
)

// Period is a time in which clients were divided in the same way. It is written as JSON.
type Period struct {
	// Division tells the period from others: what divides clients, and how.
	Division string `json:"division"`

	Begin    time.Time `json:"begin"`
	Variants []string  `json:"variants"` // the baseline first
	Weights  []float64 `json:"weights"`  // of the variants
	Goals    []string  `json:"goals"`
}

// Sample is which clients were seen in a period, and which goals they reached. All methods are safe for concurrent use.
type Sample struct {
	mu      sync.Mutex // guards what follows
	period  Period
	room    int    // how many clients are kept
	limit   uint64 // hashes above it are not kept
	clients map[uint64]client
	counts  Counts // of these clients
	changed bool   // since it was encoded, by what was seen here
}

// client is what is known of a client: the variant in the lower half, and a bit for each goal in the upper.
type client uint32

const (
	mixed     = 0xFFFF // the variant of who saw several
	goalShift = 16
)

// NewSample returns a sample of a period in which nobody was seen yet.
func NewSample(p Period) *Sample {
	counts := Counts{Clients: make([]int64, len(p.Variants))}
	for range p.Goals {
		counts.Reached = append(counts.Reached, make([]int64, len(p.Variants)))
	}
	return &Sample{period: p, room: capacity, limit: math.MaxUint64, clients: map[uint64]client{}, counts: counts}
}

// Period returns the period.
func (s *Sample) Period() Period {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.period
}

// Hash returns what a client is known by.
func Hash(salt, key string) uint64 {
	sum := sha256.Sum256([]byte(salt + "\x00goal\x00" + key))
	return binary.BigEndian.Uint64(sum[:8])
}

// See takes in that a client was shown a variant, and reached goals, of which there is a bit for each.
func (s *Sample) See(hash uint64, variant int, reached uint16) {
	s.mu.Lock()
	if hash <= s.limit && s.put(hash, client(variant)|client(reached)<<goalShift) {
		s.changed = true
	}
	s.mu.Unlock()
}

// put takes in what is known of a client, and reports whether that is news; mu is held.
func (s *Sample) put(hash uint64, c client) bool {
	known, met := s.clients[hash]
	next := c
	if met {
		next = known | c&^mixed
		if known&mixed != c&mixed {
			next |= mixed
		}
	}
	if met && next == known {
		return false
	}
	if met {
		s.count(known, -1)
	}
	s.clients[hash] = next
	s.count(next, 1)
	for len(s.clients) > s.room {
		s.halve()
	}
	return true
}

// count adds clients of whom the same is known; mu is held. Counting as they come keeps whoever asks for the counts from
// holding up requests until all clients are looked at.
func (s *Sample) count(c client, n int64) {
	variant := int(c & mixed)
	if variant >= len(s.counts.Clients) {
		s.counts.Mixed += n
		return
	}
	s.counts.Clients[variant] += n
	if c>>goalShift == 0 {
		return
	}
	for i := range s.counts.Reached {
		if c>>(goalShift+i)&1 != 0 {
			s.counts.Reached[i][variant] += n
		}
	}
}

// halve forgets the clients in the upper half of the range that is kept; mu is held.
func (s *Sample) halve() {
	s.limit /= 2
	for hash, c := range s.clients {
		if hash > s.limit {
			delete(s.clients, hash)
			s.count(c, -1)
		}
	}
}

// atOnce is how many clients are gone through before requests that wait may go on: interpreted, all of them take long.
const atOnce = 200

// Merge takes in what another gateway saw in the same period, which began when the first of them saw it. Nobody may use
// the other sample meanwhile.
func (s *Sample) Merge(other *Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other.period.Begin.Before(s.period.Begin) {
		s.period.Begin = other.period.Begin
	}
	for s.limit > other.limit {
		s.halve()
	}
	n := 0
	for hash, c := range other.clients {
		if hash <= s.limit {
			s.put(hash, c)
		}
		if n++; n%atOnce == 0 {
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
}

// Counts is what was counted in a period.
type Counts struct {
	Period Period `json:"period"`

	// Clients is how many clients were shown each variant, and no other, of those in the sample.
	Clients []int64 `json:"clients"`

	// Reached is how many of these reached each goal: by goal, then by variant.
	Reached [][]int64 `json:"reached"`

	// Mixed is how many clients were shown several variants, and are left out.
	Mixed int64 `json:"mixed"`

	// Sampled is the share of clients that are in the sample; 1 as long as there is room for all.
	Sampled float64 `json:"sampled"`
}

// Count returns what was counted so far.
func (s *Sample) Count() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := Counts{Period: s.period, Clients: append([]int64(nil), s.counts.Clients...), Mixed: s.counts.Mixed}
	counts.Sampled = float64(s.limit) / math.MaxUint64
	for _, reached := range s.counts.Reached {
		counts.Reached = append(counts.Reached, append([]int64(nil), reached...))
	}
	return counts
}
