package analysis

import (
	"strings"
	"testing"
)

// everything has a source for whatever a check may ask.
var everything = Settings{Variants: []string{"stable", "canary", "b"}, Candidate: 1, Prometheus: true, Mirrored: []string{"stable", "canary", "b"}, Goals: []string{"buy", "goal", "checkout"}}

// problemsOf returns what is wrong with a check, a line for each.
func problemsOf(text string, s Settings) string {
	_, problems := ParseChecks([]string{text}, s)
	var lines []string
	for _, problem := range problems[0] {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

func TestProblems(t *testing.T) {
	for _, test := range []struct{ check, want string }{
		{``, `column 1: empty expression: write a check such as error_rate("canary") <= 0.01`},
		{`error_rate("canary") <= `, `column 25: expected a value, found the end`},
		{`error_rate("canary") <= 1%`, `column 25: shares are numbers from 0 to 1: for 1% write 0.01`},
		{`(error_rate("canary") <= 0.7 %) && worse("canary")`, `column 26: shares are numbers from 0 to 1: for 0.7% write 0.007`},
		{`prometheus("rate(a{b=\"5%\"}[1m])") <`, `column 38: expected a value, found the end`},
		{`error_rate("canary") % 5 == 1`, `column 22: unknown operator %: checks know + - * / == != < <= > >= && || !`},
		{`error_rate("canary") & worse("canary")`, `column 22: unknown operator &: checks know + - * / == != < <= > >= && || !`},
		{`errorrate("canary") <= 0.01`, `column 1: unknown function "errorrate" (did you mean "error_rate"?)`},
		{`apdex("canary") <= 0.01`, `column 1: unknown function "apdex"; there are error_rate, success_rate, latency_ms, requests, worse, mirror_mismatch, conversion, prometheus`},
		{`error_rate("canery") <= 0.01`, `column 12: unknown variant "canery" (did you mean "canary"?)`},
		{`error_rate("green") <= 0.01`, `column 12: unknown variant "green"; there are stable, canary, b`},
		{`error_rate(canary) <= 0.01`, `column 12: error_rate takes a text in double quotes, not canary: write error_rate("canary")`},
		{`error_rate('canary') <= 0.01`, `column 12: single quotes: write texts in double quotes, "like this"`},
		{`error_rate() <= 0.01`, `column 1: write error_rate("canary")`},
		{`error_rate("canary", 1) <= 0.01`, `column 1: write error_rate("canary")`},
		{`error_rate <= 0.01`, `column 1: error_rate is a function: write error_rate("canary")`},
		{`error_rate`, `column 1: error_rate is a function: write error_rate("canary")`},
		{`error_rate("canary")`, `column 1: a number is not a condition: compare it, as in error_rate("canary") <= 0.01`},
		{`!error_rate("canary")`, `column 2: a number is not a condition: compare it, as in error_rate("canary") <= 0.01`},
		{`error_rate("canary") - 0.01`, `column 1: a number is not a condition: compare it, as in error_rate("canary") <= 0.01`},
		{`0.01`, `column 1: a number is not a condition: compare it, as in error_rate("canary") <= 0.01`},
		{`-error_rate("canary")`, `column 1: a number is not a condition: compare it, as in error_rate("canary") <= 0.01`},
		{`"canary"`, `column 1: not a condition: "canary" (write one such as error_rate("canary") <= 0.01)`},
		{`canary`, `column 1: not a condition: canary (write one such as error_rate("canary") <= 0.01)`},
		{`error_rate("canary") <= 1.5`, `column 25: error_rate("canary") is a share from 0 to 1, and never 1.5: for 1.5% write 0.015`},
		{`error_rate("canary") > 1`, `column 24: error_rate("canary") is a share from 0 to 1, and so never > 1: write a limit in between, such as 0.01`},
		{`error_rate("canary") <= 1`, `column 25: error_rate("canary") is a share from 0 to 1, and so always <= 1: write a limit in between, such as 0.01`},
		{`0 > success_rate("canary")`, `column 1: success_rate("canary") is a share from 0 to 1, and so never < 0: write a limit in between, such as 0.01`},
		{`success_rate("canary") >= 0.0`, `column 27: success_rate("canary") is a share from 0 to 1, and so always >= 0: write a limit in between, such as 0.01`},
		{`-0.5 < success_rate("canary")`, `column 1: success_rate("canary") is a share from 0 to 1, and never -0.5`},
		{`success_rate("canary") >= 99.9`, `column 27: success_rate("canary") is a share from 0 to 1, and never 99.9: for 99.9% write 0.999`},
		{`latency_ms("canary", 0.99) <= 0`, `column 31: latency_ms("canary", 0.99) is never 0: write milliseconds, such as 500`},
		{`latency_ms("canary", 99) <= 500`, `column 22: a quantile is between 0 and 1, which 99 is not: for 99% write 0.99`},
		{`latency_ms("canary", 1) <= 500`, `column 22: a quantile is between 0 and 1, which 1 is not`},
		{`latency_ms("canary", 0) <= 500`, `column 22: a quantile is between 0 and 1, which 0 is not`},
		{`latency_ms("canary", requests("b")) <= 500`, `column 22: a quantile is a constant between 0 and 1, not requests("b")`},
		{`latency_ms("canary") <= 500`, `column 1: write latency_ms("canary", 0.99)`},
		{`latency_ms("canary", 0.99) <= 500ms`, `column 34: expected the end, found ms`},
		{`worse("canary") == false`, "column 1: worse(\"canary\") is a condition, not a number: it stands alone, or with && || !\n" +
			"column 20: not a number: false (write one such as 0.01 or error_rate(\"canary\"))"},
		{`worse("stable")`, `column 7: "stable" is the baseline, with which worse compares: name another variant, such as "canary"`},
		{`error_rate("canary") < error_rate("b") < error_rate("stable")`, `column 22: a comparison is not a number: combine conditions with && and ||`},
		{`1 < 2`, `column 3: two constants are compared: name what is measured, as in error_rate("canary") <= 0.01`},
		{`error_rate("canary") / 0 < 1`, `column 22: a quotient by zero is never known`},
		{`error_rate("canary") <= 1e999`, `column 25: 1e999 is not a decimal number`},
		{`requests("canary") >= 0x10`, `column 23: 0x10 is not a decimal number`},
		{`requests("canary") >= 1e308 * 10`, `column 29: 1e308 * 10 is too large`},
		{`requests("canary") >= "10"`, `column 23: a text is not a number: "10" (write one such as 0.01 or error_rate("canary"))`},
		{`requests("canary") >= true`, `column 23: not a number: true (write one such as 0.01 or error_rate("canary"))`},
		{`prometheus("") < 1`, `column 12: the query is empty: write one of PromQL`},
		{`conversion("b", 5) > 0.1`, `column 17: conversion takes a text in double quotes, not 5: write conversion("canary", "goal")`},
		{`conversion("b", "by") > 0.1`, `column 17: unknown goal "by" (did you mean "buy"?)`},
		{`conversion("b") > 0.1`, `column 1: write conversion("canary", "goal")`},
		{`canary.error_rate() > 1`, `column 1: not a function: canary.error_rate (write one such as error_rate("canary"))`},
		{`worse("canary").x`, `column 1: not a condition: worse("canary").x (write one such as error_rate("canary") <= 0.01)`},
		{`{env.LIMIT} > error_rate("canary")`, `column 1: expected a value, found '{'`},
		{`"é" == "é" || wurse("canary")`, "column 1: a text is not a number: \"é\" (write one such as 0.01 or error_rate(\"canary\"))\n" +
			"column 8: a text is not a number: \"é\" (write one such as 0.01 or error_rate(\"canary\"))\n" +
			"column 15: unknown function \"wurse\" (did you mean \"worse\"?)"},
	} {
		if got := problemsOf(test.check, everything); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.check, got, test.want)
		}
	}
}

