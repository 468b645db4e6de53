package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

// plan reads
//
//	plan [<candidate>] [step ...] [{ ... }]
func (p *parser) plan() error {
	plan := &p.rollout.Plan
	p.here("plan", "plan")
	at := p.places["plan"]
	args := p.RemainingArgsAsTokens()
	if !startsStep(args) && len(args) > 0 {
		if args[0].Text == "" || looksLikeWeight.MatchString(args[0].Text) {
			return at.errorf("plan: %q is no candidate; a step begins with its word, as in: plan step 10%% 30m step 100%%", args[0].Text)
		}
		plan.Candidate = args[0].Text
		p.places["plan.candidate"] = place{token: args[0], label: "plan"}
		args = args[1:]
	}
	if len(args) > 0 {
		if err := p.steps(args); err != nil {
			return err
		}
	}
	minRequests := 0
	known := []string{"step", "check", "every", "window", "min_requests", "failures", "alpha", "on_fail", "deadline", "only"}
	err := p.options("plan", known, map[string]any{
		"step": func() error {
			return p.steps(slices.Concat([]caddyfile.Token{p.Token()}, p.RemainingArgsAsTokens()))
		},
		"check": p.planCheck, "only": p.only, "every": &plan.Every, "window": &plan.Window, "min_requests": &minRequests,
		"failures": &plan.Failures, "alpha": &plan.Alpha, "on_fail": &plan.OnFail, "deadline": &plan.Deadline,
	})
	plan.MinRequests = int64(minRequests)
	if err == nil && len(plan.Steps) == 0 {
		err = at.errorf("a plan needs steps, such as: plan step 10%% 30m step 100%%")
	}
	return err
}

// startsStep reports whether words begin with a step, and not with a candidate, which may have any name.
func startsStep(words []caddyfile.Token) bool {
	return len(words) > 1 && words[0].Text == "step" && looksLikeWeight.MatchString(words[1].Text)
}

const stepGrammar = "step <percent> [<duration>|manual] [confirm <url>]"

// steps reads the steps on a line.
func (p *parser) steps(words []caddyfile.Token) error {
	for len(words) > 0 {
		at := place{token: words[0]}
		switch {
		case words[0].Text != "step":
			return at.errorf("plan: unexpected %q: a step is: %s", words[0].Text, stepGrammar)
		case len(words) == 1 || !weightPattern.MatchString(words[1].Text):
			return at.errorf("a step begins with its percentage, such as 5, 5%% or 0.25%%: %s", stepGrammar)
		}
		end := 2
		for end < len(words) && words[end].Text != "step" {
			end++
		}
		if err := p.step(words[:end]); err != nil {
			return err
		}
		words = words[end:]
	}
	return p.noBlock("step")
}

// step reads one step.
func (p *parser) step(words []caddyfile.Token) error {
	s := core.Step{Weight: words[1].Text}
	label := "step " + s.Weight
	for i := 2; i < len(words); i++ {
		at := place{token: words[i]}
		switch word := words[i].Text; {
		case word == "manual" && !s.Manual:
			s.Manual = true
		case word == "confirm" && s.Confirm == "":
			if i++; i == len(words) || words[i].Text == "" {
				return at.errorf("%s: who confirms? Write: confirm <url>", label)
			}
			s.Confirm = words[i].Text
		case s.For == "" && word != "" && strings.ContainsAny(word[:1], "0123456789."):
			s.For = word
		default:
			hint := expr.Suggest(word, []string{"manual", "confirm"})
			if word == "manual" || word == "confirm" {
				hint = " for the second time"
			}
			return at.errorf("%s: unexpected %q%s; a step is: %s", label, word, hint, stepGrammar)
		}
	}
	p.places[indexed("plan.steps", len(p.rollout.Plan.Steps))] = place{token: words[0], label: label}
	p.rollout.Plan.Steps = append(p.rollout.Plan.Steps, s)
	return nil
}

// planCheck reads a condition that the candidate has to keep.
func (p *parser) planCheck() error {
	plan := &p.rollout.Plan
	p.here(indexed("plan.checks", len(plan.Checks)), "check")
	condition := p.RemainingArgs()
	if len(condition) != 1 || condition[0] == "" {
		return p.Err("check takes one condition, in backticks, such as: check `error_rate(\"canary\") <= 0.01`")
	}
	plan.Checks = append(plan.Checks, condition[0])
	return p.noBlock("check")
}

// only reads hours in which the plan goes on.
func (p *parser) only() error {
	plan := &p.rollout.Plan
	p.here(indexed("plan.only", len(plan.Only)), "only")
	hours := p.RemainingArgs()
	if len(hours) == 0 {
		return p.Err("only takes hours, such as: only Mon-Fri 09:00-17:00 Europe/Berlin")
	}
	plan.Only = append(plan.Only, strings.Join(hours, " "))
	return p.noBlock("only")
}

// notify reads
//
//	notify <url> [{ ... }]
func (p *parser) notify(list *[]core.Notify) error {
	path := indexed("notify", len(*list))
	var n core.Notify
	p.here(path, "notify")
	if !p.AllArgs(&n.URL) || n.URL == "" {
		return p.Err("notify needs an address: notify <url>")
	}
	err := p.options(path, []string{"events", "secret", "format"}, map[string]any{
		"events": &n.Events, "secret": &n.Secret, "format": &n.Format,
	})
	*list = append(*list, n)
	return err
}
