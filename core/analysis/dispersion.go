package analysis

import "math"

// tally is how many of some requests had a property: they failed, or took longer than a limit.
type tally struct{ hits, requests int64 }

func sum(blocks []tally) tally {
	var total tally
	for _, b := range blocks {
		total.hits += b.hits
		total.requests += b.requests
	}
	return total
}

// fewestBlocks is how many blocks with requests have to be there to say how much they differ.
const fewestBlocks = 6

// busy returns how many blocks have requests.
func busy(blocks []tally) int {
	n := 0
	for _, b := range blocks {
		if b.requests > 0 {
			n++
		}
	}
	return n
}

// isTelling reports whether the last blocks, as many as it takes, tell a dispersion.
func isTelling(blocks []tally) bool { return busy(blocks) >= fewestBlocks }

// dispersion returns by how many hits come at a time, on average, in blocks of time that follow each other, and whether
// there is enough to say. Requests do not fail one by one: what breaks hits several, and whoever sees an error tries again.
// A test that takes each hit for a witness of its own is far too sure.
//
// It is the design effect of J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary data"
// (Biometrics 48, 1992, 577-585): by how much the hits of the blocks vary more than those of independent requests. Hits and
// requests divided by it are worth as much as independent ones. It is an estimate, whose standard error in parts of itself is
// the square root of 2/(m-1) for m blocks of many hits each, and of 1/hits for few. Less than two of these above 1 is as good
// as 1; else two are added, because too little would be dangerous.
func dispersion(blocks []tally) (phi float64, known bool) {
	m := float64(busy(blocks))
	if m < fewestBlocks {
		return 1, false
	}
	all := sum(blocks)
	if all.hits == 0 || all.hits >= all.requests {
		return 1, true
	}
	hits, requests := float64(all.hits), float64(all.requests)
	p := hits / requests
	squares := 0.0
	for _, b := range blocks {
		off := float64(b.hits) - float64(b.requests)*p
		squares += off * off
	}
	effect := squares * m / (m - 1) / (requests * p * (1 - p))
	deviation := math.Sqrt(2/(m-1) + 1/hits)
	if effect < 1+2*deviation {
		return 1, true
	}
	return effect * (1 + 2*deviation), true
}

// lastBlocks returns the last n blocks, or more if these have too few with requests to tell their dispersion.
func lastBlocks(blocks []tally, n int) []tally {
	first, telling := len(blocks), 0
	for first > 0 && (len(blocks)-first < n || telling < fewestBlocks) {
		first--
		if blocks[first].requests > 0 {
			telling++
		}
	}
	return blocks[first:]
}
