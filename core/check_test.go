package core

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// complaints returns the problems of a configuration, one a line.
func complaints(config Config, host Host) string {
	lines := make([]string, 0)
	for _, p := range Check(config, host) {
		lines = append(lines, p.Path+": "+p.Text)
	}
	return strings.Join(lines, "\n")
}

// mistakes are all that can be wrong with a configuration, but for its expressions, which package expr tests.
var mistakes = []struct {
	name   string
	change func(c *Config)
	want   string
}{
	{"nothing", func(c *Config) {}, ""},
	{"no name", func(c *Config) { c.Name = "" }, `name: the rollout needs a name`},
	{"a name with a blank", func(c *Config) { c.Name = "my shop" }, `name: "my shop" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most`},
	{"a name that begins with a hyphen", func(c *Config) { c.Name = "-a" }, `name: "-a" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most`},
	{"a name in Greek", func(c *Config) { c.Name = "ψ" }, `name: "ψ" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most`},
	{"a long name", func(c *Config) { c.Name = strings.Repeat("a", 65) }, `name: "` + strings.Repeat("a", 65) + `" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most`},
	{"the longest name", func(c *Config) { c.Name = strings.Repeat("a", 64) }, ""},
	{"a name with everything", func(c *Config) { c.Name = "9a.B_c-d" }, ""},

	{"no variants", func(c *Config) { c.Variants = nil }, `variants: a rollout needs at least one variant`},
	{"a variant without a name", func(c *Config) { c.Variants[2].Name = ""; c.Rules = nil }, `variants[2].name: the variant needs a name`},
	{"a variant with a comma", func(c *Config) { c.Variants[2].Name = "blue,green" }, `variants[2].name: "blue,green" is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most` +
		"\nrules[3].use: unknown variant \"blue\"; there are stable, canary, blue,green"},
	{"two variants of one name", func(c *Config) { c.Variants[2].Name = "canary"; c.Rules = nil }, `variants[2].name: there are two variants "canary": names are unique`},
	{"two variants without a name", func(c *Config) { c.Variants = []Variant{{Name: "a"}, {}, {}}; c.Rules = nil }, "variants[1].name: the variant needs a name\nvariants[2].name: the variant needs a name"},
	{"very many variants", func(c *Config) { c.Variants = make([]Variant, 257); c.Rules = nil; nameAll(c.Variants) }, `variants: 257 variants are too many: 256 at most`},
	{"a word as a weight", func(c *Config) { c.Variants[1].Weight = "half" }, `variants[1].weight: not a weight: "half" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
	{"a negative weight", func(c *Config) { c.Variants[1].Weight = "-5%" }, `variants[1].weight: not a weight: "-5%" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
	{"too fine a weight", func(c *Config) { c.Variants[1].Weight = "0.001%" }, `variants[1].weight: not a weight: "0.001%" is less than one slot of 65,536; the smallest share is 0.001526%`},
	{"a weight over 100%", func(c *Config) { c.Variants[1].Weight = "101" }, `variants[1].weight: not a weight: "101" is more than 100%`},
	{"weights over 100%", func(c *Config) { c.Variants[1].Weight = "95.5%" }, `variants: the variants beside the baseline weigh 100.5% together, and 100% is all there is`},
	{"a baseline with too little", func(c *Config) { c.Variants[0].Weight = "80%" }, `variants: the weights add up to 95%; the baseline takes what the others leave: leave its weight out, or make the sum 100%`},
	{"a baseline with too much", func(c *Config) { c.Variants[0].Weight = "90%" }, `variants: the weights add up to 105%; the baseline takes what the others leave: leave its weight out, or make the sum 100%`},
	{"a baseline with the rest", func(c *Config) { c.Variants[0].Weight = "85%" }, ""},
	{"two bad weights", func(c *Config) { c.Variants[1].Weight = "a"; c.Variants[2].Weight = "200" },
		`variants[1].weight: not a weight: "a" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)` + "\n" + `variants[2].weight: not a weight: "200" is more than 100%`},

	{"a rule without a name", func(c *Config) { c.Rules[1].Name = "" }, `rules[1].name: the rule needs a name`},
	{"two rules without a name", func(c *Config) { c.Rules[1].Name = ""; c.Rules[2].Name = "" }, "rules[1].name: the rule needs a name\nrules[2].name: the rule needs a name"},
	{"two rules of one name", func(c *Config) { c.Rules[1].Name = "qa" }, `rules[1].name: there are two rules "qa": names are unique`},
	{"a rule without a variant", func(c *Config) { c.Rules[1].Use = "" }, `rules[1].use: which variant? There are stable, canary, blue`},
	{"a misspelt variant", func(c *Config) { c.Rules[1].Use = "cannary" }, `rules[1].use: unknown variant "cannary" (did you mean "canary"?)`},
	{"another variant", func(c *Config) { c.Rules[1].Use = "purple" }, `rules[1].use: unknown variant "purple"; there are stable, canary, blue`},
	{"a bad percentage", func(c *Config) { c.Rules[2].Percent = "20 %" }, `rules[2].percent: not a weight: "20 %" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
	{"a rule without a condition", func(c *Config) { c.Rules[1].When = "" }, `rules[1].when: a rule needs a condition such as header("X-Version") == "v2"; true matches every request`},
	{"an unknown function", func(c *Config) { c.Rules[1].When = `true && heder("X") == "a"` }, `rules[1].when: column 9: unknown function "heder" (did you mean "header"?)`},
	{"a wrong argument", func(c *Config) { c.Rules[1].When = `header(5) == "a"` }, `rules[1].when: column 8: header takes a text in double quotes, not 5: write "5"`},
	{"a bad regular expression", func(c *Config) { c.Rules[1].When = `path().matches("[")` }, "rules[1].when: column 16: bad regular expression: missing closing ]: `[`"},
	{"a bad network", func(c *Config) { c.Rules[1].When = `ip().in("10.0.0.0/99")` }, `rules[1].when: column 9: "10.0.0.0/99" is neither an IP address nor a CIDR such as 10.0.0.0/8`},
	{"a placeholder", func(c *Config) { c.Rules[1].When = `header("X") == "{http.request.host}"` }, `rules[1].when: column 17: {http.request.host} is a placeholder of the gateway, and expressions expand none: use placeholder("http.request.host")`},
	{"a placeholder where there are none", func(c *Config) { c.Rules[1].When = `placeholder("a") == "b"` }, `rules[1].when: column 1: placeholder() works only where the gateway has placeholders, as Caddy does; use header(), cookie() or query()`},
	{"two mistakes in a condition", func(c *Config) { c.Rules[1].When = `path && host` }, `rules[1].when: column 1: not a condition: path (write one such as header("X-Version") == "v2")` + "\n" +
		`rules[1].when: column 9: not a condition: host (write one such as header("X-Version") == "v2")`},

	{"a condition as a key", func(c *Config) { c.Key[1] = `ip() == "a"` }, `key[1]: column 1: not a value: ip() == "a" (write one such as header("X-Version"))`},
	{"an empty key", func(c *Config) { c.Key[1] = ` ` }, `key[1]: column 1: empty expression: write a value such as cookie("uid")`},
	{"random first", func(c *Config) { c.Key[0] = `random()` }, `key[0]: column 1: random() is always there, so what follows it is never asked: put it last`},

	{"a day", func(c *Config) { c.Ends = "2027-01-31" }, `ends: "2027-01-31" is not a time such as 2027-01-31T18:00:00Z`},
	{"a time without its zone", func(c *Config) { c.Ends = "2027-01-31T18:00:00" }, `ends: "2027-01-31T18:00:00" is not a time such as 2027-01-31T18:00:00Z`},
	{"methods in lower case", func(c *Config) { c.FallbackMethods = []string{"GET", "put"} }, `fallback_methods[1]: "put" is not a method such as GET: methods are upper case, one each`},
	{"methods in one", func(c *Config) { c.FallbackMethods = []string{"GET,PUT"} }, `fallback_methods[0]: "GET,PUT" is not a method such as GET: methods are upper case, one each`},
	{"a method twice", func(c *Config) { c.FallbackMethods = []string{"GET", "PUT", "GET"} }, `fallback_methods[2]: GET is given twice`},
	{"an empty method", func(c *Config) { c.FallbackMethods = []string{""} }, `fallback_methods[0]: "" is not a method such as GET: methods are upper case, one each`},
	{"none and others", func(c *Config) { c.FallbackMethods = []string{"GET", "none"} }, `fallback_methods[1]: "none" stands alone`},
	{"none", func(c *Config) { c.FallbackMethods = []string{"none"} }, ""},
	{"observe on", func(c *Config) { c.Observe = "on" }, `observe: unknown value "on": leave it out, or write "off"`},
	{"observe off", func(c *Config) { c.Observe = "off" }, ""},

	{"a header with a blank", func(c *Config) { c.Announce.Request = "X Variant" }, `announce.request: "X Variant" is not a header name`},
	{"a header in Greek", func(c *Config) { c.Announce.Response = "X-ψ" }, `announce.response: "X-ψ" is not a header name`},
	{"a header of HTTP", func(c *Config) { c.Announce.Request = "content-length" }, `announce.request: "content-length" is a header that HTTP itself works by: name one of your own, such as X-Rollout-Variant`},
	{"a header of HTTP in another spelling", func(c *Config) { c.Announce.Request = "Transfer_Encoding" }, `announce.request: "Transfer_Encoding" is a header that HTTP itself works by: name one of your own, such as X-Rollout-Variant`},
	{"a cookie as a response", func(c *Config) { c.Announce.Response = "Set-Cookie" }, `announce.response: "Set-Cookie" is a header that HTTP itself works by: name one of your own, such as X-Rollout-Variant`},
	{"many hyphens", func(c *Config) { c.Announce.Request = "A-b-c-d-e_f-g-h" }, `announce.request: "A-b-c-d-e_f-g-h" has more than 6 hyphens`},
	{"nothing but hyphens", func(c *Config) { c.Announce.Request = strings.Repeat("-", 80) }, `announce.request: "` + strings.Repeat("-", 80) + `" has more than 6 hyphens`},
	{"a bad network to follow", func(c *Config) { c.Announce.Follow = []string{"10.0.0.0/8", "10.0.0.0/x", "upstream"} },
		`announce.follow[1]: "10.0.0.0/x" is neither an IP address nor a CIDR such as 10.0.0.0/8` + "\n" + `announce.follow[2]: "upstream" is neither an IP address nor a CIDR such as 10.0.0.0/8`},

	{"unknown keys", func(c *Config) { c.Rest = map[string]any{"varients": 1, "Rulez": 2, "timeout": 3} }, `Rulez: unknown key (did you mean "rules"?)` + "\n" +
		`timeout: unknown key; there are name, variants, upstreams, subsets, rules, key, sticky, router, salt, revision, ends, announce, fallback_methods, observe, geo, jwt, plan, mirrors, goals, notify, trusted_proxies, client_header, proxy, store, prometheus, member, control` + "\n" +
		`varients: unknown key (did you mean "variants"?)`},
	{"an unknown key of a variant", func(c *Config) { c.Variants[1].Rest = map[string]any{"wieght": "5%"} }, `variants[1].wieght: unknown key (did you mean "weight"?)`},
	{"an unknown key of a rule", func(c *Config) { c.Rules[1].Rest = map[string]any{"if": "true"} }, `rules[1].if: unknown key; there are name, use, percent, when, order`},
	{"an unknown key of announce", func(c *Config) { c.Announce.Rest = map[string]any{"respond": "X"} }, `announce.respond: unknown key (did you mean "response"?)`},
	{"a section in the place of a list", func(c *Config) { c.Rest = map[string]any{"rule": map[string]any{"qa": 1}} },
		`rule: unknown key (did you mean "rules"?); the elements of lists have indexes, as in rules[0], and in a label every dot begins a new level`},

	// Positions count as written, whatever the order.
	{"a rule that comes first", func(c *Config) { c.Rules[3].Order = -1; c.Rules[3].Use = "purple" }, `rules[3].use: unknown variant "purple"; there are stable, canary, blue`},

	{"all at once", func(c *Config) {
		c.Name = ""
		c.Variants[1].Weight = "x"
		c.Rules[0].Use = "purple"
		c.Rules[0].When = "tru"
		c.Key[0] = "uid"
		c.Ends = "soon"
		c.Announce.Request = "a b"
		c.FallbackMethods = []string{"get"}
		c.Observe = "no"
	}, `name: the rollout needs a name
variants[1].weight: not a weight: "x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)
rules[0].use: unknown variant "purple"; there are stable, canary, blue
rules[0].when: column 1: not a condition: tru (write one such as header("X-Version") == "v2")
key[0]: column 1: not a value: uid (write one such as header("X-Version"))
ends: "soon" is not a time such as 2027-01-31T18:00:00Z
announce.request: "a b" is not a header name
fallback_methods[0]: "get" is not a method such as GET: methods are upper case, one each
observe: unknown value "no": leave it out, or write "off"`},
}

func nameAll(variants []Variant) {
	for i := range variants {
		variants[i].Name = "v" + strconv.Itoa(i)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range mistakes {
		config := checkout()
		test.change(&config)
		if got := complaints(config, Host{}); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		live := NewLive()
		e, err := Compile(config, live, Host{})
		if (err == nil) != (test.want == "") || (e == nil) != (err != nil) {
			t.Errorf("%s: Compile returns %v, %v", test.name, e, err)
		}
		if err != nil && err.Error() != test.want {
			t.Errorf("%s: Compile says\n%v\nwant\n%s", test.name, err, test.want)
		}
		if err != nil && len(live.sources) > 0 {
			t.Errorf("%s: a configuration that was refused left %d counters behind", test.name, len(live.sources))
		}
	}
}

func TestMistakesInCamelCase(t *testing.T) {
	config := checkout()
	config.FallbackMethods = []string{"get"}
	config.Rest = map[string]any{"fallback": 1}
	want := `fallback: unknown key; there are name, variants, upstreams, subsets, rules, key, sticky, router, salt, revision, ends, announce, fallbackMethods, observe, geo, jwt, plan, mirrors, goals, notify, trustedProxies, clientHeader, proxy, store, prometheus, member, control
fallbackMethods[0]: "get" is not a method such as GET: methods are upper case, one each`
	if got := complaints(config, Host{CamelCase: true}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestConditionsOfTheGateway: a rule has a condition of its own or one of the gateway's.
func TestConditionsOfTheGateway(t *testing.T) {
	host := Host{
		Conditions:  map[string]func(r *http.Request) bool{"qa": func(r *http.Request) bool { return r.Method == "PUT" }},
		Placeholder: func(_ *http.Request, name string) (string, bool) { return name, true },
	}
	config := checkout()
	if got, want := complaints(config, host), "rules[0].when: the rule has a condition and a matcher: one of them is enough"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	config.Rules[0].When = ""
	config.Rules[1].When = `placeholder("a.b") == "a.b" && header("X-Old").exists()`
	e := compile(t, config, nil, host)
	put := get("X-Old: 1")
	put.Method = "PUT"
	if d := e.Decide(put, "", noon); d.Rule != "qa" {
		t.Errorf("PUT is decided by %s %s", d.Reason, d.Rule)
	}
	if d := e.Decide(get("X-Old: 1"), "", noon); d.Rule != "old" {
		t.Errorf("GET is decided by %s %s", d.Reason, d.Rule)
	}
}

// TestFilesAreReadOnlyToCompile: a configuration can be checked where its files are not.
func TestFilesAreReadOnlyToCompile(t *testing.T) {
	missing := t.TempDir() + "/users.txt"
	config := checkout()
	config.Rules[0].When = `cookie("uid").inFile("` + missing + `")`
	if got := complaints(config, Host{}); got != "" {
		t.Errorf("checked: %s", got)
	}
	_, err := Compile(config, nil, Host{})
	want := `rules[0].when: column 22: reading a file: stat ` + missing + `: no such file or directory`
	if err == nil || err.Error() != want {
		t.Errorf("compiled: %v, want %s", err, want)
	}
	config.Rules[0].When = `ip().inFile("` + missing + `")`
	if err := os.WriteFile(missing, []byte("10.0.0.0/8\nnobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Compile(config, nil, Host{})
	want = `rules[0].when: column 13: reading ` + missing + `: "nobody" is neither an IP address nor a CIDR such as 10.0.0.0/8`
	if err == nil || err.Error() != want {
		t.Errorf("compiled: %v, want %s", err, want)
	}
}
