package balance

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
)

// slowOwners finds all slots' owners as the description in words says it: lay out the exact shares, variant by variant.
func slowOwners(weights []Weight) []int {
	owners := make([]int, Slots)
	taken, end := Weight(0), Slots
	for i := 2; i < len(weights); i++ {
		taken += weights[i]
		begin := Slots - taken.Slots()
		for slot := begin; slot < end; slot++ {
			owners[slot] = i
		}
		end = begin
	}
	if len(weights) > 1 {
		candidate := weights[1].Slots()
		for slot := 0; slot < candidate; slot++ {
			owners[slot] = 1
		}
	}
	return owners
}

// owners asks for the owner of every slot, once: interpreted, that is dear.
func owners(l *Line) []int {
	list := make([]int, Slots)
	for slot := range list {
		list[slot] = Owner(l, slot)
	}
	return list
}

// randomWeights returns weights for n variants whose sum is at most 100%.
func randomWeights(random *rand.Rand, n int) []Weight {
	list := make([]Weight, n)
	left := Full
	for i := 1; i < n; i++ {
		switch random.Intn(5) {
		case 0:
			list[i] = 0
		case 1:
			list[i] = left
		default:
			list[i] = Weight(random.Int63n(int64(left) + 1))
		}
		left -= list[i]
	}
	return list
}

// TestLineAgreesWithItsSlowTwin looks at every slot for some layouts with two to five variants.
func TestLineAgreesWithItsSlowTwin(t *testing.T) {
	const seed = 11
	random := rand.New(rand.NewSource(seed))
	for n := 1; n <= 5; n++ {
		for layout := 0; layout < 3; layout++ {
			list := randomWeights(random, n)
			wants := slowOwners(list)
			owned := make([]int, n)
			for slot, got := range owners(line(t, list)) {
				if got != wants[slot] {
					t.Fatalf("seed %d, %v: slot %d belongs to %d, want %d", seed, list, slot, got, wants[slot])
				}
				owned[got]++
			}
			for i := 1; i < n; i++ {
				exact := float64(list[i]) * Slots / float64(Full)
				if diff := float64(owned[i]) - exact; diff < -1 || diff > 1 {
					t.Errorf("%v: variant %d owns %d slots, more than one from its share %.3f", list, i, owned[i], exact)
				}
			}
		}
	}
}

// TestStepMovesExactlyTheDifference: raising the candidate takes slots from the baseline only and gives none back.
func TestStepMovesExactlyTheDifference(t *testing.T) {
	for _, others := range [][]Weight{nil, {10_000_000}, {333_333, 20_000_000, 1_000_000}} {
		steps := []Weight{0, 2_000, 1_000_000, 10_000_000, 12_345_678, 50_000_000, 68_000_000}
		previous := owners(line(t, append([]Weight{0, 0}, others...)))
		for i, step := range steps[1:] {
			next := owners(line(t, append([]Weight{0, step}, others...)))
			moved := 0
			for slot, before := range previous {
				after := next[slot]
				if before == after {
					continue
				}
				moved++
				if before != 0 || after != 1 {
					t.Fatalf("%v to %v beside %v: slot %d moves from variant %d to %d", steps[i], step, others, slot, before, after)
				}
			}
			if want := step.Slots() - steps[i].Slots(); moved != want {
				t.Errorf("%v to %v beside %v moves %d slots, want %d", steps[i], step, others, moved, want)
			}
			previous = next
		}
	}
}

// TestRaisingAnArmTakesNobodyFromIt: whichever variant grows against the baseline keeps every client that it has.
func TestRaisingAnArmTakesNobodyFromIt(t *testing.T) {
	base := []Weight{0, 10_000_000, 7_000_000, 5_500_000, 3_333_333}
	before := owners(line(t, base))
	for grown := 1; grown < len(base); grown++ {
		more := append([]Weight(nil), base...)
		more[grown] += 11_111_111
		after := owners(line(t, more))
		for slot, owner := range before {
			if owner == grown && after[slot] != grown && grown == len(base)-1 {
				t.Fatalf("raising the last variant takes slot %d from it", slot)
			}
			if owner < grown && owner != 0 && after[slot] != owner {
				t.Fatalf("raising variant %d moves slot %d of variant %d, which is declared before it", grown, slot, owner)
			}
		}
	}
}

