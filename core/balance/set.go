package balance

import (
	"math/rand/v2"
	"sync/atomic"
)

// Set is a pool, or a subset of one, whose members take turns.
type Set struct {
	members []int // positions among all upstreams
	weights []int // of the members
	order   []int // the members as they take turns, over a whole period; empty if none has a weight
	period  uint64
	turn    atomic.Uint64
	draws   atomic.Uint64
	subsets []map[string]*Set // for every key by value; nil for keys that were asked on the way to this set
}

func newSet(upstreams []Upstream, members []int) *Set {
	s := &Set{members: members, weights: make([]int, len(members))}
	for m, i := range members {
		s.weights[m] = upstreams[i].Weight
	}
	s.order = schedule(s.weights)
	for n, m := range s.order {
		s.order[n] = members[m]
	}
	s.period = uint64(len(s.order))
	if s.period > 0 {
		s.turn.Store(uint64(rand.Uint32()) % s.period)
	}
	s.draws.Store(uint64(rand.Uint32()))
	return s
}

// Empty reports whether the set has no members.
func (s *Set) Empty() bool { return len(s.members) == 0 }

// Drained reports whether no member has a weight, so that none ever gets a request.
func (s *Set) Drained() bool { return len(s.order) == 0 }

// Next returns the member of a set that is not drained whose turn it is, available or not. It is a function, and not a
// method, because every request runs through it, and interpreted a method costs five times as much to call.
func Next(s *Set) int { return s.order[s.turn.Add(1)%s.period] }

// patience returns how many turns of members that are not available a pick lets pass before it looks at all of them. In
// a large set it can wait longer, for looking costs more: with a quarter, nine of ten may be down before it has to.
func patience(s *Set) int { return 8 + len(s.members)/4 }

// Pick returns a member that has a weight, is available and was not tried yet; -1 if there is none. available reports
// whether a member can get a request now; nil means that all can. It is asked for the one whose turn it is and, if that
// cannot, for those that follow.
//
// A member that is not available misses its turn, and that is all: the others keep the order and the proportions of
// their turns, so the share of a dead one is divided by the weights of the rest, nothing is computed anew however often
// upstreams come and go, and whoever is back takes part at once. Where that finds nobody in time, as with weights of 98,
// 1 and 1 and the heavy one down, one of those that are available is drawn.
func (s *Set) Pick(available func(i int) bool, tried []int) int {
	if len(s.order) == 0 {
		return -1
	}
	for left := patience(s); left > 0; left-- {
		if i := Next(s); eligible(i, available, tried) {
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

// draw draws among all that can be picked, by weight. It draws the multiples of the golden ratio, modulo 1: of all such
// sequences they fill the line most evenly, whatever it is divided into (Kronecker, Weyl; Knuth, The Art of Computer
// Programming 3, 6.4). So each gets its share within a few requests however many there are.
func (s *Set) draw(available func(i int) bool, tried []int) int {
	ends := make([]uint64, len(s.members)) // of the members' parts of a line, one after the other
	sum := uint64(0)
	for m, i := range s.members {
		if s.weights[m] > 0 && eligible(i, available, tried) {
			sum += uint64(s.weights[m])
		}
		ends[m] = sum
	}
	// 2654435769 is 2^32 divided by the golden ratio, and odd: 2^32 draws draw every point once.
	point := uint64(uint32(s.draws.Add(1))*2654435769) * sum >> 32
	for m, end := range ends {
		if point < end {
			return s.members[m]
		}
	}
	return -1
}
