package analysis

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// load is what a variant does.
type load struct {
	requests int           // a second
	failing  int           // every how many-th fails; 0: none
	latency  time.Duration // of every answer. 0: 20 ms
	dead     bool          // none is answered
}

// play lets two variants do something for so many seconds, and returns how long the trial lasts then.
func play(trial *Trial, seconds int, loads ...load) time.Duration {
	for second := 1; second <= seconds; second++ {
		for variant, l := range loads {
			if l.latency == 0 {
				l.latency = 20 * time.Millisecond
			}
			before := int(trial.now/time.Second) * l.requests
			failures := 0
			if l.failing > 0 {
				failures = (before+l.requests)/l.failing - before/l.failing
			}
			for i := 0; l.dead && i < l.requests; i++ {
				Unanswered(trial.Arm(variant))
			}
			if !l.dead {
				AnsweredAlike(trial.Arm(variant), int64(failures), true, l.latency)
				AnsweredAlike(trial.Arm(variant), int64(l.requests-failures), false, l.latency)
			}
		}
		trial.Turn(trial.now + time.Second)
	}
	return trial.now
}

func parsed(t *testing.T, texts ...string) *Checks {
	t.Helper()
	checks, problems := ParseChecks(texts, everything)
	if checks == nil {
		t.Fatal(problems)
	}
	return checks
}

func newTrial() *Trial { return NewTrial(everything.Variants) }

