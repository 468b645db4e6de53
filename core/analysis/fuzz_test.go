package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// FuzzParseChecks: whatever somebody writes is a check that can be evaluated, or an error with a column; and the check in
// parentheses, and denied twice, says the same.
func FuzzParseChecks(f *testing.F) {
	for _, seed := range []string{
		`!worse("canary")`, `error_rate("canary") <= 0.01 && latency_ms("b", 0.9) < 5 || requests("canary") > 1`, `1%`, `-`, "`", `"`,
		`success_rate("canary") >= 1 - 1/100.0`, `prometheus("up") / conversion("b", "buy") != +mirror_mismatch("stable")`,
		`func() { for {} }() == 1`, `error_rate("canary") <= 0.01; true`, `((((1))))`, `a.b[c:d].(e)`, `!!!!true`, `1e308*10 < requests("b")`,
		`<-worse("canary")`, `*requests("b") > 1`, `requests("b"...) > 1`, `[]int{1}[0] < requests("b")`, "\x00", "é(\"\xff\")",
	} {
		f.Add(seed)
	}
	trial := newTrial()
	play(trial, 90, healthy, load{requests: 10, failing: 10})
	look := Look{Elapsed: 90 * time.Second, For: time.Minute, Number: 1, Prometheus: map[string]float64{"up": 1}}
	f.Fuzz(func(t *testing.T, text string) {
		checks, problems := ParseChecks([]string{text}, everything)
		if checks == nil {
			if len(problems[0]) == 0 {
				t.Error("refused without a word")
			}
			for _, problem := range problems[0] {
				if !strings.HasPrefix(problem.Error(), "column ") {
					t.Errorf("a problem without its column: %v", problem)
				}
			}
			return
		}
		result := checks.Evaluate(trial, look)
		if result.Verdict != rollout.Pass && result.Verdict != rollout.Fail && result.Verdict != rollout.Hold {
			t.Errorf("the verdict is %q", string(result.Verdict))
		}
		if strings.Contains(text, "//") || strings.Contains(text, "/*") { // comments, at whose end Go sees the end of a line
			return
		}
		same, problems := ParseChecks([]string{"!!(" + strings.TrimSpace(text) + ")"}, everything)
		if same == nil {
			t.Fatalf("in parentheses: %v", problems)
		}
		if again := same.Evaluate(trial, look); again.Verdict != result.Verdict {
			t.Errorf("denied twice it is %s instead of %s", string(again.Verdict), string(result.Verdict))
		}
	})
}
