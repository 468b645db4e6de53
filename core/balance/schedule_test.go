package balance

import (
	"math/rand"
	"testing"
)

// letters writes an order as letters: a for 0.
func letters(order []int) string {
	text := make([]byte, 0, len(order))
	for _, i := range order {
		text = append(text, byte('a'+i))
	}
	return string(text)
}

func TestScheduleSequences(t *testing.T) {
	for _, test := range []struct {
		weights []int
		want    string
	}{
		{nil, ""},
		{[]int{0}, ""},
		{[]int{0, 0}, ""},
		{[]int{1}, "a"},
		{[]int{MaxWeight}, "a"},
		{[]int{1, 1, 1}, "abc"},
		{[]int{7, 7, 7}, "abc"},
		{[]int{1, 0, 1}, "ac"},
		{[]int{5, 1, 1}, "abaaaca"},
		{[]int{1, 5, 1}, "babbbcb"},
		{[]int{2, 1}, "aba"},
		{[]int{1, 2}, "bab"},
		{[]int{3, 2, 1}, "abacba"},
		{[]int{4, 2}, "aba"},
		{[]int{9, 1}, "aaaaabaaaa"},
		{[]int{1, 9}, "bbbbabbbbb"},
		{[]int{4, 3, 2, 1}, "abcabdacba"},
		{[]int{2, 2, 1, 1}, "acbadb"},
	} {
		if got := letters(schedule(test.weights)); got != test.want {
			t.Errorf("%v take turns as %q, want %q", test.weights, got, test.want)
		}
	}
}

// obviousSchedule finds one turn after the other: whose lies first, compared as fractions.
func obviousSchedule(weights []int) []int {
	turns, period := shares(weights)
	type place struct{ k, of, position int } // at (2k+1)/(2 of)
	var order []int
	var places []place
	for i, n := range turns {
		peers, before := 0, 0
		for j, m := range turns {
			if m != n || n == 0 {
				continue
			}
			peers++
			if j < i {
				before++
			}
		}
		for k := 0; k < n; k++ {
			places = append(places, place{before + k*peers, n * peers, i})
		}
	}
	for len(order) < period {
		first := -1
		for n, p := range places {
			if p.of == 0 {
				continue // had its turn
			}
			if first < 0 {
				first = n
				continue
			}
			f := places[first]
			a, b := (2*p.k+1)*f.of, (2*f.k+1)*p.of
			if a < b || a == b && p.position < f.position {
				first = n
			}
		}
		order = append(order, places[first].position)
		places[first].of = 0
	}
	return order
}

func upstreamWeights(random *rand.Rand, most, heaviest int) []int {
	weights := make([]int, 1+random.Intn(most))
	for i := range weights {
		if random.Intn(5) > 0 {
			weights[i] = random.Intn(1 + heaviest)
		}
	}
	return weights
}

// TestScheduleIsTheObviousOne also holds every prefix of it to be fair: nobody is three turns ahead or behind.
func TestScheduleIsTheObviousOne(t *testing.T) {
	const seed = 4
	random := rand.New(rand.NewSource(seed))
	for round := 0; round < 30; round++ {
		weights := upstreamWeights(random, 6, 6)
		order := schedule(weights)
		if got, want := letters(order), letters(obviousSchedule(weights)); got != want {
			t.Fatalf("seed %d: %v take turns as %q, want %q", seed, weights, got, want)
		}
		checkFair(t, weights, order, 3)
	}
}

// checkFair checks that over the whole of picks everyone got exactly the share of its weight, and at no time was as many
// as slack picks away from it.
func checkFair(t *testing.T, weights, picks []int, slack float64) {
	t.Helper()
	sum := 0
	for _, w := range weights {
		sum += w
	}
	counts := make([]int, len(weights))
	for n, i := range picks {
		counts[i]++
		off := float64(counts[i]) - float64(n+1)*float64(weights[i])/float64(sum)
		if off >= slack || off <= -slack {
			t.Fatalf("%v: after %d picks %c has %d", weights, n+1, 'a'+i, counts[i])
		}
	}
	for i, w := range weights {
		if counts[i]*sum != len(picks)*w {
			t.Fatalf("%v: %c has %d of %d picks", weights, 'a'+i, counts[i], len(picks))
		}
	}
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		weights []int
		turns   []int
	}{
		{[]int{98, 1, 1}, []int{98, 1, 1}},
		{[]int{100, 50, 0, 25}, []int{4, 2, 0, 1}},
		{[]int{MaxWeight, 1}, []int{MaxWeight, 1}},                     // the longest period that is exact
		{[]int{MaxWeight, 2}, []int{MaxWeight - 1, 2}},                 // one turn too many
		{[]int{MaxWeight, 0, 1, MaxWeight}, []int{32768, 0, 1, 32768}}, // nobody with a weight gets nothing
		{[]int{MaxWeight, MaxWeight}, []int{1, 1}},
	} {
		turns, period := shares(test.weights)
		sum := 0
		for i := range turns {
			sum += turns[i]
			if turns[i] != test.turns[i] {
				t.Errorf("%v get %v turns, want %v", test.weights, turns, test.turns)
				break
			}
		}
		if period != sum {
			t.Errorf("%v: a period of %d for %d turns", test.weights, period, sum)
		}
	}
}