var healthy = load{requests: 20, failing: 200}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name    string
		check   string
		seconds int
		stable  load
		canary  load
		want    rollout.Verdict
		reason  string // a part of it
	}{
		{"healthy", "", 120, healthy, healthy, rollout.Pass, `!worse("canary"): 0.5% of 1200 requests failed, and 0.5% of the baseline's 1200`},
		{"no traffic", "", 120, healthy, load{}, rollout.Hold, `!worse("canary"): 0 requests of "canary", and 50 are wanted`},
		{"no traffic at all", "", 120, load{}, load{}, rollout.Hold, `0 requests of "canary"`},
		{"no baseline", "", 120, load{}, healthy, rollout.Hold, `0 requests of "stable", and 50 are wanted`},
		{"errors", "", 120, healthy, load{requests: 2, failing: 4}, rollout.Fail, `!worse("canary"): 25% of`},
		{"dead", "", 120, healthy, load{requests: 1, dead: true}, rollout.Fail, `!worse("canary"): 100% of`},
		{"dead from the first minute", "", 20, healthy, load{requests: 5, dead: true}, rollout.Fail, `!worse("canary"): 100% of`},
		{"slow", "", 300, healthy, load{requests: 10, failing: 200, latency: 40 * time.Millisecond}, rollout.Fail, `answers took longer than`},
		{"faster", "", 300, healthy, load{requests: 10, failing: 200, latency: 10 * time.Millisecond}, rollout.Pass, `requests failed`},
		{"too many errors", `error_rate("canary") <= 0.01`, 120, healthy, load{requests: 10, failing: 10}, rollout.Fail,
			`error_rate("canary") <= 0.01: 10% of`},
		{"few errors", `error_rate("canary") <= 0.01`, 120, healthy, healthy, rollout.Pass, `error_rate("canary") <= 0.01: 0.5% of 1200 requests`},
		{"as many errors as may be", `error_rate("canary") <= 0.01`, 120, healthy, load{requests: 10, failing: 100}, rollout.Pass, `1% of 600`},
		{"as many errors as may not be", `error_rate("canary") < 0.01`, 120, healthy, load{requests: 10, failing: 100}, rollout.Hold, `1% of`},
		{"one error too many", `error_rate("canary") <= 0.01`, 60, healthy, load{requests: 1, failing: 40}, rollout.Hold, `1.67% of 60 requests (p = `},
		{"not enough requests", `error_rate("canary") <= 0.01`, 49, healthy, load{requests: 1}, rollout.Hold, `49 requests, and 50 are wanted`},
		{"enough requests", `error_rate("canary") <= 0.01`, 50, healthy, load{requests: 1}, rollout.Pass, `0% of 50 requests`},
		{"not enough yet", `error_rate("canary") > 0.01`, 49, healthy, load{requests: 1, dead: true}, rollout.Hold, `49 requests, and 50 are wanted`},
		{"the limit first", `0.01 >= error_rate("canary")`, 120, healthy, load{requests: 10, failing: 10}, rollout.Fail, `10% of`},
		{"errors are wanted", `error_rate("canary") > 0.01`, 120, healthy, load{requests: 10, failing: 10}, rollout.Pass, `10% of`},
		{"errors are wanted, and none come", `error_rate("canary") > 0.01`, 120, healthy, load{requests: 10}, rollout.Fail, `0% of`},
		{"errors are wanted, as many", `error_rate("canary") >= 0.01`, 120, healthy, load{requests: 10, failing: 100}, rollout.Hold, `1% of`},
		{"success", `success_rate("canary") >= 0.9`, 120, healthy, load{requests: 10, failing: 10}, rollout.Pass, `90% of 600 requests`},
		{"no success", `success_rate("canary") >= 0.9`, 120, healthy, load{requests: 10, failing: 2}, rollout.Fail, `50% of`},
		{"more success", `success_rate("canary") > 0.9`, 120, healthy, load{requests: 10, failing: 10}, rollout.Hold, `90% of`},
		{"within the latency", `latency_ms("canary", 0.99) <= 25`, 120, healthy, healthy, rollout.Pass, `20.45 ms of 1200 answers, 0% of 1200 took longer than 25 ms`},
		{"within seconds", `latency_ms("canary", 0.99) <= 2000000`, 120, healthy, load{requests: 20, latency: 12 * time.Second}, rollout.Pass,
			`: 12080 ms of 1200 answers, 0% of 1200 took longer than 2000000 ms`},
		{"slower by seconds", "", 300, load{requests: 10, latency: 11 * time.Second}, load{requests: 10, latency: 40 * time.Second}, rollout.Fail,
			`% of 3000 answers took longer than 12`},
		{"many requests", `requests("canary") > 2 * requests("stable")`, 600, healthy, load{requests: 40}, rollout.Fail, `requests("canary") is 24000, requests("stable") is 12000`},
		{"beyond the latency", `latency_ms("canary", 0.99) <= 15`, 120, healthy, healthy, rollout.Fail, `100% of`},
		{"not enough for a quantile", `latency_ms("canary", 0.99) <= 25`, 49, healthy, load{requests: 10}, rollout.Hold, `490 answers, and 500 are wanted`},
		{"enough for a quantile", `latency_ms("canary", 0.99) <= 25`, 50, healthy, load{requests: 10}, rollout.Pass, `500 answers`},
		{"enough for a median", `latency_ms("canary", 0.5) <= 25`, 49, healthy, load{requests: 1}, rollout.Hold, `49 answers, and 50 are wanted`},
		{"no answers", `latency_ms("canary", 0.99) <= 25`, 120, healthy, load{requests: 10, dead: true}, rollout.Hold, `0 answers`},
		{"measured", `latency_ms("canary", 0.5) <= 1.2 * latency_ms("stable", 0.5)`, 120, healthy, healthy, rollout.Pass,
			`latency_ms("canary", 0.5) is 20.45, latency_ms("stable", 0.5) is 20.45`},
		{"measured, and more", `error_rate("canary") - error_rate("stable") < 0.05`, 120, healthy, load{requests: 10, failing: 10}, rollout.Fail,
			`error_rate("canary") is 0.1, error_rate("stable") is 0.005`},
		{"not measured", `error_rate("canary") - error_rate("stable") < 0.05`, 120, load{}, healthy, rollout.Hold, `error_rate("stable") is not known`},
		{"divided by zero", `error_rate("canary") / error_rate("stable") < 2`, 120, load{requests: 1}, healthy, rollout.Hold, `error_rate("stable") is 0`},
		{"either", `error_rate("canary") <= 0.01 || error_rate("b") <= 0.01`, 120, healthy, healthy, rollout.Pass, `|| error_rate("b") <= 0.01: 0.5% of 2400 requests`},
		{"both", `error_rate("canary") <= 0.01 && error_rate("b") <= 0.01`, 120, healthy, healthy, rollout.Hold,
			`error_rate("b") <= 0.01: 0 requests, and 50 are wanted`},
		{"not both", `!(error_rate("canary") <= 0.01 && error_rate("b") <= 0.01)`, 120, healthy, load{requests: 10, failing: 10}, rollout.Pass, `: 10% of`},
		{"neither", `error_rate("canary") <= 0.01 || false`, 120, healthy, load{requests: 10, failing: 10}, rollout.Fail, `(p = `},
		{"nothing", `true`, 0, load{}, load{}, rollout.Pass, `true: always true`},
	} {
		var checks *Checks
		if test.check == "" {
			checks = parsed(t)
		} else {
			checks = parsed(t, test.check)
		}
		trial := newTrial()
		elapsed := play(trial, test.seconds, test.stable, test.canary)
		result := checks.Evaluate(trial, Look{Elapsed: elapsed, For: 10 * time.Minute, Number: 1})
		if result.Verdict != test.want || !strings.Contains(result.Reason, test.reason) {
			t.Errorf("%s: %s, want %s because of %s\n%s", test.name, string(result.Verdict), string(test.want), test.reason, result.Reason)
		}
		if want := int64(test.seconds * test.canary.requests); result.Requests != want {
			t.Errorf("%s: %d requests, want %d", test.name, result.Requests, want)
		}
	}
}

