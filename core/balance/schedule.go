package balance

import "sort"

// MaxPeriod is the number of turns after which a schedule begins anew. Where the weights, divided by what they have in
// common, add up to more, shares are rounded to one turn of so many, and nobody with a weight gets less than one.
const MaxPeriod = 65536

// schedule returns the order in which weights take turns, by their positions. Over the whole of it, the period, each has
// exactly as many turns as it says, divided by the greatest common divisor of all. 0 has none.
//
// Equal weights form a group and take its turns in the order in which they are declared. The turns of a group that has
// n of them lie at (k+1/2)/n of the period, as far apart as can be, as Webster's method (also Sainte-Laguë's) hands out
// seats; where turns of two groups coincide, who was declared first comes first. So 1, 1, 1 gives a b c, 5, 1, 1 gives
// a b a a a c a, and 98, 1, 1 has b and c half a period apart.
//
// It costs the sorting of a period, which is compiled even where this is interpreted. nginx's smooth weighted round robin
// is about as smooth, but asks everyone for every turn.
func schedule(weights []int) []int {
	turns, period := shares(weights)
	groups := map[int][]int{}
	for i, n := range turns {
		if n > 0 {
			groups[n] = append(groups[n], i)
		}
	}
	// One number holds a turn: where it lies, in 2^-36 of the period, and above whose it is. No group has more than 2^17
	// turns, so two places that differ do so by 2^-35 or more. 52 bits fit into a float64, which sorts on every machine.
	packed := make([]float64, 0, period)
	for n, group := range groups {
		size := int64(n * len(group))
		for k := int64(0); k < size; k++ {
			packed = append(packed, float64(((2*k+1)<<36/(2*size))<<16|int64(group[k%int64(len(group))])))
		}
	}
	sort.Float64s(packed)
	order := make([]int, 0, period)
	for _, turn := range packed {
		order = append(order, int(int64(turn)&0xffff))
	}
	return order
}

// shares returns everyone's turns in a period, and their sum.
func shares(weights []int) ([]int, int) {
	divisor, sum := 0, 0
	for _, w := range weights {
		divisor = commonDivisor(divisor, w)
		sum += w
	}
	turns := make([]int, len(weights))
	period := 0
	for i, w := range weights {
		if w > 0 {
			turns[i] = share(w, sum, divisor)
			period += turns[i]
		}
	}
	return turns, period
}

func share(weight, sum, divisor int) int {
	if sum/divisor <= MaxPeriod {
		return weight / divisor
	}
	turns := int((int64(weight)*MaxPeriod + int64(sum)/2) / int64(sum))
	if turns == 0 {
		return 1
	}
	return turns
}

// commonDivisor is Euclid's. 0 is divided by everything.
func commonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
