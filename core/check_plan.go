package core

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// defaultAlpha is the probability with which a plan may roll back a candidate that is as good as the baseline.
const defaultAlpha = 0.01

// plan reads how the candidate is moved forward.
func (c *checker) plan(config Config, p *checked) {
	plan := config.Plan
	c.rest("plan.", plan.Rest, []string{"candidate", "steps", "checks", "every", "window", "min_requests", "failures", "alpha", "on_fail", "deadline", "only"})
	planned := len(plan.Steps) > 0
	if !planned && fmt.Sprintf("%+v", plan) != fmt.Sprintf("%+v", Plan{Rest: plan.Rest}) {
		c.fail("plan.steps", "a plan needs at least one step, such as 10%% for 30m")
	}
	p.candidate = c.candidate(plan, planned, p.variants)
	p.revision = config.Revision
	if p.revision == "" {
		p.revision = derivedRevision(config, p.variants, p.candidate)
	}
	if !planned || p.candidate == 0 {
		return
	}
	if p.revision == "" && !c.host.Handles[p.variants[p.candidate]] {
		c.fail("revision", "a plan has to know what is being released, and %q says nothing of that here: name the version, such as v2.3.1, and change it with every release", p.variants[p.candidate])
	}
	before := len(c.problems)
	p.plan = c.steps(plan)
	legible := len(c.problems) == before
	c.evaluation(plan, p.plan)
	others := balance.Weight(0)
	for i := 1; i < len(p.weights); i++ {
		if i != p.candidate {
			others += p.weights[i]
		}
	}
	c.declared(config, p)
	if legible { // or it would be complained about twice
		order := inOrder(len(plan.Steps), func(i int) int { return plan.Steps[i].Order })
		for _, problem := range p.plan.Check(others) {
			c.fail("plan."+c.asWritten(problem.Path, order), "%s", problem.Text)
		}
	}
	p.checks = c.checks(config, p)
}

// candidate returns the index of the variant that the plan moves forward, or, without a plan, of the first that it could.
// 0: there is none.
func (c *checker) candidate(plan Plan, planned bool, variants []string) int {
	if plan.Candidate != "" {
		i := c.variant("plan.candidate", plan.Candidate, variants)
		if i == 0 && len(variants) > 0 && variants[0] == plan.Candidate {
			c.fail("plan.candidate", "%q is the baseline, from which the plan takes traffic: name another variant", plan.Candidate)
		}
		return i
	}
	if len(variants) > 2 && planned {
		c.fail("plan.candidate", "which variant moves forward? There are %s", strings.Join(variants[1:], ", "))
		return 0
	}
	if len(variants) > 1 {
		return 1
	}
	if planned && len(variants) == 1 {
		c.fail("plan", "there is no variant to move forward: a plan needs a second one")
	}
	return 0
}

// declared complains of weights that the plan decides about.
func (c *checker) declared(config Config, p *checked) {
	for i, v := range config.Variants {
		if v.Weight == "" {
			continue
		}
		path := fmt.Sprintf("variants[%d].weight", i)
		switch v.Name {
		case p.variants[p.candidate]:
			c.fail(path, "the steps of the plan say what %q gets: leave the weight out", v.Name)
		case p.variants[0]:
			c.fail(path, "with a plan the baseline takes what the others leave: leave the weight out")
		}
	}
}

func (c *checker) steps(plan Plan) *rollout.Plan {
	read := &rollout.Plan{}
	for _, i := range inOrder(len(plan.Steps), func(i int) int { return plan.Steps[i].Order }) {
		s := plan.Steps[i]
		path := fmt.Sprintf("plan.steps[%d]", i)
		c.rest(path+".", s.Rest, []string{"weight", "for", "manual", "confirm", "order"})
		step := rollout.Step{Manual: s.Manual, Confirm: s.Confirm}
		if s.Weight == "" {
			c.fail(path+".weight", "a step needs a weight, such as 10%%")
		} else {
			weight, err := balance.ParseWeight(s.Weight)
			if err != nil {
				c.fail(path+".weight", "%v", err)
			}
			step.Weight = weight
		}
		if s.For != "0" && s.For != "0s" { // which a template may well write
			step.For = c.atMost(path+".for", s.For, 0, 0)
		}
		read.Steps = append(read.Steps, step)
	}
	return read
}

