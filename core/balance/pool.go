package balance

import "reflect"

// Pool holds the upstreams of a variant, with the subsets of them that requests can ask for. It does not change, but for
// whose turn it is: other upstreams are another pool. It may be used from many goroutines at once.
type Pool struct {
	whole *Set

	// What it was made from.
	upstreams []Upstream // those of the pool
	members   []int      // their positions
	keys      []string
}

// What keeps a pool affordable. One upstream is in 2^MaxKeys subsets at most.
const (
	MaxKeys      = 4
	MaxUpstreams = 16384
)

// NewPool returns the pool of some upstreams, by their positions among all; a pick is such a position too. keys are the
// metadata by which requests ask for a subset, in order, [MaxKeys] at most. Of more than [MaxUpstreams] members the rest
// is left out.
//
// A pool begins at a random turn: gateways that are restarted often, or together, would else send each time to whoever
// comes first, and never to a small weight. previous, which may be nil, is what was picked from until now. If that is the
// same pool it goes on as it is.
func NewPool(upstreams []Upstream, members []int, keys []string, previous *Pool) *Pool {
	if len(members) > MaxUpstreams {
		members = members[:MaxUpstreams]
	}
	p := &Pool{members: members, keys: keys}
	for _, i := range members {
		p.upstreams = append(p.upstreams, upstreams[i])
	}
	if previous != nil && reflect.DeepEqual(p.members, previous.members) && reflect.DeepEqual(p.keys, previous.keys) &&
		reflect.DeepEqual(p.upstreams, previous.upstreams) {
		return previous
	}
	p.whole = newSet(upstreams, members)
	divide(p.whole, upstreams, keys, 0)
	return p
}

// Whole returns the set of all members.
func (p *Pool) Whole() *Set { return p.whole }

// divide finds the subsets of a set by the keys from one on, and theirs.
func divide(s *Set, upstreams []Upstream, keys []string, from int) {
	s.subsets = make([]map[string]*Set, len(keys))
	for k := from; k < len(keys); k++ {
		s.subsets[k] = map[string]*Set{}
		for value, members := range byValue(upstreams, s.members, keys[k]) {
			if len(members) == len(s.members) {
				s.subsets[k][value] = s
				continue
			}
			subset := newSet(upstreams, members)
			divide(subset, upstreams, keys, k+1)
			s.subsets[k][value] = subset
		}
	}
}

func byValue(upstreams []Upstream, members []int, key string) map[string][]int {
	groups := map[string][]int{}
	for _, i := range members {
		if value := upstreams[i].Metadata[key]; value != "" {
			groups[value] = append(groups[value], i)
		}
	}
	return groups
}

// Narrow returns the subset of a set whose metadata have a value for the key of that index; nil if it has no member, or
// none with a weight. The keys of a pool are asked in order, each once or not at all. It is a function, as [Next] is.
func Narrow(s *Set, key int, value string) *Set {
	subset := s.subsets[key][value]
	if subset == nil || len(subset.order) == 0 {
		return nil
	}
	return subset
}
