package balance

import "testing"

func TestSlotDoesNotAllocate(t *testing.T) {
	salt, key := NewSalt("checkout"), "3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11"
	l := line(t, []Weight{0, 5_000_000, 10_000_000})
	if n := testing.AllocsPerRun(100, func() { Owner(l, Slot(salt, key)) }); n != 0 {
		t.Errorf("placing a key allocates %v times", n)
	}
}

func BenchmarkSlot(b *testing.B) {
	salt, key := NewSalt("checkout"), "3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11"
	b.ReportAllocs()
	for b.Loop() {
		Slot(salt, key)
	}
}
