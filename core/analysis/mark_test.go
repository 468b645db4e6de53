package analysis

import (
	"testing"
	"time"
)

func TestBetweenMarks(t *testing.T) {
	trial := NewTrial([]string{"stable", "canary"})
	Answered(trial.Arm(1), true, 100*time.Millisecond)
	first := trial.Mark()
	for i := 0; i < 9; i++ {
		Answered(trial.Arm(1), false, 10*time.Millisecond)
	}
	Answered(trial.Arm(1), true, 200*time.Millisecond)
	Unanswered(trial.Arm(0))
	second := trial.Mark()

	since := Between(first, second)
	if got := since[1]; got.Requests != 10 || got.Failures != 1 || !near(got.P50.Seconds(), 0.01, 0.04) || !near(got.P99.Seconds(), 0.2, 0.04) {
		t.Errorf("between two marks: %+v", got)
	}
	if got := since[0]; got.Requests != 1 || got.Failures != 1 || got.P50 != 0 {
		t.Errorf("what was not answered has a latency: %+v", got)
	}
	if got := Between(nil, second)[1]; got.Requests != 11 || got.Failures != 2 {
		t.Errorf("from the beginning: %+v", got)
	}
	if got := Between(second, trial.Mark())[1]; got != (Tally{}) {
		t.Errorf("nothing came since: %+v", got)
	}
}