// TestKeysFollowTheirShares: 100,000 keys over two to five variants, within bounds that a right implementation leaves
// once in a million runs (five standard deviations; keys are fixed, so the result is too).
func TestKeysFollowTheirShares(t *testing.T) {
	const keys = 100_000
	salt := NewSalt("checkout")
	slots := make([]int, keys)
	for i := range slots {
		slots[i] = Slot(salt, fmt.Sprintf("user-%d", i))
	}
	for _, list := range [][]Weight{
		{0, 5_000_000}, {0, 50_000_000}, {0, 250_000}, {0, 10_000_000, 20_000_000},
		{0, 25_000_000, 25_000_000, 25_000_000}, {0, 1_000_000, 2_000_000, 3_000_000, 4_000_000},
	} {
		l := line(t, list)
		counts := make([]int, len(list))
		for _, slot := range slots {
			counts[Owner(l, slot)]++
		}
		for i := 1; i < len(list); i++ {
			p := float64(list[i]) / float64(Full)
			diff := float64(counts[i]) - keys*p
			if diff*diff > 25*keys*p*(1-p) {
				t.Errorf("%v: variant %d has %d of %d keys", list, i, counts[i], keys)
			}
		}
	}
}

// TestSaltsAreIndependent: who is in one rollout's half says nothing about another's, nor about a rule's.
func TestSaltsAreIndependent(t *testing.T) {
	const keys = 40_000
	a, b := NewSalt("checkout"), NewSalt("checkout/eu")
	both := 0
	for i := 0; i < keys; i++ {
		key := fmt.Sprintf("user-%d", i)
		if Slot(a, key) < Slots/2 && Slot(b, key) < Slots/2 {
			both++
		}
	}
	if diff := float64(both) - keys/4; diff*diff > 25*keys*0.25*0.75 {
		t.Errorf("%d of %d keys are in the first half of both salts, want about a quarter", both, keys)
	}
}

func TestWeightErrors(t *testing.T) {
	for _, text := range []string{"", "%", "-1", "+1", ".5", "5.", "1e1", "1,5", "5%%", " 5", "0.2500000", "100.000001", "101%",
		"99999999999999999999", "0.001%", "0.001525", "NaN", "٥"} {
		if w, err := ParseWeight(text); !errors.Is(err, ErrWeight) {
			t.Errorf("ParseWeight(%q) = %v, %v, want an error", text, w, err)
		}
	}
}

func TestWeightString(t *testing.T) {
	for text, want := range map[string]string{"5": "5%", "0": "0%", "0.25%": "0.25%", "100": "100%", "12.345678": "12.345678%", "10.0": "10%"} {
		w, err := ParseWeight(text)
		if err != nil || w.String() != want {
			t.Errorf("%q prints as %q (%v), want %q", text, w.String(), err, want)
		}
	}
}

func TestTooMuchWeightIsAnError(t *testing.T) {
	if _, err := NewLine([]Weight{0, 60_000_000, 40_000_001}); err == nil {
		t.Error("100.000001% were taken")
	}
	if _, err := NewLine([]Weight{0, 60_000_000, 40_000_000}); err != nil {
		t.Errorf("100%%: %v", err)
	}
}

func TestZeroLineBelongsToTheFirstVariant(t *testing.T) {
	l := &Line{}
	for slot := 0; slot < Slots; slot += 4097 {
		if Owner(l, slot) != 0 {
			t.Errorf("slot %d belongs to variant %d", slot, Owner(l, slot))
		}
	}
}

func ExampleLine() {
	line, _ := NewLine([]Weight{95_000_000, 5_000_000})
	slot := Slot(NewSalt("checkout"), "bob")
	fmt.Println(slot, Owner(line, slot))
	// Output: 21776 0
}