// evaluation reads when and how the checks are looked at.
func (c *checker) evaluation(plan Plan, read *rollout.Plan) {
	read.Every = c.atMost("plan.every", plan.Every, rollout.DefaultEvery, 0)
	window := rollout.DefaultWindow
	if read.Every > window {
		window = read.Every
	}
	read.Window = c.atMost("plan.window", plan.Window, window, 0)
	read.Deadline = c.atMost("plan.deadline", plan.Deadline, 0, 0)
	read.MinRequests = rollout.DefaultMinRequests
	if plan.MinRequests != 0 {
		read.MinRequests = plan.MinRequests
	}
	read.Failures = rollout.DefaultFailures
	if plan.Failures != 0 {
		read.Failures = plan.Failures
	}
	switch plan.OnFail {
	case "", "rollback":
	case "pause":
		read.PauseOnFail = true
	default:
		c.fail("plan."+c.spelled("on_fail"), "%q: there are rollback and pause", plan.OnFail)
	}
	for i, text := range plan.Only {
		hours, err := rollout.ParseHours(text)
		if err != nil {
			c.fail(fmt.Sprintf("plan.only[%d]", i), "%v", err)
		}
		read.Only = append(read.Only, hours)
	}
}

func (c *checker) checks(config Config, p *checked) *analysis.Checks {
	plan := config.Plan
	settings := analysis.Settings{
		Variants: p.variants, Candidate: p.candidate, Every: p.plan.Every, Window: p.plan.Window, MinRequests: p.plan.MinRequests,
		Alpha: c.alpha(plan.Alpha), Prometheus: p.outside.asks, Mirrored: p.comparedVariants(),
	}
	if p.goals != nil {
		settings.Goals = p.goals.names
	}
	for _, step := range p.plan.Steps {
		if step.Weight < balance.Full || step.For > 0 || step.Manual || step.Confirm != "" {
			settings.Steps++ // manual ones too: somebody looks at them for as long
		}
	}
	checks, problems := analysis.ParseChecks(plan.Checks, settings)
	for i := range problems {
		for _, problem := range problems[i] {
			c.fail(fmt.Sprintf("plan.checks[%d]", i), "%v", problem)
		}
	}
	if len(c.problems) == 0 && !p.observe && checks.Watches() {
		c.fail("observe", "the plan's checks look at outcomes of requests, which are not watched: leave this out, or check by prometheus() alone")
	}
	return checks
}

func (c *checker) alpha(text string) float64 {
	if text == "" {
		return defaultAlpha
	}
	share, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(share >= 0.01 && share <= 20) { // NaN is neither less nor more
		c.fail("plan.alpha", "%q is not a percentage from 0.01%% to 20%%, such as 1%%", text)
		return defaultAlpha
	}
	return share / 100
}

// asWritten returns a path in a plan as the user wrote it: steps may have been sorted, and keys are spelled as elsewhere.
func (c *checker) asWritten(path string, order []int) string {
	for sorted, written := range order {
		prefix := fmt.Sprintf("steps[%d]", sorted)
		if path == prefix || strings.HasPrefix(path, prefix+".") {
			return fmt.Sprintf("steps[%d]%s", written, path[len(prefix):])
		}
	}
	return c.spelled(path)
}

// derivedRevision names what is being released where the user does not: the candidate's name, addresses and selector. It
// is empty for a variant that the gateway reaches in a way of its own.
func derivedRevision(config Config, variants []string, candidate int) string {
	if candidate == 0 {
		return ""
	}
	for _, v := range config.Variants {
		if v.Name != variants[candidate] {
			continue
		}
		var parts []string
		scratch := &checker{} // what is wrong with an upstream is said elsewhere
		for _, item := range v.Upstreams {
			upstream, _ := scratch.upstream("", item)
			parts = append(parts, upstream.Name)
		}
		sort.Strings(parts)
		for _, key := range sortedKeys(v.Where) {
			parts = append(parts, fmt.Sprintf("%s=%v", key, v.Where[key]))
		}
		if len(parts) == 0 {
			return ""
		}
		return fingerprint(v.Name, strings.Join(parts, "\x00"))
	}
	return ""
}

// released returns what the controller is to know of a configuration.
func (p *checked) released() rollout.Release {
	declared := make([]string, 0, len(p.variants))
	weights := append([]balance.Weight(nil), p.weights...)
	weights[0] = balance.Full
	for i, name := range p.variants {
		if i > 0 {
			declared = append(declared, name+"="+p.weights[i].String())
			weights[0] -= p.weights[i]
		}
	}
	r := rollout.Release{Revision: p.revision, Variants: p.variants, Weights: weights, Candidate: p.candidate, Plan: p.plan}
	r.Declaration = fingerprint(p.salt, p.variants[0], strings.Join(declared, " "))
	if p.plan != nil {
		r.Ends = p.ends
	}
	return r
}
