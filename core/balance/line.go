package balance

import (
	"crypto/sha256"
	"fmt"
)

// Salt keeps the splits of one rollout or rule independent of all others.
type Salt struct {
	prefix string // the salt and the zero byte
}

// NewSalt returns the salt for a text.
func NewSalt(text string) *Salt { return &Salt{prefix: text + "\x00"} }

// Slot returns the place of a key on the line of a salt: 0 to Slots-1. Like [Owner] it is a function, because every
// request runs through it, and interpreted a method costs five times as much to call.
func Slot(s *Salt, key string) int {
	var room [192]byte // keeps common keys off the heap
	text := append(room[:0], s.prefix...)
	text = append(text, key...)
	sum := sha256.Sum256(text)
	return int(sum[0])<<8 | int(sum[1])
}

// Line says which variant owns which slots. Its zero value gives every slot to the first variant.
type Line struct {
	ranges []ownedRange // in order of slots; the last ends with Slots
}

// ownedRange ends the range of slots that variant owns.
type ownedRange struct {
	end     int // the first slot that is not in it
	variant int
}

// NewLine lays out weights in declared order. The first is the baseline, which owns what the others leave whatever its
// weight says; the second is the candidate. The weights of all but the first may be 100% together, no more.
//
// Ends are rounded cumulatively, so no range is more than one slot from its exact share and none overlap.
func NewLine(weights []Weight) (*Line, error) {
	if len(weights) < 2 {
		return &Line{}, nil
	}
	candidateEnd := weights[1].Slots()
	line := &Line{}
	line.add(candidateEnd, 1)

	// The further variants lie from the end of the line downwards: find where each begins, then add them upwards.
	begins := make([]int, len(weights)) // begins[1] stands for the end of the line
	begins[1] = Slots
	var sum Weight
	for i := 2; i < len(weights); i++ {
		sum += weights[i]
		begins[i] = Slots - sum.Slots()
		if begins[i] < candidateEnd {
			begins[i] = candidateEnd // both were rounded up
		}
	}
	if total := sum + weights[1]; total > Full {
		return nil, fmt.Errorf("the variants beside the baseline weigh %s together, and 100%% is all there is", total)
	}
	line.add(begins[len(weights)-1], 0)
	for i := len(weights) - 1; i >= 2; i-- {
		line.add(begins[i-1], i)
	}
	return line, nil
}

// add appends the range that ends before a slot, unless it is empty.
func (l *Line) add(end, variant int) {
	begin := 0
	if n := len(l.ranges); n > 0 {
		begin = l.ranges[n-1].end
	}
	if end > begin {
		l.ranges = append(l.ranges, ownedRange{end: end, variant: variant})
	}
}

// Owner returns the index of the variant that owns a slot of the line.
func Owner(l *Line, slot int) int {
	for i := 0; i < len(l.ranges); i++ {
		if slot < l.ranges[i].end {
			return l.ranges[i].variant
		}
	}
	return 0
}