func TestWhatMayStillComeIsNotKnown(t *testing.T) {
	trial := newTrial()
	elapsed := play(trial, 10, load{}, load{requests: 10})
	for op, want := range map[string][3]rollout.Verdict{ // for 99, 100 and 101, of 100 requests
		"<":  {rollout.Fail, rollout.Fail, rollout.Hold},
		"<=": {rollout.Fail, rollout.Hold, rollout.Hold},
		">":  {rollout.Pass, rollout.Hold, rollout.Hold},
		">=": {rollout.Pass, rollout.Pass, rollout.Hold},
		"==": {rollout.Fail, rollout.Hold, rollout.Hold},
		"!=": {rollout.Pass, rollout.Hold, rollout.Hold},
	} {
		for i, verdict := range want {
			check := fmt.Sprintf(`requests("canary") %s %d`, op, 99+i)
			result := parsed(t, check).Evaluate(trial, Look{Elapsed: elapsed, Number: 1})
			if result.Verdict != verdict || !strings.HasSuffix(result.Reason, ": 100 requests") {
				t.Errorf("%s with 100: %s, want %s: %s", check, string(result.Verdict), string(verdict), result.Reason)
			}
		}
	}
}

func TestAnswersOfOthers(t *testing.T) {
	look := Look{Number: 1, Prometheus: map[string]float64{"half": 0.5, "nan": math.NaN(), "inf": math.Inf(1)}}
	look.Mirror = func(variant string) Mirrored {
		if variant != "canary" {
			return Mirrored{Compared: 49, Different: 49, Share: 1}
		}
		return Mirrored{Compared: 200, Different: 50, Share: 0.25}
	}
	look.Conversion = func(variant, goal string) (reached, clients int64) {
		switch {
		case variant == "b" && goal == "buy":
			return 100, 1000
		case variant == "canary" && goal == "buy":
			return 40, 1000
		}
		return 0, 0
	}
	for check, want := range map[string]rollout.Verdict{
		`prometheus("half") < 0.6`:                             rollout.Pass,
		`prometheus("half") == 0.5`:                            rollout.Pass,
		`prometheus("half") != 0.5`:                            rollout.Fail,
		`prometheus("half") * 2 + 1 > 2.5`:                     rollout.Fail,
		`-prometheus("half") < 0`:                              rollout.Pass,
		`prometheus("nan") < 1`:                                rollout.Hold,
		`prometheus("nan") < 1 || true`:                        rollout.Pass,
		`prometheus("nan") != prometheus("nan")`:               rollout.Hold,
		`prometheus("inf") > 1`:                                rollout.Hold,
		`prometheus("none") == 0`:                              rollout.Hold,
		`mirror_mismatch("canary") <= 0.25`:                    rollout.Pass,
		`mirror_mismatch("b") <= 0.25`:                         rollout.Hold,
		`mirror_mismatch("canary") < 0.25`:                     rollout.Hold,
		`mirror_mismatch("canary") <= 0.1`:                     rollout.Fail,
		`mirror_mismatch("canary") > 0.1`:                      rollout.Pass,
		`mirror_mismatch("canary") <= 0`:                       rollout.Fail,
		`mirror_mismatch("canary") == 0`:                       rollout.Fail,
		`mirror_mismatch("b") == 1`:                            rollout.Hold,
		`conversion("b", "buy") >= 0.1`:                        rollout.Pass,
		`conversion("b", "buy") > 0.1`:                         rollout.Hold,
		`conversion("canary", "buy") >= 0.1`:                   rollout.Fail,
		`conversion("canary", "buy") >= 0.041`:                 rollout.Hold,
		`conversion("canary", "buy") < conversion("b", "buy")`: rollout.Pass,
		`conversion("b", "goal") >= 0.1`:                       rollout.Hold,
		`conversion("b", "buy") > conversion("stable", "buy")`: rollout.Hold,
	} {
		if result := parsed(t, check).Evaluate(newTrial(), look); result.Verdict != want {
			t.Errorf("%s: %s, want %s", check, result.Reason, string(want))
		}
		if result := parsed(t, check).Evaluate(newTrial(), Look{Number: 1}); result.Verdict != rollout.Hold && !strings.Contains(check, "true") {
			t.Errorf("%s, unanswered: %s", check, result.Reason)
		}
	}
}

