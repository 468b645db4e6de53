package analysis

import (
	"fmt"
	"go/token"
	"math"
	"strings"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// evaluation is one look at a trial, through the window of one check after the other.
type evaluation struct {
	checks *Checks
	look   Look
	level  float64 // of each test

	window  window // of the check that is looked at
	figures map[string]float64
	saw     []string // what was measured for the comparison that is looked at
}

// outcome is what a condition says, and why: what was seen of the parts that made it so.
type outcome struct {
	verdict rollout.Verdict
	why     string
	test    *finding // the test that says so; nil: there is none
}

// level returns the level of each test of a look.
func (c *Checks) level(look Look) float64 {
	steps, tests := c.shares(look)
	return level(c.settings.Alpha, steps, look.For, c.settings.Every, look.Number, tests)
}

// levelEver returns the level of a test that stays right however often it looks.
func (c *Checks) levelEver(look Look) float64 {
	steps, tests := c.shares(look)
	return c.settings.Alpha / float64(steps) / float64(tests)
}

// shares returns among how many steps, and tests in each look, the level is shared.
func (c *Checks) shares(look Look) (steps, tests int) {
	steps = c.settings.Steps
	tests = c.tests
	if steps < 1 {
		steps = 1
	}
	if tests < 1 {
		tests = 1
	}
	if look.Judges > 1 {
		tests *= look.Judges
	}
	return steps, tests
}

// Evaluate says what the checks make of a trial: fail if any fails, else hold if any cannot tell, else pass. Where the
// candidate is alone, what needs the baseline is skipped, as is what waits for requests where there are none; nothing left
// to check is a pass.
func (c *Checks) Evaluate(t *Trial, look Look) Result {
	t.Turn(look.Elapsed)
	moments := t.present()
	e := &evaluation{checks: c, look: look, level: c.level(look)}
	result := Result{Verdict: rollout.Pass, Reason: "nothing to check"}
	result.Requests = moments[len(moments)-1].arms[c.settings.candidate()].requests
	passed, decided := 0, false
	for _, check := range c.checks {
		if look.Alone && check.baseline {
			continue
		}
		e.window = back(moments, c.settings.Window, check.needs)
		e.figures = map[string]float64{}
		o := e.condition(check.root)
		if o.verdict == rollout.Hold && look.Dark && c.mirrored && check.watches {
			continue
		}
		if o.verdict == rollout.Pass {
			passed++
		}
		if !decided || and(result.Verdict, o.verdict) != result.Verdict {
			decided = true
			result.Verdict = o.verdict
			result.Reason = shortened(check.text, 100) + ": " + shortened(o.why, 200)
			result.Figures = e.described(o)
		}
	}
	if result.Verdict == rollout.Pass && passed > 1 {
		result.Reason += fmt.Sprintf(", and %d more passed", passed-1)
	}
	return result
}

// described returns what was measured, and by which test it was judged.
func (e *evaluation) described(o outcome) map[string]float64 {
	for i, name := range e.checks.settings.Variants {
		s := e.window.sample(i)
		e.figures[name+"_requests"] = float64(s.requests())
		if s.requests() > 0 {
			e.figures[name+"_error_rate"] = float64(s.failures()) / float64(s.requests())
		}
	}
	if o.test != nil {
		e.figures["p_value"] = o.test.p
		e.figures["level"] = o.test.level
		e.figures["dispersion"] = o.test.dispersion
	}
	return e.figures
}

func (e *evaluation) condition(n *node) outcome {
	switch n.kind {
	case always:
		return outcome{verdict: truth(true, n.number != 0), why: "always " + n.text}
	case negation:
		o := e.condition(n.left)
		o.verdict = not(o.verdict)
		return o
	case conjunction, disjunction:
		left := e.condition(n.left)
		right := e.condition(n.right)
		verdict := and(left.verdict, right.verdict)
		if n.kind == disjunction {
			verdict = or(left.verdict, right.verdict)
		}
		return joined(verdict, left, right)
	case limited:
		return e.limited(n)
	case worse:
		return e.worse(n)
	case awaited:
		return e.awaited(n)
	}
	e.saw = nil
	left := e.number(n.left)
	right := e.number(n.right)
	return outcome{
		verdict: truth(left.known && right.known, related(n.op, left.value, right.value)),
		why:     strings.Join(e.saw, ", "),
	}
}

// joined explains a verdict by those of two outcomes that say the same.
func joined(verdict rollout.Verdict, left, right outcome) outcome {
	if left.verdict != verdict {
		return right
	}
	if right.verdict == verdict {
		left.why += "; " + right.why
		if left.test == nil {
			left.test = right.test
		}
	}
	return left
}

// awaited compares how many requests there were since the trial began. There will be more: so true is what stays true, false
// what stays false, and the rest is not known yet.
func (e *evaluation) awaited(n *node) outcome {
	count := float64(e.window.to().arms[n.left.variant].requests)
	verdict := rollout.Hold
	is := related(n.op, count, n.number)
	ever := related(n.op, math.Inf(1), n.number) // what it is in the end
	if is == ever && (n.op != token.EQL && n.op != token.NEQ || count > n.number) {
		verdict = truth(true, is)
	}
	return outcome{verdict: verdict, why: fmt.Sprintf("%.0f requests", count)}
}

// percent writes a share for people.
func percent(k, n int64) string {
	if n == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.3g%%", 100*float64(k)/float64(n))
}

// shortened returns a text as one line of at most so many characters.
func shortened(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-3]) + "..."
}
