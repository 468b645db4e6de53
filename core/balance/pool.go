package balance

import (
	"math/rand/v2"
	"sync/atomic"
)

// Pool holds the upstreams of a variant, with the subsets of them that requests can ask for. It does not change, but for
// whose turn it is: other upstreams are another pool. It may be used from many goroutines at once.
type Pool struct {
	whole *Set
}

// Limits that keep a pool affordable. An upstream is in up to 2^MaxKeys subsets.
const (
	MaxKeys      = 4
	MaxUpstreams = 65536
)

// NewPool returns the pool of some of the upstreams, by their position among all; picks are such positions too. keys are
// those of the metadata that narrow, MaxKeys at most, and members MaxUpstreams at most.
func NewPool(upstreams []Upstream, members []int, keys []string) *Pool {
	return &Pool{whole: newSet(upstreams, members, keys, 0)}
}

// Whole returns the set of all members.
func (p *Pool) Whole() *Set { return p.whole }

// Set is a pool or a subset of one.
type Set struct {
	members  []int // positions among all upstreams
	weights  []int // of the members
	sum      int   // of the weights
	schedule []int // positions among all upstreams, in the order of their turns
	turn     atomic.Uint64
	drawn    atomic.Uint64
	narrower []map[string]*Set // for every key the subsets by value; nil for keys that were asked already
}

func newSet(upstreams []Upstream, members []int, keys []string, asked int) *Set {
	s := &Set{members: members, narrower: make([]map[string]*Set, len(keys))}
	for _, i := range members {
		s.weights = append(s.weights, upstreams[i].Weight)
		s.sum += upstreams[i].Weight
	}
	s.schedule = schedule(s.weights)
	for i, position := range s.schedule {
		s.schedule[i] = members[position]
	}
	if len(s.schedule) > 0 {
		s.turn.Store(uint64(rand.Uint32()) % uint64(len(s.schedule)))
	}
	s.drawn.Store(uint64(rand.Uint32()))
	for k := asked; k < len(keys); k++ {
		groups := map[string][]int{}
		for _, i := range members {
			if value := upstreams[i].Metadata[keys[k]]; value != "" {
				groups[value] = append(groups[value], i)
			}
		}
		s.narrower[k] = map[string]*Set{}
		for value, group := range groups {
			s.narrower[k][value] = newSet(upstreams, group, keys, k+1)
		}
	}
	return s
}

// Narrow returns the members whose metadata has that value for the key of that index; nil if there are none, or all of
// them are drained. Keys must be asked in the order in which they are declared, each once at most.
func (s *Set) Narrow(key int, value string) *Set {
	inner := s.narrower[key][value]
	if inner == nil || inner.sum == 0 {
		return nil
	}
	return inner
}

// Drained reports whether no member has a weight, so that none ever gets a request.
func (s *Set) Drained() bool { return s.sum == 0 }

// Next returns the upstream whose turn it is, available or not; -1 if the set is drained. See [Set.Pick]. It is a
// function because every request runs through it.
func Next(s *Set) int {
	if s.sum == 0 {
		return -1
	}
	return s.schedule[s.turn.Add(1)%uint64(len(s.schedule))]
}

// patience is how many turns of upstreams that are not available a pick lets pass before it looks at all members.
const patience = 8

// Pick returns an upstream that has weight, is available and was not tried yet; -1 if there is none. A nil available
// means all are.
//
// An upstream that is not available misses its turn, so that the others keep the proportions of their weights, and
// comes back at once when it is available again. Where that takes too long, as with weights of 98, 1 and 1 and the heavy
// one down, one of those that are available is drawn by their weights: at the golden ratio's multiples, which spread more
// evenly than random numbers (Kronecker's sequence).
func (s *Set) Pick(available func(i int) bool, tried []int) int {
	for n := 0; n < patience; n++ {
		i := Next(s)
		if i < 0 || eligible(i, available, tried) {
			return i
		}
	}
	return s.draw(available, tried)
}

func eligible(i int, available func(i int) bool, tried []int) bool {
	for _, t := range tried {
		if t == i {
			return false
		}
	}
	return available == nil || available(i)
}

func (s *Set) draw(available func(i int) bool, tried []int) int {
	var up []int // positions in s.members
	sum := 0
	for m, i := range s.members {
		if s.weights[m] > 0 && eligible(i, available, tried) {
			up = append(up, m)
			sum += s.weights[m]
		}
	}
	// 2^32 divided by the golden ratio, an odd number: in 2^32 draws each point comes once.
	point := uint64(uint32(s.drawn.Add(1))*2654435769) * uint64(sum) >> 32
	for _, m := range up {
		if point < uint64(s.weights[m]) {
			return s.members[m]
		}
		point -= uint64(s.weights[m])
	}
	return -1
}
