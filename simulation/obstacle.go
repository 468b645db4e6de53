package simulation

import (
	"fmt"
	"math"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Obstacle says why a plan is not promoted within a scenario's patience, however well its candidate does; "" if it may be.
// timeline is the plan's. final tells that the candidate is not stopped either, but by chance: then no run is worth its
// time.
//
// Each step is judged by more traffic than the patience brings, of which nothing fails: where checks hold even so, they
// always do. It may be stopped if they fail by as much traffic of which all fails.
func (p *Plan) Obstacle(s Scenario, timeline []Stage) (reason string, final bool) {
	final = true
	for i, step := range p.Release.Plan.Steps {
		if p.extreme(s, i, true).Verdict == rollout.Fail {
			final = s.Candidate == s.Healthy
		}
		atOnce := step.Weight == balance.Full && step.For == 0 && step.Confirm == ""
		if step.Manual || atOnce {
			continue
		}
		if best := p.extreme(s, i, false); best.Verdict == rollout.Hold {
			return fmt.Sprintf("step %d does not end even if all goes well: %s", i+1, best.Reason), final
		}
	}
	last := timeline[len(timeline)-1]
	if last.State == rollout.Progressing || last.After > s.Patience {
		return "the plan takes longer even if all goes well", final
	}
	return "", false
}

// extreme judges a step of the plan, from 0, by traffic that is too good to be true, or, of the candidate, too bad.
func (p *Plan) extreme(s Scenario, step int, bad bool) *rollout.Evaluation {
	const blocks, block = 60, 10 * time.Second // as many as checks look at one by one
	record := rollout.Record{
		Revision: p.Release.Revision, Candidate: p.Release.Variants[p.Release.Candidate], State: rollout.Progressing,
		Step: step + 1, Weight: p.Release.Plan.Steps[step].Weight.String(),
	}
	machine, _ := rollout.New(p.Release, record, p.moment(0))
	weights := machine.Weights()
	trial := analysis.NewTrial(p.Release.Variants)
	began := max(0, s.Patience-blocks*block)
	trial.Turn(began)
	for n := range int64(blocks) {
		for i, weight := range weights {
			requests := most(s.Traffic.Rate * float64(weight) / float64(balance.Full) * s.Patience.Seconds())
			fails := bad && i == p.Release.Candidate
			analysis.AnsweredAlike(trial.Arm(i), requests*(n+1)/blocks-requests*n/blocks, fails, time.Millisecond)
		}
		trial.Turn(began + time.Duration(n+1)*block)
	}
	return p.evaluate(trial, machine, weights, began+blocks*block, 1)
}

// most is more than a Poisson process brings of which so many requests are expected, but for one time in a million.
func most(expected float64) int64 {
	if expected == 0 {
		return 0
	}
	const enough = 1e9 // for any check
	return int64(math.Min(expected+5*math.Sqrt(expected)+10, enough))
}
