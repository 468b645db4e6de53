package rollout

import (
	"fmt"
	"net/url"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// What a plan does where its configuration says nothing.
const (
	DefaultEvery       = 10 * time.Second
	DefaultWindow      = time.Minute
	DefaultMinRequests = 50
	DefaultFailures    = 2
)

// Plan moves a candidate forward, step by step.
type Plan struct {
	// Steps are what it goes through, in order. At least one.
	Steps []Step

	// Every is the time from one evaluation to the next: a second at least.
	Every time.Duration

	// Window is how far an evaluation looks back: Every at least.
	Window time.Duration

	// MinRequests is how many requests of a variant an evaluation wants to see, and how many new ones make another failed
	// evaluation another incident. At least 1.
	MinRequests int64

	// Failures is how many failed evaluations in a row are too many. At least 1.
	Failures int

	// PauseOnFail pauses the rollout then, for somebody to look at it. False: it is rolled back.
	PauseOnFail bool

	// Deadline is how long a step may hold after its time before that is reported as stalled. 0: for ever.
	Deadline time.Duration

	// Only are the hours in which the plan goes on by itself: it begins and ends steps in any of them. Empty: always.
	Only []*Hours
}

// Step is a share of traffic for the candidate, and what has to be before the next.
type Step struct {
	// Weight is the candidate's share. 0 in the first step: rules alone lead to it.
	Weight balance.Weight

	// For is how long the step lasts at least. 0: until an evaluation passes. A last step of 100% with neither For nor
	// Manual nor Confirm promotes when it is entered; with For it is a bake.
	For time.Duration

	// Manual waits for somebody to promote, whatever the evaluations say.
	Manual bool

	// Confirm is a URL that is asked when nothing else keeps the step from ending; the step ends when it answers 2xx.
	// Empty: nobody is asked.
	Confirm string
}

// Problem is something wrong with a plan.
type Problem struct {
	Path string // where in the plan, such as "steps[2].for"; positions count from 0
	Text string // what, the value, and the way out
}

// Check returns everything that is wrong with a plan beside which the other variants, without candidate and baseline,
// weigh so much.
func (p *Plan) Check(others balance.Weight) []Problem {
	var problems []Problem
	fail := func(path, format string, args ...any) {
		problems = append(problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if len(p.Steps) == 0 {
		fail("steps", "a plan needs at least one step, such as 10%% 30m")
	}
	for i := range p.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		p.Steps[i].check(path, fail)
		if weight := p.Steps[i].Weight; i > 0 && weight <= p.Steps[i-1].Weight {
			fail(path+".weight", "%s does not come after %s: every step is larger than the one before", weight.String(), p.Steps[i-1].Weight.String())
		}
	}
	if n := len(p.Steps); n > 0 {
		last := p.Steps[n-1]
		path := fmt.Sprintf("steps[%d]", n-1)
		if last.Weight != balance.Full && !last.Manual {
			fail(path, "the last step is %s and ends by itself: end the plan with 100%%, or make the step manual", last.Weight.String())
		}
		if last.Weight+others > balance.Full {
			fail(path+".weight", "%s beside the other variants' %s is more than 100%%: give the others less, or end with a manual step of %s at most",
				last.Weight.String(), others.String(), (balance.Full - others).String())
		}
	}
	p.checkEvaluation(fail)
	return problems
}

func (s Step) check(path string, fail func(path, format string, args ...any)) {
	if s.Weight < 0 || s.Weight > balance.Full {
		fail(path+".weight", "a weight is from 0%% to 100%%")
	}
	if s.For < 0 {
		fail(path+".for", "%s is less than nothing: write a duration such as 30m", s.For.String())
	}
	if s.Manual && s.For != 0 {
		fail(path, "a manual step lasts until somebody promotes: leave out its duration %s, or manual", s.For.String())
	}
	if s.Manual && s.Confirm != "" {
		fail(path, "a manual step ends when somebody promotes, whatever a confirm says: leave out one of them")
	}
	if s.Confirm != "" {
		if u, err := url.Parse(s.Confirm); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			fail(path+".confirm", "not a URL such as https://gate.example/approve") // its text may hold a secret
		}
	}
}

func (p *Plan) checkEvaluation(fail func(path, format string, args ...any)) {
	if p.Every < time.Second {
		fail("every", "%s is too often: a second at least, such as 10s", p.Every.String())
	}
	if p.Window < p.Every {
		fail("window", "%s is less than the %s from one evaluation to the next: some requests would never be seen", p.Window.String(), p.Every.String())
	}
	if p.MinRequests < 1 {
		fail("min_requests", "%d is too few: at least 1", p.MinRequests)
	}
	if p.Failures < 1 {
		fail("failures", "%d is too few: at least 1", p.Failures)
	}
	if p.Deadline < 0 {
		fail("deadline", "%s is less than nothing: write a duration such as 24h", p.Deadline.String())
	}
}

// promotesAtOnce reports whether the candidate is promoted as soon as the step is entered.
func (s Step) promotesAtOnce() bool {
	return s.Weight == balance.Full && s.For == 0 && !s.Manual && s.Confirm == ""
}

// open reports whether a plan may go on by itself at a time.
func (p *Plan) open(now time.Time) bool {
	for _, hours := range p.Only {
		if hours.Contain(now) {
			return true
		}
	}
	return len(p.Only) == 0
}

// sameSteps reports whether two plans have the same steps.
func (p *Plan) sameSteps(other *Plan) bool {
	if p == nil || other == nil || len(p.Steps) != len(other.Steps) {
		return false
	}
	for i := range p.Steps {
		if p.Steps[i] != other.Steps[i] {
			return false
		}
	}
	return true
}
