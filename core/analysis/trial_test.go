package analysis

import (
	"math"
	"testing"
	"time"
)

func TestMomentsAreKeptForTenMinutesAndThinnedBehind(t *testing.T) {
	runFor(t, time.Hour, 90)
}

// runFor turns a trial every ten seconds for a time, and fails if more moments are kept than most.
func runFor(t *testing.T, d time.Duration, most int) {
	t.Helper()
	trial := NewTrial([]string{"stable"})
	for now := slot; now <= d; now += slot {
		trial.Turn(now)
		if len(trial.moments) > most {
			t.Fatalf("%d moments are kept of %s", len(trial.moments), now.String())
		}
		if now%(30*time.Minute) == 0 {
			checkMoments(t, trial)
		}
	}
}

// checkMoments tells what is wrong with the times of a trial that turned every slot.
func checkMoments(t *testing.T, trial *Trial) {
	t.Helper()
	moments := trial.moments
	if moments[0].at != 0 {
		t.Fatalf("after %s the beginning is forgotten", trial.now.String())
	}
	for i := 1; i < len(moments); i++ {
		length, age := moments[i].at-moments[i-1].at, trial.now-moments[i].at
		if length <= 0 || age < recent*slot && length > slot || length > age/coarse+2*slot {
			t.Fatalf("after %s a block of %s is %s old", trial.now.String(), length.String(), age.String())
		}
	}
}

func TestClocksThatJumpBreakNothing(t *testing.T) {
	trial := NewTrial([]string{"stable", "canary"})
	checks, problems := ParseChecks([]string{`!worse("canary")`, `error_rate("canary") <= 0.01`, `latency_ms("canary", 0.9) < 100`},
		Settings{Variants: []string{"stable", "canary"}, Candidate: 1})
	if checks == nil {
		t.Fatal(problems)
	}
	const longest = math.MaxInt64 / int64(time.Second)
	clock := []int64{0, 11, -5, -1 << 60, 3, longest, 0, 20, longest, 5, 10, 21}
	last, count := trial.now, int64(0)
	for round := 0; round < 4; round++ {
		for i, seconds := range clock {
			Answered(trial.Arm(1), false, time.Millisecond)
			Unanswered(trial.Arm(0))
			count++
			result := checks.Evaluate(trial, Look{Elapsed: time.Duration(seconds) * time.Second, For: time.Hour, Number: i + 1})
			if trial.now < last {
				t.Fatalf("time goes back to %s", trial.now.String())
			}
			last = trial.now
			if result.Requests != count {
				t.Fatalf("%d of %d requests seen", result.Requests, count)
			}
			for j := 1; j < len(trial.moments); j++ {
				if trial.moments[j].at <= trial.moments[j-1].at {
					t.Fatalf("moment %d is not after the one before", j)
				}
			}
		}
	}
}

func TestAssignments(t *testing.T) {
	trial := NewTrial([]string{"stable", "canary"})
	for i := 0; i < 5; i++ {
		trial.Assign(i % 2)
	}
	if n := trial.Assignments(); n[0] != 3 || n[1] != 2 {
		t.Errorf("assigned %v, want [3 2]", n)
	}
}
