package analysis

import "testing"

// blocksOf returns blocks with the hits given, of so many requests each.
func blocksOf(requests int64, hits ...int64) []tally {
	blocks := make([]tally, 0, len(hits))
	for _, k := range hits {
		blocks = append(blocks, tally{hits: k, requests: requests})
	}
	return blocks
}

func TestDispersion(t *testing.T) {
	cases := []struct {
		what   string
		blocks []tally
		low    float64
		high   float64
		known  bool
	}{
		{"no blocks", nil, 1, 1, false},
		{"too few", blocksOf(100, 0, 0, 10, 0, 0), 1, 1, false},
		{"too few with requests", append(blocksOf(100, 0, 0, 10, 0, 0), tally{}, tally{}), 1, 1, false},
		{"no hits", blocksOf(100, 0, 0, 0, 0, 0, 0), 1, 1, true},
		{"nothing but hits", blocksOf(9, 9, 9, 9, 9, 9, 9), 1, 1, true},
		{"one by one", blocksOf(1000, 1, 0, 2, 1, 1, 0, 1, 2), 1, 1, true},
		{"as even as never by chance", blocksOf(1000, 9, 9, 9, 9, 9, 9, 9), 1, 1, true},
		{"ten at once", blocksOf(1000, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0), 10, 25, true},
		{"tens", blocksOf(1000, 10, 0, 10, 0, 0, 0, 20, 0, 0, 10, 0, 0), 10, 25, true},
	}
	for _, c := range cases {
		if phi, known := dispersion(c.blocks); phi < c.low || phi > c.high || known != c.known {
			t.Errorf("%s: dispersion %v, known %v; want %v to %v, %v", c.what, phi, known, c.low, c.high, c.known)
		}
	}
}

func TestLastBlocksReachBackForThoseWithRequests(t *testing.T) {
	blocks := append(blocksOf(1, 0, 0, 0, 0, 0, 0, 0, 0), make([]tally, 5)...)
	for _, c := range []struct{ n, want int }{{1, 11}, {11, 11}, {12, 12}, {13, 13}, {60, 13}} {
		if got := len(lastBlocks(blocks, c.n)); got != c.want {
			t.Errorf("the last %d blocks are %d, want %d", c.n, got, c.want)
		}
	}
	if got := len(lastBlocks(nil, 6)); got != 0 {
		t.Errorf("the last blocks of none are %d", got)
	}
}
