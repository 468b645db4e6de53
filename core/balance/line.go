package balance

import (
	"crypto/sha256"
	"fmt"
	"strings"
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
	sum := sha256.Sum256(append(append(room[:0], s.prefix...), key...))
	return int(sum[0])<<8 | int(sum[1])
}

// Line says which variant owns which slots.
type Line struct {
	Owners string // the index of the owner of every slot, a byte each; empty only in the zero Line, which is the first variant's
}

// MaxVariants is how many variants a line can tell apart.
const MaxVariants = 256

// inTwo is a line that is all the candidate's, and one that is all the baseline's: every line of two variants is a part of
// it, and takes no memory of its own.
var inTwo = strings.Repeat("\x01", Slots) + strings.Repeat("\x00", Slots)

// NewLine lays out weights in declared order. The first is the baseline, which owns what the others leave whatever its
// weight says; the second is the candidate. The weights of all but the first may be 100% together, no more.
//
// Ends are rounded cumulatively, so no range is more than one slot from its exact share and none overlap.
func NewLine(weights []Weight) (*Line, error) {
	if len(weights) > MaxVariants {
		return nil, fmt.Errorf("%d variants are too many: %d at most", len(weights), MaxVariants)
	}
	var sum Weight
	for i := 1; i < len(weights); i++ {
		sum += weights[i]
	}
	if sum > Full {
		return nil, fmt.Errorf("the variants beside the baseline weigh %s together, and 100%% is all there is", sum.String())
	}
	candidateEnd := 0
	if len(weights) > 1 {
		candidateEnd = weights[1].Slots()
	}
	if len(weights) <= 2 {
		return &Line{Owners: inTwo[Slots-candidateEnd : 2*Slots-candidateEnd]}, nil
	}
	return &Line{Owners: manyOwners(weights, candidateEnd)}, nil
}

// manyOwners lays out three variants and more.
func manyOwners(weights []Weight, candidateEnd int) string {
	var owners strings.Builder
	owners.Grow(Slots)
	extend(&owners, candidateEnd, 1)

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
	extend(&owners, begins[len(weights)-1], 0)
	for i := len(weights) - 1; i >= 2; i-- {
		extend(&owners, begins[i-1], i)
	}
	return owners.String()
}

// extend gives the slots up to end that have no owner yet to a variant.
func extend(owners *strings.Builder, end, variant int) {
	if n := end - owners.Len(); n > 0 {
		owners.WriteString(strings.Repeat(string([]byte{byte(variant)}), n))
	}
}

// Owner returns the index of the variant that owns a slot of the line.
func Owner(l *Line, slot int) int {
	if l.Owners == "" {
		return 0
	}
	return int(l.Owners[slot])
}

// Place returns the index of the variant that owns a key's slot: Slot and Owner in one.
func Place(l *Line, s *Salt, key string) int {
	if l.Owners == "" {
		return 0
	}
	var room [192]byte
	sum := sha256.Sum256(append(append(room[:0], s.prefix...), key...))
	return int(l.Owners[int(sum[0])<<8|int(sum[1])])
}
