package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/simulation"
)

// step is how long a candidate has how much of the traffic.
type step struct {
	percent float64
	lasts   time.Duration
}

// scenario is a rollout that is simulated.
type scenario struct {
	steps   []step // before the last, which is 100% and promotes at once
	checks  []string
	simple  simple // instead of checks
	traffic traffic

	// The candidate is healthy, and after a time it is not.
	after     time.Duration
	candidate behaviour
}

// outcome is how a rollout ended.
type outcome struct {
	state rollout.State
	took  time.Duration // since the candidate behaved as it did at last
}

// patience is within what every rollout ends, well or badly.
const patience = 48 * time.Hour

// run simulates one rollout, with the settings that a plan has where nothing is configured. The same seed gives the same.
func (s scenario) run(seed uint64) (outcome, error) {
	random := simulation.Seeded(seed)
	release := s.release()
	settings := analysis.Settings{
		Variants: release.Variants, Candidate: 1, Every: rollout.DefaultEvery, Window: rollout.DefaultWindow,
		MinRequests: rollout.DefaultMinRequests, Steps: len(s.steps),
	}
	checks, problems := analysis.ParseChecks(s.checks, settings)
	if checks == nil {
		return outcome{}, fmt.Errorf("checks %s: %v", strings.Join(s.checks, ", "), problems)
	}
	clock := func(mono time.Duration) rollout.Time {
		return rollout.Time{Wall: time.Unix(0, 0).Add(mono), Mono: mono}
	}
	machine, _ := rollout.New(release, rollout.Record{}, clock(0))
	var position rollout.Position
	var trial *analysis.Trial
	var past history
	began, seen := time.Duration(0), int64(0)
	for now := time.Duration(0); now < patience; {
		if position != machine.Position() {
			position = machine.Position()
			trial = analysis.NewTrial(release.Variants)
			past = history{}
			began, seen = now, 0
		}
		present := release.Plan.Steps[machine.Record().Step-1]
		share := float64(present.Weight) / float64(balance.Full)
		behaves := healthy
		if now >= s.after {
			behaves = s.candidate
		}
		baseline := counts(s.traffic.Serve(random, trial.Arm(0), 1-share, settings.Every, healthy))
		candidate := counts(s.traffic.Serve(random, trial.Arm(1), share, settings.Every, behaves))
		past.baseline = append(past.baseline, baseline)
		past.candidate = append(past.candidate, candidate)
		seen += int64(candidate.Requests)
		now += settings.Every
		evaluation := rollout.Evaluation{Position: position, Verdict: rollout.Hold, Requests: seen}
		switch {
		case s.simple != nil:
			evaluation.Verdict = past.judge(s.simple, int(settings.Window/settings.Every), settings.MinRequests)
		case seen < settings.MinRequests: // there is nothing to evaluate
			trial.Turn(now - began)
		default:
			look := analysis.Look{Elapsed: now - began, For: present.For, Number: len(past.candidate)}
			evaluation.Verdict = checks.Evaluate(trial, look).Verdict
		}
		machine.Tick(clock(now), rollout.Observations{Evaluation: &evaluation})
		if state := machine.State(); state != rollout.Progressing {
			return outcome{state: state, took: now - s.after}, nil
		}
	}
	return outcome{}, fmt.Errorf("the rollout with the seed %d is still at step %d after %s", seed, machine.Record().Step, patience)
}

// release is a plan with default settings.
func (s scenario) release() rollout.Release {
	plan := &rollout.Plan{
		Every: rollout.DefaultEvery, Window: rollout.DefaultWindow,
		MinRequests: rollout.DefaultMinRequests, Failures: rollout.DefaultFailures,
	}
	for _, step := range s.steps {
		plan.Steps = append(plan.Steps, rollout.Step{Weight: balance.Weight(step.percent * float64(balance.Full) / 100), For: step.lasts})
	}
	plan.Steps = append(plan.Steps, rollout.Step{Weight: balance.Full})
	return rollout.Release{
		Revision: "simulated", Variants: []string{"stable", "canary"}, Weights: []balance.Weight{0, 0}, Candidate: 1, Plan: plan,
	}
}
