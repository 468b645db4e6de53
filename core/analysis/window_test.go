package analysis

import (
	"math"
	"math/rand"
	"testing"
	"time"
)

// traffic returns a trial that ran so many seconds at a rate of requests a second.
func traffic(seconds int, rate map[int]float64) *Trial {
	trial := NewTrial([]string{"stable", "canary"})
	due := []float64{0, 0}
	for second := 1; second <= seconds; second++ {
		for variant := range due {
			due[variant] += rate[variant]
			whole := math.Floor(due[variant])
			due[variant] -= whole
			AnsweredAlike(trial.Arm(variant), int64(whole), false, 20*time.Millisecond)
		}
		trial.Turn(time.Duration(second) * time.Second)
	}
	return trial
}

func TestWindow(t *testing.T) {
	for _, test := range []struct {
		name    string
		seconds int
		rates   map[int]float64
		over    time.Duration
		needs   []need
		want    time.Duration // where the window begins
	}{
		{"reaches back", 300, map[int]float64{1: 10}, time.Minute, nil, 240 * time.Second},
		{"goes by whole slots", 305, map[int]float64{1: 10}, time.Minute, nil, 240 * time.Second},
		{"begins with the trial", 40, map[int]float64{1: 10}, time.Minute, nil, 0},
		{"is at least a slot", 300, map[int]float64{1: 10}, time.Second, nil, 290 * time.Second},
		{"has enough", 300, map[int]float64{1: 1}, time.Minute, []need{{variant: 1, requests: 60}}, 240 * time.Second},
		{"reaches further for one more", 300, map[int]float64{1: 1}, time.Minute, []need{{variant: 1, requests: 61}}, 230 * time.Second},
		{"reaches further for answers", 300, map[int]float64{1: 1}, time.Minute, []need{{variant: 1, requests: 100, answered: true}}, 200 * time.Second},
		{"reaches for the neediest", 300, map[int]float64{0: 1, 1: 0.5}, time.Minute, []need{{requests: 80}, {variant: 1, requests: 50}}, 200 * time.Second},
		{"reaches for either", 300, map[int]float64{0: 0.5, 1: 1}, time.Minute, []need{{variant: 1, requests: 80}, {requests: 50}}, 200 * time.Second},
		{"ends at the beginning", 300, map[int]float64{1: 0.1}, time.Minute, []need{{variant: 1, requests: 50}}, 0},
	} {
		w := back(traffic(test.seconds, test.rates).present(), test.over, test.needs)
		if got := w.from().at; got != test.want {
			t.Errorf("%s: begins at %s, want %s", test.name, got.String(), test.want.String())
		}
	}
}

// TestWindowsNeverSeeLess: a window that reaches back further, or wants more, begins no later.
func TestWindowsNeverSeeLess(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for round := 0; round < 8; round++ {
		moments := traffic(1+random.Intn(300), map[int]float64{0: 3 * random.Float64(), 1: random.Float64()}).present()
		over, wanted := time.Duration(0), int64(0)
		last := back(moments, over, nil)
		for i := 0; i < 20; i++ {
			if random.Intn(2) == 0 {
				over += time.Duration(random.Intn(20)) * time.Second
			} else {
				wanted += int64(random.Intn(20))
			}
			w := back(moments, over, []need{{variant: i % 2, requests: wanted / 2}, {variant: 1, requests: wanted}, {requests: wanted}})
			if w.from().at > last.from().at || w.sample(1).requests() < last.sample(1).requests() {
				t.Fatalf("round %d: a window that begins at %s follows one that begins at %s", round, w.from().at.String(), last.from().at.String())
			}
			last = w
		}
	}
}

func TestBlocksAddUpToWhatWasCounted(t *testing.T) {
	trial := NewTrial([]string{"stable", "canary"})
	random := rand.New(rand.NewSource(2))
	requests, failures, slow := int64(0), int64(0), int64(0)
	for second := 1; second <= 900; second++ {
		for n := random.Intn(4); n > 0; n-- {
			latency := time.Duration(1+random.Intn(100)) * time.Millisecond
			failure := random.Intn(10) == 0
			Answered(trial.Arm(1), failure, latency)
			requests++
			if failure {
				failures++
			}
			if latency > 50*time.Millisecond {
				slow++
			}
		}
		trial.Turn(time.Duration(second) * time.Second)
	}
	w := back(trial.present(), time.Minute, nil)
	if got := sum(w.failures(1)); got.requests != requests || got.hits != failures {
		t.Errorf("%d of %d failed, want %d of %d", got.hits, got.requests, failures, requests)
	}
	got := sum(w.slower(1, 50*time.Millisecond))
	if off := got.hits - slow; got.requests != requests || off*30 > requests || off*30 < -requests {
		t.Errorf("%d of %d took longer, want about %d of %d", got.hits, got.requests, slow, requests)
	}
	if got := sum(w.failures(1)[len(w.moments)-1-w.blocks:]); got.requests != w.sample(1).requests() || got.hits != w.sample(1).failures() {
		t.Errorf("the last %d blocks hold %d requests, the window %d", w.blocks, got.requests, w.sample(1).requests())
	}
	if n := len(w.failures(0)); n != len(w.failures(1)) || n != len(w.slower(0, 0)) {
		t.Error("variants have different blocks")
	}
}
