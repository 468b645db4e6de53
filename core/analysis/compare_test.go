package analysis

import (
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// several returns n blocks with the same tally.
func several(n int, hits, requests int64) []tally {
	blocks := make([]tally, n)
	for i := range blocks {
		blocks[i] = tally{hits: hits, requests: requests}
	}
	return blocks
}

// after returns blocks and then others, in memory of their own.
func after(blocks, others []tally) []tally {
	both := append([]tally{}, blocks...)
	return append(both, others...)
}

func TestWorseThan(t *testing.T) {
	const usual = 1e-6
	quiet := several(60, 1, 200)
	cases := []struct {
		what                string
		candidate, baseline []tally
		window              int
		want                rollout.Verdict
	}{
		{"as good", several(60, 1, 200), quiet, 6, rollout.Pass},
		{"better", several(60, 0, 200), quiet, 6, rollout.Pass},
		{"ten times as many failures", several(60, 10, 200), quiet, 6, rollout.Fail},
		{"ten times as many in the window alone", after(several(54, 1, 200), several(6, 10, 200)), quiet, 6, rollout.Fail},
		{"twice as many for ten minutes, which may be chance", several(60, 2, 200), quiet, 6, rollout.Pass},
		{"twice as many for an hour", several(360, 2, 200), several(360, 1, 200), 6, rollout.Fail},
		{"too early to know how failures come", several(5, 10, 200), several(5, 1, 200), 5, rollout.Hold},
		{"too early, and drastic", several(5, 100, 200), several(5, 1, 200), 5, rollout.Fail},
		{"one incident", after(several(59, 0, 20), several(1, 10, 20)), several(60, 0, 200), 6, rollout.Pass},
		{"an incident of both", after(several(57, 0, 100), several(3, 90, 100)), after(several(57, 0, 900), several(3, 810, 900)), 6, rollout.Pass},
		{"everything fails", several(60, 200, 200), several(60, 200, 200), 6, rollout.Pass},
		{"no baseline", several(60, 10, 200), several(60, 0, 0), 6, rollout.Hold},
		{"no candidate", several(60, 0, 0), quiet, 6, rollout.Hold},
	}
	for _, c := range cases {
		f := worseThan(c.candidate, c.baseline, c.window, usual)
		if f.verdict != c.want || f.p < 0 || f.p > 1 || (f.p <= f.level) != (c.want == rollout.Fail) {
			t.Errorf("%s: %s, want %s: %+v", c.what, f.verdict, c.want, f)
		}
	}
}

func TestFailuresThatComeInBurstsCountAsBursts(t *testing.T) {
	even, bursts := several(60, 1, 200), several(60, 0, 200)
	for i := 0; i < len(bursts); i += 10 {
		bursts[i].hits = 10
	}
	candidate := several(60, 0, 200) // six bursts, as many as the baseline's would be in twice the traffic
	for i := 5; i < len(candidate); i += 5 {
		candidate[i].hits = 10
	}
	f := worseThan(candidate, bursts, 6, 0.01)
	if f.verdict != rollout.Pass || f.dispersion < 10 {
		t.Errorf("twice as many bursts: %+v", f)
	}
	if f = worseThan(several(60, 2, 200), even, 6, 0.01); f.verdict != rollout.Fail || f.dispersion != 1 {
		t.Errorf("twice as many failures, one by one: %+v", f)
	}
}

// A rush that finds more clients with the candidate than there were before, because they stay where they were assigned,
// brings more failures to both.
func TestShareIsThatOfTheTimesOfFailures(t *testing.T) {
	candidate := after(several(30, 0, 50), several(30, 20, 400))
	baseline := after(several(30, 1, 950), several(30, 30, 600))
	if got := share(candidate, baseline); !near(got, (30*0.05+30*50*0.4)/(30+30*50), 1e-9) {
		t.Errorf("share %v", got)
	}
	if f := worseThan(candidate, baseline, 6, 1e-6); f.verdict != rollout.Pass {
		t.Errorf("the same rates at all times: %+v", f)
	}
	if got := share(several(6, 0, 5), several(6, 0, 5)); got != 1 {
		t.Errorf("share %v without hits", got)
	}
	if got := share(several(60, 1, 1), several(60, 1, 9)); !near(got, 0.1, 1e-9) {
		t.Errorf("share %v with few requests", got)
	}
}

func TestSpans(t *testing.T) {
	cases := []struct {
		window, blocks int
		want           []int
	}{
		{6, 6, []int{6}},
		{6, 7, []int{6, 7}},
		{6, 60, []int{6, 60}},
		{6, 61, []int{6, 60, 61}},
		{60, 90, []int{60, 90}},
		{70, 90, []int{70, 90}},
		{90, 90, []int{90}},
	}
	for _, c := range cases {
		got := spans(c.window, c.blocks)
		same := len(got) == len(c.want)
		for i := range got {
			same = same && got[i] == c.want[i]
		}
		if !same {
			t.Errorf("a window of %d of %d blocks is looked at over %v, want %v", c.window, c.blocks, got, c.want)
		}
	}
}

// TestNoiseIsNoExcuse: what was slow on both for a while does not hide for long that one is slow for good.
func TestNoiseIsNoExcuse(t *testing.T) {
	noisy := blocksOf(100, 90, 95, 0, 0, 0, 0, 0, 0)
	slow := after(noisy, several(4, 100, 100))
	quick := after(noisy, several(4, 2, 100))
	if f := worseThan(slow, quick, 2, 1e-4); f.verdict != rollout.Fail {
		t.Errorf("all of the candidate's and few of the baseline's answers are slow: %+v", f)
	}
	if f := worseThan(noisy, noisy, 2, 1e-4); f.verdict != rollout.Pass {
		t.Errorf("noise on both: %+v", f)
	}
}
