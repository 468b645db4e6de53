package core

import (
	"testing"
)

// planned is checkout with a plan for the canary, in the place of its weight.
func planned() Config {
	config := checkout()
	config.Revision = "v2"
	config.Variants[1].Weight = ""
	config.Plan = Plan{Candidate: "canary", Steps: []Step{{Weight: "10%", For: "10m"}, {Weight: "50%", Manual: true}}}
	return config
}

func TestMistakesInPlans(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"nothing", func(c *Config) {}, ""},
		{"everything", func(c *Config) {
			c.Plan.Checks = []string{`!worse("canary")`, `error_rate("canary") <= 0.01`}
			c.Plan.Every, c.Plan.Window, c.Plan.Deadline, c.Plan.Alpha, c.Plan.OnFail = "5s", "2m", "24h", "0.5%", "pause"
			c.Plan.Only = []string{"Mon-Fri 09:00-17:00 Europe/Berlin", "Sat"}
			c.Plan.MinRequests, c.Plan.Failures = 200, 3
			c.Plan.Steps[0].Confirm = "https://gate.example/ok"
		}, ""},
		{"no steps", func(c *Config) { c.Plan.Steps = nil }, `plan.steps: a plan needs at least one step, such as 10% for 30m`},
		{"no candidate", func(c *Config) { c.Plan.Candidate = "" }, `plan.candidate: which variant moves forward? There are canary, blue`},
		{"the only other one", func(c *Config) { c.Plan.Candidate = ""; c.Variants = c.Variants[:2]; c.Rules = nil }, ""},
		{"nobody else", func(c *Config) { c.Plan.Candidate = ""; c.Variants = c.Variants[:1]; c.Rules = nil }, `plan: there is no variant to move forward: a plan needs a second one`},
		{"the baseline", func(c *Config) { c.Plan.Candidate = "stable" }, `plan.candidate: "stable" is the baseline, from which the plan takes traffic: name another variant`},
		{"an unknown candidate", func(c *Config) { c.Plan.Candidate = "canry" }, `plan.candidate: unknown variant "canry" (did you mean "canary"?)`},
		{"no revision", func(c *Config) { c.Revision = "" },
			`revision: a plan has to know what is being released, and "canary" says nothing of that here: name the version, such as v2.3.1, and change it with every release`},
		{"a revision by addresses", func(c *Config) { c.Revision = ""; c.Variants[1].Upstreams = []any{"http://10.0.0.1"} }, ""},
		{"a weight of the candidate", func(c *Config) { c.Variants[1].Weight = "5%" }, `variants[1].weight: the steps of the plan say what "canary" gets: leave the weight out`},
		{"a weight of the baseline", func(c *Config) { c.Variants[0].Weight = "95%" }, `variants[0].weight: with a plan the baseline takes what the others leave: leave the weight out`},
		{"a step without a weight", func(c *Config) { c.Plan.Steps[0].Weight = "" }, `plan.steps[0].weight: a step needs a weight, such as 10%`},
		{"a bad weight", func(c *Config) { c.Plan.Steps[0].Weight = "x" }, `plan.steps[0].weight: not a weight: "x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
		{"a bad duration", func(c *Config) { c.Plan.Steps[0].For = "10" }, `plan.steps[0].for: "10" is not a duration such as 500ms or 1m30s`},
		{"no duration", func(c *Config) { c.Plan.Steps[0].For = "0s" }, ""},
		{"steps that do not grow", func(c *Config) { c.Plan.Steps[1].Weight = "10%" }, `plan.steps[1].weight: 10% does not come after 10%: every step is larger than the one before`},
		{"steps in another order", func(c *Config) { c.Plan.Steps[0].Order = 1 },
			`plan.steps[0].weight: 10% does not come after 50%: every step is larger than the one before` + "\n" +
				`plan.steps[0]: the last step is 10% and ends by itself: end the plan with 100%, or make the step manual`},
		{"an end that nobody decides", func(c *Config) { c.Plan.Steps[1].Manual = false }, `plan.steps[1]: the last step is 50% and ends by itself: end the plan with 100%, or make the step manual`},
		{"too much beside another", func(c *Config) { c.Plan.Steps[1].Weight = "96%" },
			`plan.steps[1].weight: 96% beside the other variants' 5% is more than 100%: give the others less, or end with a manual step of 95% at most`},
		{"manual and timed", func(c *Config) { c.Plan.Steps[1].For = "5m" }, `plan.steps[1]: a manual step lasts until somebody promotes: leave out its duration 5m0s, or manual`},
		{"a confirm that is no URL", func(c *Config) { c.Plan.Steps[0].Confirm = "gate" }, `plan.steps[0].confirm: not a URL such as https://gate.example/approve`},
		{"too often", func(c *Config) { c.Plan.Every = "10ms" }, `plan.every: 10ms is too often: a second at least, such as 10s`},
		{"a window that is too short", func(c *Config) { c.Plan.Window = "5s" }, `plan.window: 5s is less than the 10s from one evaluation to the next: some requests would never be seen`},
		{"seldom", func(c *Config) { c.Plan.Every = "5m" }, ""},
		{"few requests", func(c *Config) { c.Plan.MinRequests = -1 }, `plan.min_requests: -1 is too few: at least 1`},
		{"few failures", func(c *Config) { c.Plan.Failures = -1 }, `plan.failures: -1 is too few: at least 1`},
		{"alpha without a sign", func(c *Config) { c.Plan.Alpha = "0.01" }, `plan.alpha: "0.01" is not a percentage from 0.01% to 20%, such as 1%`},
		{"too much alpha", func(c *Config) { c.Plan.Alpha = "50%" }, `plan.alpha: "50%" is not a percentage from 0.01% to 20%, such as 1%`},
		{"no alpha", func(c *Config) { c.Plan.Alpha = "NaN%" }, `plan.alpha: "NaN%" is not a percentage from 0.01% to 20%, such as 1%`},
		{"another end", func(c *Config) { c.Plan.OnFail = "abort" }, `plan.on_fail: "abort": there are rollback and pause`},
		{"hours that are none", func(c *Config) { c.Plan.Only = []string{"Mon-Fri 9-17"} }, `plan.only[0]: "Mon-Fri 9-17": "9-17" is neither days nor times nor a time zone that this machine knows; write hours such as Mon-Fri 09:00-17:00 Europe/Berlin`},
		{"an unknown check", func(c *Config) { c.Plan.Checks = []string{`!wrose("canary")`} }, `plan.checks[0]: column 2: unknown function "wrose" (did you mean "worse"?)`},
		{"prometheus that nobody is", func(c *Config) { c.Plan.Checks = []string{`true`, `prometheus("up") == 1`} },
			`plan.checks[1]: column 1: prometheus() needs a server: configure prometheus with its URL`},
		{"nothing is watched", func(c *Config) { c.Observe = "off" },
			`observe: the plan's checks look at outcomes of requests, which are not watched: leave this out, or check by prometheus() alone`},
		{"prometheus alone", func(c *Config) {
			c.Observe = "off"
			c.Prometheus.URL = "http://10.0.0.9:9090"
			c.Plan.Checks = []string{`prometheus("up") == 1`}
		}, ""},
		{"unknown keys", func(c *Config) {
			c.Plan.Rest = map[string]any{"step": 1}
			c.Plan.Steps[1].Rest = map[string]any{"wieght": 1}
			c.Notify = []Notify{{URL: "https://hooks.example", Rest: map[string]any{"event": 1}}}
			c.Prometheus = Prometheus{URL: "http://10.0.0.9:9090", Rest: map[string]any{"token": 1}}
		}, `notify[0].event: unknown key (did you mean "events"?)
prometheus.token: unknown key; there are url, bearer_token, username, password, timeout
plan.step: unknown key (did you mean "steps"?)
plan.steps[1].wieght: unknown key (did you mean "weight"?)`},
		{"whom to tell", func(c *Config) {
			c.Notify = []Notify{{URL: "hooks.example/s3cret", Events: []string{"promotd"}, Secret: "short"}, {Format: "teams"}}
		}, `notify[0].events[0]: unknown event "promotd" (did you mean "promoted"?): there are started, step_advanced, held, stalled, paused, resumed, promoted, rolled_back, restarted, weight_set, sample_ratio_mismatch
notify[0].url: not a URL such as https://hooks.example/rollouts
notify[0].secret: the secret has 5 bytes: make it 16 at least, such as openssl rand -hex 32 prints
notify[1].format: unknown format "teams": there are json and slack
notify[1].url: who is to be told? Name a URL such as https://hooks.example/rollouts`},
		{"whom to ask", func(c *Config) {
			c.Prometheus = Prometheus{URL: "10.0.0.9:9090", BearerToken: "t", Username: "u", Timeout: "1h"}
		}, `prometheus.timeout: 1h is too long: 30s at most
prometheus.url: not a URL such as http://10.0.0.9:9090
prometheus.bearer_token: a request has one Authorization: leave out the token, or username and password`},
		{"all at once", func(c *Config) {
			c.Plan.Steps[0].Weight = "x"
			c.Plan.Checks = []string{"tru"}
			c.Plan.OnFail = "stop"
		}, `plan.steps[0].weight: not a weight: "x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)
plan.on_fail: "stop": there are rollback and pause
plan.checks[0]: column 1: not a condition: tru (write one such as error_rate("canary") <= 0.01)`},
	} {
		config := planned()
		test.change(&config)
		got := ""
		if _, err := Compile(config, nil, Host{}); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// TestMistakesInPlansInCamelCase: keys are called as the gateway's users write them.
func TestMistakesInPlansInCamelCase(t *testing.T) {
	config := planned()
	config.Plan.MinRequests = -1
	config.Plan.OnFail = "stop"
	config.Prometheus = Prometheus{URL: "http://10.0.0.9:9090", BearerToken: "a b"}
	want := `prometheus.bearerToken: the token contains what no token can, such as a space or the end of a line
plan.onFail: "stop": there are rollback and pause
plan.minRequests: -1 is too few: at least 1`
	if _, err := Compile(config, nil, Host{CamelCase: true}); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// TestMistakesOfTheGateway: what all rollouts have in common is checked with each.
func TestMistakesOfTheGateway(t *testing.T) {
	host := Host{Notify: []Notify{{}}, Prometheus: Prometheus{URL: "x"}}
	want := `the gateway's notify[0].url: who is to be told? Name a URL such as https://hooks.example/rollouts
the gateway's prometheus.url: not a URL such as http://10.0.0.9:9090`
	if _, err := Compile(planned(), nil, host); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// TestRevisionByTheCandidate: without a revision what the candidate is makes one, and nothing else does.
func TestRevisionByTheCandidate(t *testing.T) {
	config := planned()
	config.Revision = ""
	config.Variants[1].Upstreams = []any{"http://10.0.0.1", "http://10.0.0.2"}
	revision := func() string { return compile(t, config, nil, Host{}).revision }
	first := revision()
	config.Plan.Steps[0].For = "1h"
	config.Variants[0].Upstreams = []any{"http://10.0.0.3"}
	config.Variants[1].Upstreams = []any{"http://10.0.0.2 weight=0", map[string]any{"address": "http://10.0.0.1", "metadata": map[string]any{"zone": "a"}}}
	if got := revision(); got != first || got == "" {
		t.Errorf("the same candidate has revisions %s and %s", first, got)
	}
	config.Variants[1].Upstreams = []any{"http://10.0.0.4"}
	if got := revision(); got == first {
		t.Error("another address is the same revision")
	}
}
