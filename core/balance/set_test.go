package balance

import (
	"math/rand"
	"testing"
)

// weighed returns a set of upstreams with these weights.
func weighed(weights ...int) *Set {
	upstreams := make([]Upstream, len(weights))
	members := make([]int, len(weights))
	for i, w := range weights {
		upstreams[i].Weight = w
		members[i] = i
	}
	return NewPool(upstreams, members, nil, nil).Whole()
}

// fromStart puts a set to the beginning of its schedule.
func fromStart(s *Set) *Set {
	s.turn.Store(uint64(len(s.order)) - 1)
	s.draws.Store(0)
	return s
}

// picks returns n picks of those that are not down.
func picks(t *testing.T, s *Set, n int, down ...int) []int {
	t.Helper()
	list := make([]int, 0, n)
	for len(list) < n {
		i := s.Pick(without(down), nil)
		if i < 0 {
			t.Fatalf("%v with %v down: nobody after %q", s.weights, down, letters(list))
		}
		list = append(list, i)
	}
	return list
}

// without returns who is available if some are down.
func without(down []int) func(i int) bool {
	return func(i int) bool {
		for _, d := range down {
			if d == i {
				return false
			}
		}
		return true
	}
}

func TestPickSequences(t *testing.T) {
	for _, test := range []struct {
		name    string
		weights []int
		down    []int
		want    string
	}{
		{"one", []int{1}, nil, "aaaa"},
		{"equals", []int{3, 3, 3}, nil, "abcabc"},
		{"weights", []int{5, 1, 1}, nil, "abaaacaabaaaca"},
		{"one drained", []int{1, 0, 1}, nil, "acac"},
		{"one of the equals down", []int{1, 1, 1, 1}, []int{1}, "acdacd"},
		{"a light one down", []int{5, 1, 1}, []int{1}, "aaaacaaaaaca"},
		{"a heavy one down", []int{5, 1, 1}, []int{0}, "bcbcbc"},
		{"the drained one down", []int{1, 0, 1}, []int{1}, "acac"},
		{"one left of many", []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11}, "jjjjj"},
		{"somebody down who does not exist", []int{2, 1}, []int{7}, "abaaba"},
	} {
		s := fromStart(weighed(test.weights...))
		if got := letters(picks(t, s, len(test.want), test.down...)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestNobody: whoever asks learns that there is nobody, and does so at once.
func TestNobody(t *testing.T) {
	for _, test := range []struct {
		name    string
		weights []int
		down    []int
		tried   []int
	}{
		{"no members", nil, nil, nil},
		{"all drained", []int{0, 0}, nil, nil},
		{"one, and down", []int{1}, []int{0}, nil},
		{"one, and tried", []int{1}, nil, []int{0}},
		{"all down", []int{98, 1, 1}, []int{2, 1, 0}, nil},
		{"all tried", []int{98, 1, 1}, nil, []int{0, 2, 1}},
		{"down or tried", []int{98, 1, 1}, []int{1}, []int{0, 2}},
		{"down or drained", []int{98, 0, 1}, []int{0, 2}, nil},
	} {
		asked := 0
		up := without(test.down)
		s := weighed(test.weights...)
		i := s.Pick(func(i int) bool { asked++; return up(i) }, test.tried)
		if i != -1 {
			t.Errorf("%s: %c", test.name, 'a'+i)
		}
		if most := patience(s) + len(test.weights); asked > most {
			t.Errorf("%s: asked %d times, %d would do", test.name, asked, most)
		}
	}
}

// TestRetries: each next try goes to somebody else, until there is nobody.
func TestRetries(t *testing.T) {
	s := fromStart(weighed(98, 1, 0, 1))
	var tried []int
	for len(tried) < 3 {
		i := s.Pick(nil, tried)
		if i < 0 || i == 2 {
			t.Fatalf("after %q: %d", letters(tried), i)
		}
		for _, before := range tried {
			if before == i {
				t.Fatalf("%q, and again %c", letters(tried), 'a'+i)
			}
		}
		tried = append(tried, i)
	}
	if i := s.Pick(nil, tried); i != -1 {
		t.Errorf("after everyone was tried: %c", 'a'+i)
	}
}

// TestShareOfTheDead: a dead member's share is divided by the weights of the rest.
func TestShareOfTheDead(t *testing.T) {
	s := weighed(98, 1, 1)
	checkNear(t, []int{0, 1, 1}, picks(t, s, 1000, 0))
	checkFair(t, []int{98, 1, 1}, picks(t, s, 1000), 3) // and is its own again when it is back
	checkFair(t, []int{98, 0, 1}, picks(t, s, 990, 1), 3)
	checkNear(t, []int{0, 0, 1}, picks(t, s, 100, 0, 1))
	checkFair(t, []int{98, 1, 1}, picks(t, s, 1000), 3)
}

// checkNear checks that everyone got the share of its weight, give or take five picks, and nobody without a weight any.
func checkNear(t *testing.T, weights, picks []int) {
	t.Helper()
	sum := 0
	for _, w := range weights {
		sum += w
	}
	counts := make([]int, len(weights))
	for _, i := range picks {
		counts[i]++
	}
	for i, w := range weights {
		if off := float64(counts[i]) - float64(len(picks)*w)/float64(sum); off > 5 || off < -5 || w == 0 && counts[i] > 0 {
			t.Fatalf("%v: %v of %d picks", weights, counts, len(picks))
		}
	}
}

// TestRandomPools holds picks from pools, of which some are down, to the share that weights give each of the rest.
func TestRandomPools(t *testing.T) {
	const seed = 17
	random := rand.New(rand.NewSource(seed))
	for round := 0; round < 20; round++ {
		weights := upstreamWeights(random, 8, []int{1, 10, 200}[round%3])
		var down []int
		left := make([]int, len(weights))
		sum := 0
		for i, w := range weights {
			if random.Intn(3) == 0 {
				down = append(down, i)
				continue
			}
			left[i] = w
			sum += w
		}
		s := weighed(weights...)
		if sum == 0 {
			if i := s.Pick(without(down), nil); i != -1 {
				t.Fatalf("seed %d, %v with %v down: %c", seed, weights, down, 'a'+i)
			}
			continue
		}
		checkNear(t, left, picks(t, s, 200, down...))
	}
}

// TestFlapping: members come and go between any two picks, and nobody is picked who is not there.
func TestFlapping(t *testing.T) {
	const seed = 23
	random := rand.New(rand.NewSource(seed))
	weights := []int{50, 20, 20, 5, 0, 1, 1, 1, 1, 1, 1, 1, 1}
	s := weighed(weights...)
	down := make([]bool, len(weights))
	for n := 0; n < 1000; n++ {
		flapped := random.Intn(len(weights))
		down[flapped] = !down[flapped]
		left := 0
		for i, w := range weights {
			if !down[i] {
				left += w
			}
		}
		i := s.Pick(func(i int) bool { return !down[i] }, nil)
		if (i < 0) != (left == 0) || i >= 0 && (down[i] || weights[i] == 0) {
			t.Fatalf("seed %d, pick %d: %d with %v down", seed, n, i, down)
		}
	}
}

// TestFirstPicks: pools that are made again and again, as by frequent reloads, send their first requests to everyone.
func TestFirstPicks(t *testing.T) {
	counts := make([]int, 3)
	for n := 0; n < 2000; n++ {
		counts[weighed(8, 1, 1).Pick(nil, nil)]++
	}
	// Binomial, n = 2000, p = 1/10: 200, standard deviation 13.4. 100 is seven of them away.
	if counts[1] < 100 || counts[2] < 100 || counts[1] > 300 || counts[2] > 300 {
		t.Errorf("first picks of 2000 pools with weights 8, 1, 1: %v", counts)
	}
}
