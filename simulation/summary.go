package simulation

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Summary is how many runs of a scenario ended.
type Summary struct {
	Runs int    `json:"runs"`
	Seed uint64 `json:"seed"` // of the first run; the others count up from it

	// Promoted, Stopped and Unfinished are shares of the runs, from 0 to 1: stopped are those that were rolled back, or paused
	// where the plan says so, and unfinished those that were neither within the patience.
	Promoted   float64 `json:"promoted"`
	Stopped    float64 `json:"stopped"`
	Unfinished float64 `json:"unfinished"`

	// ToPromotion and ToStop are times since the start, and Step in which step how large a share of those that were stopped
	// was.
	ToPromotion Percentiles `json:"to_promotion,omitzero"`
	ToStop      Percentiles `json:"to_stop,omitzero"`
	Steps       []float64   `json:"stopped_in_step,omitempty"`

	// Requests and Failures are how many requests the candidate got, and failed, until it was stopped.
	Requests Numbers `json:"requests_until_stop,omitzero"`
	Failures Numbers `json:"failures_until_stop,omitzero"`

	// Reason is why one of those was stopped that were, and Waits in which step one of the unfinished was, and for what.
	Reason string `json:"reason,omitempty"`
	Waits  string `json:"waits,omitempty"`
}

// Percentiles are times within which so many percent of the runs were there.
type Percentiles struct {
	P5  time.Duration `json:"p5_ns"`
	P50 time.Duration `json:"p50_ns"`
	P95 time.Duration `json:"p95_ns"`
}

// Numbers are the same of counts.
type Numbers struct {
	P5  int64 `json:"p5"`
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
}

// Repeat runs a scenario with one seed after the other, on all processors, and says how the runs ended. It ends early, with
// what there is, if stop is closed.
func (p *Plan) Repeat(s Scenario, runs int, seed uint64, stop <-chan struct{}) Summary {
	outcomes := make([]Outcome, runs)
	done := make([]bool, runs)
	var workers sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := w; i < runs; i += runtime.GOMAXPROCS(0) {
				select {
				case <-stop:
					return
				default:
				}
				outcomes[i] = p.Run(s, seed+uint64(i))
				done[i] = true
			}
		})
	}
	workers.Wait()
	var finished []Outcome
	for i, o := range outcomes {
		if done[i] {
			finished = append(finished, o)
		}
	}
	return summarize(finished, seed, len(p.Release.Plan.Steps))
}

func summarize(outcomes []Outcome, seed uint64, steps int) Summary {
	s := Summary{Runs: len(outcomes), Seed: seed}
	var promoted, stopped []time.Duration
	var requests, failures []int64
	inStep := make([]int64, steps+1)
	for _, o := range outcomes {
		switch o.State {
		case rollout.Promoted:
			promoted = append(promoted, o.Took)
		case rollout.RolledBack, rollout.Paused:
			stopped = append(stopped, o.Took)
			requests = append(requests, o.Requests)
			failures = append(failures, o.Failures)
			inStep[o.Step]++
			s.Reason = o.Reason
		default:
			s.Waits = fmt.Sprintf("in step %d: %s", o.Step, o.Reason)
		}
	}
	runs := int64(len(outcomes))
	s.Promoted = of(int64(len(promoted)), runs)
	s.Stopped = of(int64(len(stopped)), runs)
	s.Unfinished = of(runs-int64(len(promoted)+len(stopped)), runs)
	s.ToPromotion = Percentiles{percentile(promoted, 0.05), percentile(promoted, 0.5), percentile(promoted, 0.95)}
	s.ToStop = Percentiles{percentile(stopped, 0.05), percentile(stopped, 0.5), percentile(stopped, 0.95)}
	s.Requests = Numbers{percentile(requests, 0.05), percentile(requests, 0.5), percentile(requests, 0.95)}
	s.Failures = Numbers{percentile(failures, 0.05), percentile(failures, 0.5), percentile(failures, 0.95)}
	if len(stopped) > 0 {
		for _, n := range inStep[1:] {
			s.Steps = append(s.Steps, of(n, int64(len(stopped))))
		}
	}
	return s
}

// percentile returns the value that a share of them keeps within, by the nearest rank; 0 if there are none.
func percentile[value time.Duration | int64](values []value, q float64) value {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(q*float64(len(values)-1)+0.5)]
}
