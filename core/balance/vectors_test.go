package balance

import (
	"encoding/json"
	"os"
	"testing"
)

// vectors is docs/assignment-vectors.json, which docs/assignment_vectors.py writes: an implementation in another
// language that shares no code with this one.
type vectors struct {
	Slots []struct {
		Salt, Key string
		Slot      int
	}
	Weights []struct {
		Weight string
		Micro  int64
		Slots  int
	}
	Ranges []struct {
		Variants []vectorVariant
		Ranges   []struct {
			Name     string
			From, To int
		}
	}
	Splits []struct {
		Salt     string
		Variants []vectorVariant
		Key      string
		Slot     int
		Variant  string
	}
	Rules []struct {
		Salt, Rule, Percent, Key string
		Slot                     int
		In                       bool
	}
}

type vectorVariant struct{ Name, Weight string }

func readVectors(t *testing.T) vectors {
	t.Helper()
	content, err := os.ReadFile("../../docs/assignment-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	if n := len(v.Slots) + len(v.Splits) + len(v.Rules); n < 500 {
		t.Fatalf("only %d vectors were read", n)
	}
	return v
}

func weights(t *testing.T, variants []vectorVariant) []Weight {
	t.Helper()
	list := make([]Weight, 0, len(variants))
	for i, v := range variants {
		if v.Weight == "" && i == 0 {
			v.Weight = "0"
		}
		w, err := ParseWeight(v.Weight)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, w)
	}
	return list
}

func line(t *testing.T, weights []Weight) *Line {
	t.Helper()
	l, err := NewLine(weights)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, want := range v.Slots {
		if got := Slot(NewSalt(want.Salt), want.Key); got != want.Slot {
			t.Errorf("slot of %q, %q is %d, want %d", want.Salt, want.Key, got, want.Slot)
		}
	}
	for _, want := range v.Weights {
		w, err := ParseWeight(want.Weight)
		if err != nil || int64(w) != want.Micro || w.Slots() != want.Slots {
			t.Errorf("%q is %d in %d slots (%v), want %d in %d", want.Weight, int64(w), w.Slots(), err, want.Micro, want.Slots)
		}
	}
	for _, want := range v.Splits {
		l := line(t, weights(t, want.Variants))
		slot := Slot(NewSalt(want.Salt), want.Key)
		if got := want.Variants[Owner(l, slot)].Name; slot != want.Slot || got != want.Variant {
			t.Errorf("%v: %q falls on %d, %s, want %d, %s", want.Variants, want.Key, slot, got, want.Slot, want.Variant)
		}
	}
	for _, want := range v.Rules {
		percent, err := ParseWeight(want.Percent)
		slot := Slot(NewSalt(want.Salt+"/"+want.Rule), want.Key)
		if got := slot < percent.Slots(); err != nil || slot != want.Slot || got != want.In {
			t.Errorf("%s of %q: %q falls on %d, %v (%v), want %d, %v", want.Percent, want.Rule, want.Key, slot, got, err, want.Slot, want.In)
		}
	}
}

func TestVectorRanges(t *testing.T) {
	for _, want := range readVectors(t).Ranges {
		l := line(t, weights(t, want.Variants))
		for i, r := range want.Ranges {
			for _, slot := range []int{r.From - 1, r.From, (r.From + r.To) / 2, r.To - 1, r.To} {
				if slot < 0 || slot >= Slots {
					continue
				}
				inside := slot >= r.From && slot < r.To
				if got := Owner(l, slot); (got == i) != inside {
					t.Errorf("%v: slot %d belongs to variant %d; %s owns [%d, %d)", want.Variants, slot, got, r.Name, r.From, r.To)
				}
			}
		}
	}
}
