package analysis

import (
	"testing"
	"time"
)

func TestLevelsAddUpToAlpha(t *testing.T) {
	cases := []struct{ duration, every time.Duration }{
		{10 * time.Minute, 10 * time.Second},
		{0, 10 * time.Second}, // an hour
		{5 * time.Second, 10 * time.Second},
		{time.Second, time.Second},
	}
	for _, c := range cases {
		total, last := 0.0, 1.0
		const looks = 20000
		for look := 1; look <= looks; look++ {
			l := level(0.01, 2, c.duration, c.every, look, 3)
			if l <= 0 || l > last {
				t.Fatalf("%s every %s: look %d has the level %v, and the one before %v", c.duration, c.every, look, l, last)
			}
			last = l
			total += 2 * 3 * l
		}
		if total > 0.01*(1+1e-9) || total < 0.0098 {
			t.Errorf("%s every %s: all looks together have %v, want nearly 0.01", c.duration, c.every, total)
		}
	}
}

func TestPlannedLooksHaveHalfOfTheLevelInEqualParts(t *testing.T) {
	if got, want := level(0.01, 2, 10*time.Minute, 10*time.Second, 60, 3), 0.01/2/60/2/3; !near(got, want, 1e-12) {
		t.Errorf("the last planned look has %v, want %v", got, want)
	}
	if got, want := level(0.01, 2, 10*time.Minute, 10*time.Second, 121, 3), 0.01/2*60/(121*120)/2/3; !near(got, want, 1e-12) {
		t.Errorf("look 121 of 60 has %v, want %v", got, want)
	}
}