func TestFunctionsWithoutASource(t *testing.T) {
	nothing := Settings{Variants: []string{"stable", "canary"}, Candidate: 1}
	for check, want := range map[string]string{
		`prometheus("up") == 1`:                  "column 1: prometheus() needs a server: configure prometheus with its URL",
		`mirror_mismatch("canary") < 0.1`:        `column 17: no mirror compares the answers of "canary": configure one to it that compares, such as the status`,
		`conversion("canary", "checkout") > 0.1`: "column 1: conversion() needs a goal that is counted: configure one",
	} {
		if got := problemsOf(check, nothing); got != want {
			t.Errorf("%s: got %q, want %q", check, got, want)
		}
		if got := problemsOf(check, everything); got != "" {
			t.Errorf("%s: got %q", check, got)
		}
	}
}

func TestProblemsOfAllChecksAtOnce(t *testing.T) {
	checks, problems := ParseChecks([]string{`worse("canary")`, `worse("x")`, ``}, everything)
	if checks != nil || len(problems) != 3 || len(problems[0]) != 0 || len(problems[1]) != 1 || len(problems[2]) != 1 {
		t.Errorf("got %v", problems)
	}
}

func TestQueries(t *testing.T) {
	checks, problems := ParseChecks([]string{
		`prometheus("up{job=\"shop\"}") == 1 && prometheus("b") < prometheus("a")`, "prometheus(`b`) > 0",
	}, everything)
	if checks == nil {
		t.Fatal(problems)
	}
	if got := strings.Join(checks.Queries(), " | "); got != `up{job="shop"} | b | a` {
		t.Errorf("got %s", got)
	}
	if checks.Watches() {
		t.Error("queries are no outcomes of requests")
	}
}

func TestWhatChecksLookAt(t *testing.T) {
	for check, want := range map[string]struct {
		tests             int
		baseline, watches bool
	}{
		`!worse("canary")`:                                {3, true, true},
		`error_rate("canary") <= 0.01`:                    {1, false, true},
		`0.99 <= success_rate("canary")`:                  {1, false, true},
		`error_rate("canary") == 0.01`:                    {0, false, true},
		`latency_ms("b", 0.5) < 10 || worse("b")`:         {4, true, true},
		`error_rate("canary") < 2 * error_rate("stable")`: {0, true, true},
		`requests("canary") > 10`:                         {0, false, true},
		`mirror_mismatch("stable") < 0.1`:                 {1, true, false},
		`conversion("canary", "buy") > 0.1 || true`:       {1, false, false},
	} {
		checks, problems := ParseChecks([]string{check}, everything)
		if checks == nil {
			t.Fatalf("%s: %v", check, problems)
		}
		if checks.tests != want.tests || checks.checks[0].baseline != want.baseline || checks.watches != want.watches {
			t.Errorf("%s: %d tests, baseline %v, watches %v", check, checks.tests, checks.checks[0].baseline, checks.watches)
		}
	}
}

func TestWithoutChecksTheCandidateMustNotBeWorse(t *testing.T) {
	checks, problems := ParseChecks(nil, everything)
	if len(problems) > 0 && len(problems[0]) > 0 {
		t.Fatal(problems)
	}
	if len(checks.checks) != 1 || checks.checks[0].text != `!worse("canary")` {
		t.Errorf("got %d checks", len(checks.checks))
	}
	checks, _ = ParseChecks(nil, Settings{Variants: []string{"stable"}})
	if len(checks.checks) != 0 {
		t.Error("without a candidate there is a check")
	}
}