func TestTheWorstOfAllChecksDecides(t *testing.T) {
	for _, test := range []struct {
		checks []string
		want   rollout.Verdict
		reason string
	}{
		{[]string{`true`, `true || worse("b")`, `prometheus("up") == 1`}, rollout.Pass, "true: always true, and 2 more passed"},
		{[]string{`prometheus("up") < 1`, `true`, `prometheus("x") == 1`, `false`}, rollout.Fail, `prometheus("up") < 1: prometheus("up") is 1`},
		{[]string{`prometheus("x") == 1`, `true`}, rollout.Hold, `prometheus("x") == 1: prometheus("x") is not known`},
		{[]string{`true`, `prometheus("x") == 1`, `worse("b")`}, rollout.Hold, `prometheus("x") == 1: prometheus("x") is not known`},
		{[]string{`prometheus("x") == 1`, `true`, `prometheus("up") < 1`, `false`}, rollout.Fail, `prometheus("up") < 1: prometheus("up") is 1`},
	} {
		result := parsed(t, test.checks...).Evaluate(newTrial(), Look{Number: 1, Prometheus: map[string]float64{"up": 1}})
		if result.Verdict != test.want || result.Reason != test.reason {
			t.Errorf("%v: %s: %s", test.checks, string(result.Verdict), result.Reason)
		}
	}
}

func TestTheOrderOfChecksDoesNotMatter(t *testing.T) {
	texts := []string{`true`, `prometheus("x") == 1`, `false`}
	values := []rollout.Verdict{rollout.Pass, rollout.Hold, rollout.Fail}
	for n := 0; n < 27; n++ {
		i, j, k := n%3, n/3%3, n/9
		want := and(and(values[i], values[j]), values[k])
		for _, checks := range [][]string{{texts[i], texts[j], texts[k]}, {texts[i] + " && " + texts[j], texts[k]}} {
			if result := parsed(t, checks...).Evaluate(newTrial(), Look{Number: 1}); result.Verdict != want {
				t.Errorf("%v: %s: %s", checks, string(result.Verdict), result.Reason)
			}
		}
	}
}

func TestAloneTheCandidateIsNotCompared(t *testing.T) {
	trial := newTrial()
	elapsed := play(trial, 120, load{}, load{requests: 10, failing: 10})
	for _, test := range []struct {
		checks []string
		want   rollout.Verdict
	}{
		{nil, rollout.Pass},
		{[]string{`!worse("canary")`, `error_rate("canary") < 2 * error_rate("stable")`, `requests("stable") > 5`}, rollout.Pass},
		{[]string{`!worse("canary")`, `error_rate("canary") <= 0.01`}, rollout.Fail},
		{[]string{`(!worse("canary") && error_rate("canary") <= 0.01)`}, rollout.Fail},
		{[]string{`!worse("canary") || error_rate("canary") <= 0.01`}, rollout.Pass},
	} {
		result := parsed(t, test.checks...).Evaluate(trial, Look{Elapsed: elapsed, Number: 1, Alone: true})
		if result.Verdict != test.want {
			t.Errorf("%v: %s: %s", test.checks, string(result.Verdict), result.Reason)
		}
		if result.Requests != 1200 {
			t.Errorf("%d requests, want 1200", result.Requests)
		}
	}
}

func TestFigures(t *testing.T) {
	trial := newTrial()
	elapsed := play(trial, 120, healthy, load{requests: 10, failing: 10})
	look := Look{Elapsed: elapsed, For: time.Hour, Number: 1, Prometheus: map[string]float64{"up": 1}}
	result := parsed(t, `error_rate("canary") <= 0.01 && prometheus("up") == 1`).Evaluate(trial, look)
	for name, want := range map[string]float64{
		"canary_requests": 600, "canary_error_rate": 0.1, "stable_requests": 1200, "stable_error_rate": 0.005, "b_requests": 0,
		"dispersion": 1,
	} {
		if got, ok := result.Figures[name]; !ok || got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	if p, level := result.Figures["p_value"], result.Figures["level"]; !(p > 0 && p < level && level < 0.01) {
		t.Errorf("p is %g at a level of %g", p, level)
	}
	result = parsed(t, `latency_ms("canary", 0.99) < 2 || prometheus("up") != 1`).Evaluate(trial, look)
	if result.Figures["canary_p99_ms"] != 20.447232 || result.Figures["prometheus_1"] != 1 || result.Figures["canary_requests"] != 600 {
		t.Errorf("figures %v", result.Figures)
	}
	for name, value := range result.Figures {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			t.Errorf("%s is %g", name, value)
		}
	}
	if len(result.Figures) > 20 {
		t.Errorf("%d figures", len(result.Figures))
	}
}

func TestReasonsAreShort(t *testing.T) {
	long := "prometheus(`" + strings.Repeat("é\n", 5000) + "`)"
	result := parsed(t, long+" > 1 || "+long+" > 2").Evaluate(newTrial(), Look{Number: 1})
	if n := len([]rune(result.Reason)); n > 400 || strings.Contains(result.Reason, "\n") {
		t.Errorf("a reason of %d characters: %s", n, result.Reason)
	}
}
