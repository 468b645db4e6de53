package analysis

import (
	"fmt"
	"testing"
)

func TestDescribe(t *testing.T) {
	settings := Settings{Variants: []string{"stable", "canary"}, Candidate: 1}
	for _, test := range []struct{ text, want string }{
		{`!worse("canary")`, `[{!worse("canary") []}]`},
		{`error_rate("canary") <= 0.01`, `[{error_rate("canary") <= 0.01 [{error_rate canary 0 <= 0.01}]}]`},
		{`0.01 >= error_rate("canary")`, `[{0.01 >= error_rate("canary") [{error_rate canary 0 <= 0.01}]}]`},
		{`success_rate("canary") > 0.9`, `[{success_rate("canary") > 0.9 [{error_rate canary 0 < 0.1}]}]`},
		{`error_rate("stable") > 0.5`, `[{error_rate("stable") > 0.5 [{error_rate stable 0 > 0.5}]}]`},
		{`!(error_rate("canary") >= 0.5)`, `[{!(error_rate("canary") >= 0.5) [{error_rate canary 0 < 0.5}]}]`},
		{`latency_ms("canary", 0.99) < 500 && !worse("canary")`,
			`[{latency_ms("canary", 0.99) < 500 [{latency_ms canary 0.99 < 500}]} {!worse("canary") []}]`},
		{`latency_ms("canary", 0.5) < 100 || requests("canary") < 1000 || error_rate("canary") < 0.1`,
			`[{latency_ms("canary", 0.5) < 100 || requests("canary") < 1000 || error_rate("canary") < 0.1 [{latency_ms canary 0.5 < 100} {error_rate canary 0 < 0.1}]}]`},
	} {
		checks, problems := ParseChecks([]string{test.text}, settings)
		if checks == nil {
			t.Fatalf("%s: %v", test.text, problems)
		}
		if got := fmt.Sprint(checks.Describe()); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.text, got, test.want)
		}
	}
	checks, _ := ParseChecks(nil, settings)
	if got := fmt.Sprint(checks.Describe()); got != `[{!worse("canary") []}]` {
		t.Errorf("the default: %s", got)
	}
}
