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

// dispersion returns by how many hits come at a time, on average, in blocks of time that follow each other, and whether
// there is enough to say. Requests do not fail one by one: what breaks hits several, and whoever sees an error tries again.
// A test that takes each hit for a witness of its own is far too sure.
//
// It is the design effect of J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary data"
// (Biometrics 48, 1992, 577-585): by how much the hits of the blocks vary more than those of independent requests. Hits and
// requests divided by it are worth as much as independent ones. It is an estimate, and too low is dangerous, so its standard
// error is added: relative to it the square root of 2/(m-1) for m blocks of many hits each, and of 1/hits for few.
//
// It is never less than 1.
func dispersion(blocks []tally) (phi float64, known bool) {
	m := 0.0
	for _, b := range blocks {
		if b.requests > 0 {
			m++
		}
	}
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
	phi = effect * (1 + math.Sqrt(2/(m-1)+1/hits))
	if phi < 1 {
		return 1, true
	}
	return phi, true
}

// lastBlocks returns the last n blocks, or more if these have too few with requests to tell their dispersion.
func lastBlocks(blocks []tally, n int) []tally {
	first, busy := len(blocks), 0
	for first > 0 && (len(blocks)-first < n || busy < fewestBlocks) {
		first--
		if blocks[first].requests > 0 {
			busy++
		}
	}
	return blocks[first:]
}
