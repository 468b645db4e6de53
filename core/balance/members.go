package balance

// Members returns the positions of the set's members among all upstreams.
func (s *Set) Members() []int { return append([]int(nil), s.members...) }

// Weights returns the weights of the members, in the same order.
func (s *Set) Weights() []int { return append([]int(nil), s.weights...) }
