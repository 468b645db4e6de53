package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/simulation"
)

// describeSimulation says what a configuration would do.
func describeSimulation(r result) string {
	p := &page{}
	for _, what := range r.Missing {
		p.line(0, "%s", what)
	}
	sections := []string{p.text.String(), describeTally(r)}
	if m := r.Split.Movement; m != nil {
		sections = append(sections, describeMovement(m, r.Split))
	}
	if len(r.Timeline) > 0 {
		sections = append(sections, describeTimeline(r))
	}
	if r.Traffic != nil {
		sections = append(sections, describeTraffic(r))
	} else if r.Obstacle != "" {
		sections = append(sections, fmt.Sprintf("with %s: not promoted within %s\n  %s\n", trafficOf(r), lasting(r.scenario.Patience), r.Obstacle))
	}
	return strings.Join(words(sections...), "\n")
}

func describeTally(r result) string {
	t := newTable("VARIANT", "REQUESTS", "SHARE")
	for _, s := range r.Split.Variants {
		t.row(s.Name, fmt.Sprint(s.Requests), percent(s.Share))
	}
	p := &page{}
	p.line(0, "%s: %d requests of %s clients", r.Rollout, r.Split.Requests, about(r.Split.Clients))
	p.text.WriteString(t.String())
	p.line(0, "by %s", sharesOf(r.Split.Reasons))
	if len(r.Split.Rules) > 0 {
		p.line(0, "by rule %s", sharesOf(r.Split.Rules))
	}
	if r.Split.Random > 0 {
		p.line(0, "chance decided %d: these are other requests the next time", r.Split.Random)
	}
	if r.Split.Logged > 0 {
		p.line(0, "of %d requests the log says which variant they got, and of %d it is the same", r.Split.Logged, r.Split.Agreed)
	}
	if r.Redacted > 0 {
		p.line(0, "of %d requests the log holds back headers, so whatever looks at those finds nothing", r.Redacted)
	}
	if r.Split.Refused+r.OtherLines+r.OtherHosts > 0 {
		p.line(0, "left out: %d requests that are none, %d lines that tell of none, %d requests for other hosts", r.Split.Refused, r.OtherLines, r.OtherHosts)
	}
	return p.text.String()
}

// about is a number of clients, which is counted from a sample where it is large.
func about(n int64) string {
	if n > 100_000 {
		return fmt.Sprintf("about %d", n)
	}
	return fmt.Sprint(n)
}

func sharesOf(shares []simulation.Share) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, fmt.Sprintf("%s %s", s.Name, percent(s.Share)))
	}
	return strings.Join(parts, ", ")
}

func describeMovement(m *simulation.Movement, all simulation.Tally) string {
	p := &page{}
	p.line(0, "the other configuration moves %s of the clients, and %s of the requests", percent(m.Clients), percent(m.Requests))
	if all.Clients == 0 {
		p.line(0, "no key identifies clients, so each request counts for itself, and chance moves them")
	}
	t := newTable("FROM", "TO", "CLIENTS", "REQUESTS")
	for _, move := range m.Moves {
		t.row(move.From, move.To, percent(move.Clients), percent(move.Requests))
	}
	if len(m.Moves) > 0 {
		p.text.WriteString(t.String())
	}
	p.line(0, "then: %s", sharesOf(m.Variants))
	return p.text.String()
}

func describeTimeline(r result) string {
	p := &page{}
	who := ""
	if r.manual > 0 {
		who = fmt.Sprintf(", and people take %s", r.manual)
	}
	p.line(0, "the plan, if every evaluation passes%s", who)
	t := newTable("STEP", "WEIGHT", "AFTER", "AT", "LASTS")
	for _, s := range r.Timeline {
		step := fmt.Sprint(s.Step)
		if s.State != rollout.Progressing {
			step = string(s.State)
		}
		t.row(step, s.Weight, lasting(s.After), s.At.Format("Mon 2006-01-02 15:04:05 MST"), s.Waits)
	}
	p.text.WriteString(t.String())
	if last := r.Timeline[len(r.Timeline)-1]; last.State == rollout.Progressing {
		p.line(0, "and no further within %s", lasting(simulation.Horizon))
	}
	return p.text.String()
}

// lasting is a time as people say it.
func lasting(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.Round(time.Second).String()
}

func describeTraffic(r result) string {
	p := &page{}
	s, sc := r.Traffic, r.scenario
	p.line(0, "with %s: %d runs, seed %d", trafficOf(r), s.Runs, s.Seed)
	if s.Promoted > 0 {
		p.line(1, "promoted: %s, after %s", percent(s.Promoted), within(s.ToPromotion))
	} else {
		p.line(1, "promoted: none")
	}
	if s.Stopped > 0 {
		p.line(1, "stopped: %s, after %s", percent(s.Stopped), within(s.ToStop))
		for i, share := range s.Steps {
			if share > 0 {
				p.line(2, "in step %d: %s", i+1, percent(share))
			}
		}
		p.line(2, "until then %s got %d requests, and failed %d of them (%d to %d)", r.candidate, s.Requests.P50, s.Failures.P50, s.Failures.P5, s.Failures.P95)
		p.line(2, "such as: %s", s.Reason)
	} else {
		p.line(1, "stopped: none")
	}
	if s.Unfinished > 0 {
		p.line(1, "neither within %s: %s", lasting(sc.Patience), percent(s.Unfinished))
		p.line(2, "such as %s", s.Waits)
	}
	return p.text.String()
}

func trafficOf(r result) string {
	sc := r.scenario
	return fmt.Sprintf("%g requests a second, of which %s fail, and of %s %s%s", sc.Traffic.Rate, percent(sc.Healthy.Errors),
		r.candidate, percent(sc.Candidate.Errors), slower(sc))
}

func slower(sc simulation.Scenario) string {
	text := ""
	if sc.Candidate.Slower != 1 {
		text = fmt.Sprintf(", %g times as slow", sc.Candidate.Slower)
	}
	if sc.After > 0 {
		text += fmt.Sprintf(", after %s", sc.After)
	}
	return text
}

// within is the median, and between which times nine of ten are.
func within(p simulation.Percentiles) string {
	return fmt.Sprintf("%s (%s to %s)", lasting(p.P50), lasting(p.P5), lasting(p.P95))
}
