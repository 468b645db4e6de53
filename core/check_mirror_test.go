package core

import "testing"

// mirroringConfig is checkout with a mirror to its canary, which the gateway reaches itself.
func mirroringConfig() Config {
	config := checkout()
	config.Variants[0].Upstreams = []any{"http://10.0.0.1"}
	config.Variants[1].Upstreams = []any{"http://10.0.1.1"}
	config.Mirrors = []Mirror{{Target: "canary"}}
	return config
}

func TestMistakesInMirrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"nothing", func(c *Config) {}, ""},
		{"everything", func(c *Config) {
			c.Mirrors[0] = Mirror{Target: "canary", Name: "canary", Percent: "0.5%", When: `header("X-Beta").exists()`, Methods: []string{"GET", "POST"}, Timeout: "10m",
				MaxBody: "64MiB", Concurrency: 10_000, Drop: []string{"Cookie"}, Compare: []string{"status", "header etag", "body", "json"},
				Ignore: []string{"order", "$.time"}, Control: "baseline", Show: "content", Order: 2}
			c.Mirrors = append(c.Mirrors, Mirror{Target: "https://next.example/base", Compare: []string{"status"}, Control: "http://10.0.0.1", MaxBody: "0"},
				Mirror{Target: "http://10.0.2.1", Name: "blue"})
		}, ""},
		{"no target", func(c *Config) { c.Mirrors[0].Target = "" }, `mirrors[0].target: who gets the copies? Name a variant, or a URL such as http://10.0.0.9:8080`},
		{"a misspelt target", func(c *Config) { c.Mirrors[0].Target = "canry" }, `mirrors[0].target: unknown variant "canry" (did you mean "canary"?)`},
		{"the baseline", func(c *Config) { c.Mirrors[0].Target = "stable" },
			`mirrors[0].target: "stable" is the baseline, whose answers are compared with those of the copies: name another variant, or a URL`},
		{"an address", func(c *Config) { c.Mirrors[0].Target = "10.0.0.9:8080" }, `mirrors[0].target: "10.0.0.9:8080" is neither a variant nor a URL: write http://10.0.0.9:8080`},
		{"a path", func(c *Config) { c.Mirrors[0].Target = "/canary" }, `mirrors[0].target: it is not a URL such as http://10.0.0.9:8080`},
		{"another scheme", func(c *Config) { c.Mirrors[0].Target = "ftp://10.0.0.9" }, `mirrors[0].target: it is not a URL such as http://10.0.0.9:8080`},
		{"credentials", func(c *Config) { c.Mirrors[0].Target = "http://u:p@10.0.0.9" }, `mirrors[0].target: credentials in a URL are shown to whoever sees it: leave them out`},
		{"a query", func(c *Config) { c.Mirrors[0].Target = "http://10.0.0.9/?a=b" }, `mirrors[0].target: copies have the query of their request: leave out what follows the path`},
		{"a variant that the gateway does not reach", func(c *Config) { c.Mirrors[0].Target = "blue" },
			`mirrors[0].target: the gateway cannot send copies to "blue" by itself: write the variant's URL here, such as http://10.0.1.1:8080, and "blue" as the mirror's name`},
		{"another name for a variant", func(c *Config) { c.Mirrors[0].Name = "next" }, `mirrors[0].name: a mirror to a variant has that one's name: leave "next" out`},
		{"a name with a blank", func(c *Config) { c.Mirrors[0] = Mirror{Target: "http://a", Name: "a b"} },
			`mirrors[0].name: "a b" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most`},
		{"the baseline's name", func(c *Config) { c.Mirrors[0] = Mirror{Target: "http://a", Name: "stable"} },
			`mirrors[0].name: "stable" is the baseline, whose answers are compared with those of the copies: name another variant, or none`},
		{"one twice", func(c *Config) { c.Mirrors = append(c.Mirrors, c.Mirrors[0]) }, `mirrors[1]: there are two mirrors "canary": give this one a name of its own`},
		{"a bad percentage", func(c *Config) { c.Mirrors[0].Percent = "x" }, `mirrors[0].percent: not a weight: "x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
		{"a bad condition", func(c *Config) { c.Mirrors[0].When = `heder("A") == "1"` }, `mirrors[0].when: column 1: unknown function "heder" (did you mean "header"?)`},
		{"a method in lower case", func(c *Config) { c.Mirrors[0].Methods = []string{"GET", "post"} }, `mirrors[0].methods[1]: "post" is not a method such as POST: methods are upper case, one each`},
		{"CONNECT", func(c *Config) { c.Mirrors[0].Methods = []string{"CONNECT"} }, `mirrors[0].methods[0]: CONNECT makes a connection of its own, which cannot be copied`},
		{"a method twice", func(c *Config) { c.Mirrors[0].Methods = []string{"GET", "GET"} }, `mirrors[0].methods[1]: GET is given twice`},
		{"too long a time-out", func(c *Config) { c.Mirrors[0].Timeout = "1h" }, `mirrors[0].timeout: 1h is too long: 10m0s at most`},
		{"no size", func(c *Config) { c.Mirrors[0].MaxBody = "KiB" }, `mirrors[0].max_body: "KiB" is not a size such as 64KiB or 1MB`},
		{"a negative size", func(c *Config) { c.Mirrors[0].MaxBody = "-1" }, `mirrors[0].max_body: "-1" is not a size such as 64KiB or 1MB`},
		{"too large a size", func(c *Config) { c.Mirrors[0].MaxBody = "65 MiB" }, `mirrors[0].max_body: 65 MiB is too much: 64 MiB at most`},
		{"a size that overflows", func(c *Config) { c.Mirrors[0].MaxBody = "9223372036854775807MB" }, `mirrors[0].max_body: 9223372036854775807MB is too much: 64 MiB at most`},
		{"too many at once", func(c *Config) { c.Mirrors[0].Concurrency = 10_001 }, `mirrors[0].concurrency: 10001: there may be copies of 1 to 10000 requests at once`},
		{"no header", func(c *Config) { c.Mirrors[0].Drop = []string{"A", "a b"} }, `mirrors[0].drop[1]: "a b" is not a header name`},
		{"a misspelt comparison", func(c *Config) { c.Mirrors[0].Compare = []string{"status", "bdy"} }, `mirrors[0].compare[1]: unknown comparison "bdy" (did you mean "body"?)`},
		{"two comparisons in one", func(c *Config) { c.Mirrors[0].Compare = []string{"status json"} },
			`mirrors[0].compare[0]: unknown comparison "status json"; there are status, header <name>, body and json`},
		{"no comparison", func(c *Config) { c.Mirrors[0].Compare = []string{""} }, `mirrors[0].compare[0]: unknown comparison ""; there are status, header <name>, body and json`},
		{"which header", func(c *Config) { c.Mirrors[0].Compare = []string{"header"} }, `mirrors[0].compare[0]: "header": which header? Write one, such as "header Content-Type"`},
		{"ignoring without JSON", func(c *Config) { c.Mirrors[0].Compare = []string{"body"}; c.Mirrors[0].Ignore = []string{"order"} },
			`mirrors[0].ignore: this is about values of JSON, which are not compared: add json to compare, or leave it out`},
		{"no path", func(c *Config) { c.Mirrors[0].Compare = []string{"json"}; c.Mirrors[0].Ignore = []string{"time"} },
			`mirrors[0].ignore[0]: "time" is no path into JSON: it begins with $ and names a member, such as $.items[*].updated_at; or it is the word order`},
		{"showing what is not compared", func(c *Config) { c.Mirrors[0].Show = "content" },
			`mirrors[0].show: there is nothing to show, as answers are not compared: write what compare looks at, or leave it out`},
		{"showing everything", func(c *Config) { c.Mirrors[0].Show = "all" }, `mirrors[0].show: unknown value "all": leave it out, or write "content"`},
		{"control without comparison", func(c *Config) { c.Mirrors[0].Control = "baseline" },
			`mirrors[0].control: control measures how much the baseline's own answers differ, and none are compared: write what compare looks at, such as status, or leave it out`},
		{"a control that the gateway does not reach", func(c *Config) {
			c.Variants[0].Upstreams = nil
			c.Mirrors[0].Compare = []string{"status"}
			c.Mirrors[0].Control = "baseline"
		}, `mirrors[0].control: the gateway cannot send copies to "stable" by itself: write the baseline's URL here, such as http://10.0.0.1:8080`},
		{"a control that is a variant", func(c *Config) {
			c.Mirrors[0].Compare = []string{"status"}
			c.Mirrors[0].Control = "stable"
		}, `mirrors[0].control: it is not a URL such as http://10.0.0.9:8080`},
		{"unknown keys", func(c *Config) { c.Mirrors[0].Rest = map[string]any{"percnt": "5"} }, `mirrors[0].percnt: unknown key (did you mean "percent"?)`},
		{"several in order", func(c *Config) {
			c.Mirrors[0].Order = 2
			c.Mirrors = append(c.Mirrors, Mirror{Target: "canary", Order: 1, Percent: "x"})
		}, `mirrors[1].percent: not a weight: "x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)` + "\n" +
			`mirrors[0]: there are two mirrors "canary": give this one a name of its own`},

		{"a check without a mirror", func(c *Config) { mirroredPlan(c); c.Mirrors = nil },
			`plan.checks[0]: column 17: no mirror compares the answers of "canary": configure one to it that compares, such as the status`},
		{"a check of a mirror that compares nothing", func(c *Config) { mirroredPlan(c); c.Mirrors[0].Compare = nil },
			`plan.checks[0]: column 17: no mirror compares the answers of "canary": configure one to it that compares, such as the status`},
		{"a check of a mirror that copies nothing", func(c *Config) { mirroredPlan(c); c.Mirrors[0].Percent = "0%" },
			`plan.checks[0]: column 17: no mirror compares the answers of "canary": configure one to it that compares, such as the status`},
		{"a check of a mirror", func(c *Config) { mirroredPlan(c) }, ""},
		{"a check of a URL that stands for the variant", func(c *Config) {
			mirroredPlan(c)
			c.Mirrors[0].Target = "http://10.0.1.1"
			c.Mirrors[0].Name = "canary"
		}, ""},
		{"a check of a mirror, and nothing else is watched", func(c *Config) { mirroredPlan(c); c.Observe = "off" }, ""},
	} {
		config := mirroringConfig()
		test.change(&config)
		if got := complaints(config, Host{}); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// mirroredPlan gives a configuration a plan that goes by its mirror.
func mirroredPlan(c *Config) {
	c.Revision = "v2"
	c.Variants[1].Weight = ""
	c.Variants[2].Weight = ""
	c.Mirrors[0].Compare = []string{"status"}
	c.Plan = Plan{Candidate: "canary", Steps: []Step{{Weight: "0%", For: "10m"}, {Weight: "50%", Manual: true}}, Checks: []string{`mirror_mismatch("canary") <= 0.01`}}
}

// TestMirrorsNeedAHost that sends copies: where it runs, a host that cannot has no variants to mirror to.
func TestMirrorsNeedAHost(t *testing.T) {
	_, err := Compile(mirroringConfig(), nil, Host{})
	if err == nil {
		t.Error("copies are sent by nobody")
	}
}
