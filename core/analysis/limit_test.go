package analysis

import (
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestExceeds(t *testing.T) {
	rare := several(54, 0, 200)
	for i := 0; i < len(rare); i += 8 {
		rare[i].hits = 10
	}
	cases := []struct {
		what   string
		blocks []tally
		want   rollout.Verdict
	}{
		{"within the limit", several(60, 1, 200), rollout.Pass},
		{"exactly the limit", several(60, 2, 200), rollout.Pass},
		{"a little more, which may be chance", after(several(54, 1, 200), several(6, 3, 200)), rollout.Hold},
		{"much more", several(60, 10, 200), rollout.Fail},
		{"a little more for long", several(600, 3, 200), rollout.Fail},
		{"much more in the window", after(several(54, 1, 200), several(6, 20, 200)), rollout.Fail},
		{"a burst", after(several(59, 0, 20), several(1, 10, 20)), rollout.Hold},
		{"bursts as before, in most blocks", after(rare, blocksOf(200, 10, 10, 0, 10, 10, 10)), rollout.Hold},
		{"everything, from the beginning", several(2, 200, 200), rollout.Fail},
		{"nothing", several(6, 0, 0), rollout.Pass},
	}
	for _, c := range cases {
		window := 6
		if len(c.blocks) < window {
			window = len(c.blocks)
		}
		f := exceeds(c.blocks, window, 0.01, 1e-6)
		if f.verdict != c.want || f.p < 0 || f.p > 1 || (f.p <= f.level) != (c.want == rollout.Fail) {
			t.Errorf("%s: %s, want %s: %+v", c.what, f.verdict, c.want, f)
		}
	}
}

// TestFlappingIsNoExcuse: what failed and recovered before is not what saves a variant that fails for good.
func TestFlappingIsNoExcuse(t *testing.T) {
	flapping := blocksOf(100, 100, 0, 100, 0, 0, 100, 0, 0)
	for _, limit := range []float64{0.01, 0.1, 0.4} {
		if f := exceeds(flapping, 1, limit, 1e-4); f.verdict == rollout.Fail && limit > 0.3 {
			t.Errorf("limit %g: %+v", limit, f)
		}
		f := exceeds(after(flapping, several(3, 100, 100)), 2, limit, 1e-4)
		if f.verdict != rollout.Fail {
			t.Errorf("limit %g: a variant that fails for good: %+v", limit, f)
		}
	}
}
