package assign

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	b := &breaker{}
	now := noon
	fail := func() {
		t.Helper()
		if !b.allows(now) {
			t.Fatalf("%s: nothing is sent", now)
		}
		b.report(false, now)
	}
	refuses := func() {
		t.Helper()
		if b.allows(now) {
			t.Fatalf("%s: a request is sent during the pause", now)
		}
	}
	for i := 0; i < breakAfter-1; i++ {
		fail()
	}
	b.report(true, now) // one success in between, and counting starts anew
	for i := 0; i < breakAfter; i++ {
		fail()
	}
	pause := breakFor
	for i := 0; i < 8; i++ {
		refuses()
		now = now.Add(pause - time.Nanosecond)
		refuses()
		now = now.Add(time.Nanosecond)
		if !b.allows(now) {
			t.Fatalf("no trial after a pause of %s", pause)
		}
		refuses() // a second one, while the trial is open
		b.report(false, now)
		pause *= 2
		if pause > maxBreak {
			pause = maxBreak
		}
	}
	now = now.Add(maxBreak)
	if !b.allows(now) {
		t.Fatal("no trial after the longest pause")
	}
	b.report(true, now)
	for i := 0; i < breakAfter; i++ {
		fail()
	}
	refuses()
	now = now.Add(breakFor) // the pauses begin with the shortest again
	if !b.allows(now) {
		t.Error("no trial after the first pause")
	}
}

// TestBreakerForgetsStragglers: a request that was sent before the pause and fails in it does not make it longer.
func TestBreakerForgetsStragglers(t *testing.T) {
	b := &breaker{}
	for i := 0; i < breakAfter+3; i++ {
		if !b.allows(noon) {
			t.Fatal("nothing is sent")
		}
	}
	for i := 0; i < breakAfter+3; i++ {
		b.report(false, noon.Add(time.Duration(i)*time.Millisecond))
	}
	begun := noon.Add((breakAfter - 1) * time.Millisecond)
	if b.allows(begun.Add(breakFor-1)) || !b.allows(begun.Add(breakFor)) {
		t.Error("stragglers changed the pause")
	}
}
