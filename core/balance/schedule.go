package balance

import "sort"

// MaxPeriod is the number of turns after which a schedule begins anew, at most. Where the weights, divided by what they
// have in common, add up to more, shares are rounded to one turn of so many, and no upstream gets less than one.
const MaxPeriod = 65536

// schedule returns the order in which upstreams take turns, by their position among weights. Over the whole of it
// everyone has exactly as many turns as its weight says, divided by the weights' greatest common divisor. 0 has none.
//
// Upstreams of one weight form a group and take the group's turns in the order in which they are declared; the turns of
// a group of n lie at (k+1/2)/n of the whole, as far apart as can be. (That is how Webster's method, also Sainte-Laguë's,
// hands out seats.) Where two groups' turns fall together, the upstream declared first comes first. So 1, 1, 1 gives a b c;
// 5, 1, 1 gives a b a a a c a.
func schedule(weights []int) []int {
	turns := shares(weights)
	total := 0
	groups := map[int][]int{} // by the number of turns of each member
	for i, n := range turns {
		if n > 0 {
			groups[n] = append(groups[n], i)
			total += n
		}
	}
	// One integer holds a turn: where it lies, as a fraction of 2^40, and above which position. Two places that differ
	// are at least 1/(4*2^17*2^17) apart, so that fraction tells them apart.
	packed := make([]int, 0, total)
	for n, members := range groups {
		size := n * len(members)
		for k := 0; k < size; k++ {
			packed = append(packed, ((2*k+1)<<40/(2*size))<<16|members[k%len(members)])
		}
	}
	sort.Ints(packed)
	for i, p := range packed {
		packed[i] = p & 0xffff
	}
	return packed
}

// shares returns the number of turns in one period.
func shares(weights []int) []int {
	divisor, sum := 0, 0
	for _, w := range weights {
		sum += w
		for a := w; a != 0; {
			rest := divisor % a
			divisor = a
			a = rest
		}
	}
	turns := make([]int, len(weights))
	if sum == 0 {
		return turns
	}
	whole := sum / divisor
	for i, w := range weights {
		turns[i] = w / divisor
		if whole > MaxPeriod && w > 0 {
			turns[i] = (w*MaxPeriod + sum/2) / sum
			if turns[i] == 0 {
				turns[i] = 1
			}
		}
	}
	return turns
}
