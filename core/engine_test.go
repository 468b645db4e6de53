package core

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// checkout is a rollout as the README shows one.
func checkout() Config {
	return Config{
		Name:     "checkout",
		Variants: []Variant{{Name: "stable"}, {Name: "canary", Weight: "10%"}, {Name: "blue", Weight: "5%"}},
		Rules: []Rule{
			{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`},
			{Name: "old", Use: "stable", When: `header("X-Version") == "v1"`},
			{Name: "eu", Use: "canary", Percent: "20%", When: `header("X-Region") == "eu"`},
			{Name: "late", Use: "blue", When: `header("X-Region") == "eu" && header("X-Late").exists()`},
		},
		Key: []string{`cookie("uid")`, `header("X-User")`},
	}
}

func compile(t testing.TB, config Config, live *Live, host Host) *Engine {
	t.Helper()
	e, err := Compile(config, live, host)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func get(headers ...string) *http.Request {
	r, _ := http.NewRequest(http.MethodGet, "http://shop.example/cart?v=1", nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func decided(e *Engine, headers ...string) string {
	d := e.Decide(get(headers...), "192.0.2.1", noon)
	text := d.Variant + " by " + string(d.Reason)
	if d.Rule != "" {
		text += " " + d.Rule
	}
	if e.Variants()[d.Index] != d.Variant || d.Generation == "" {
		text += fmt.Sprintf(" (index %d, generation %q)", d.Index, d.Generation)
	}
	return text
}

func TestDecide(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	// Slots from docs/assignment-vectors.json: salt checkout: alice 62732, bob 21776, Alice 2377, carol 30285.
	// Salt checkout/eu is another line.
	for _, test := range []struct {
		headers string
		want    string
	}{
		{"X-Version: v2", "canary by rule qa"},
		{"X-Version: v1", "stable by rule old"},
		{"X-Version: v2|X-Version: v1", "canary by rule qa"},
		{"Cookie: uid=Alice", "canary by split"},
		{"Cookie: uid=alice", "blue by split"},
		{"Cookie: uid=bob", "stable by split"},
		{"X-User: Alice", "canary by split"},
		{"Cookie: uid=bob|X-User: Alice", "stable by split"},
		{"Cookie: uid=|X-User: Alice", "canary by split"},
		{"", "stable by base"},
		{"X-Region: eu", "stable by base"}, // a percentage takes nobody who has no key
		{"X-Region: eu|X-Late: 1", "blue by rule late"},
	} {
		var headers []string
		if test.headers != "" {
			headers = strings.Split(test.headers, "|")
		}
		if got := decided(e, headers...); got != test.want {
			t.Errorf("%s: %s, want %s", test.headers, got, test.want)
		}
	}
}

// TestRulePercentage: of the clients that match, exactly those whose slot on the rule's own line lies below the
// percentage are taken; the others go on to the next rule and to the split.
func TestRulePercentage(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	salt := e.rules[2].salt
	taken := 0
	for i := 0; i < 300; i++ {
		uid := fmt.Sprintf("user-%d", i)
		got := decided(e, "Cookie: uid="+uid, "X-Region: eu", "X-Late: 1")
		want := "blue by rule late"
		if balance.Slot(salt, uid) < 13107 { // 20% of 65,536, rounded
			want = "canary by rule eu"
			taken++
		}
		if got != want {
			t.Errorf("%s: %s, want %s", uid, got, want)
		}
	}
	if taken < 30 || taken > 90 {
		t.Errorf("20%% of 300 clients are %d", taken)
	}
}

func TestRandomKeyDrawsEveryLineAnew(t *testing.T) {
	config := Config{
		Name:     "draws",
		Variants: []Variant{{Name: "a"}, {Name: "b", Weight: "50%"}},
		Rules:    []Rule{{Name: "half", Use: "b", Percent: "50%", When: "true"}},
	}
	e := compile(t, config, nil, Host{})
	counts := map[string]int{}
	const n = 2000
	for i := 0; i < n; i++ {
		counts[decided(e)]++
	}
	// Half by the rule; of the rest, half each: within 6 standard deviations.
	for text, share := range map[string]float64{"b by rule half": 0.5, "a by split": 0.25, "b by split": 0.25} {
		diff := float64(counts[text]) - n*share
		if diff*diff > 36*n*share*(1-share) {
			t.Errorf("%s: %d of %d", text, counts[text], n)
		}
	}
}

func TestEnds(t *testing.T) {
	config := checkout()
	config.Ends = "2026-11-21T13:00:00+01:00" // noon
	e := compile(t, config, nil, Host{})
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{noon.Add(-time.Nanosecond), "canary rule"}, {noon, "stable rolled_back"}, {noon.Add(time.Hour), "stable rolled_back"},
	} {
		d := e.Decide(get("X-Version: v2"), "", test.now)
		if got := d.Variant + " " + string(d.Reason); got != test.want {
			t.Errorf("at %v: %s, want %s", test.now, got, test.want)
		}
	}
	if d := e.Decide(get("Cookie: uid=bob"), "", noon); d.Reason != BySplit {
		t.Errorf("the baseline's own clients: %s", d.Reason)
	}
}

func TestPanicIsTheBaseAndLoggedOnceAMinute(t *testing.T) {
	config := checkout()
	config.Rules = []Rule{{Name: "broken", Use: "canary"}}
	var logged bytes.Buffer
	live := NewLive()
	e := compile(t, config, live, Host{
		Conditions: map[string]func(r *http.Request) bool{"broken": func(r *http.Request) bool { panic("no such thing") }},
		Log:        slog.New(slog.NewTextHandler(&logged, nil)),
	})
	for i := 0; i < 5; i++ {
		if i == 3 {
			live.faultSeen.Add(-60) // a minute passes
		}
		d := e.Decide(get(), "", noon)
		if d.Variant != "stable" || d.Reason != ByBase {
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	if lines := strings.Count(logged.String(), "\n"); live.Faults() != 5 || lines != 2 || !strings.Contains(logged.String(), "no such thing") {
		t.Errorf("%d faults, %d lines:\n%s", live.Faults(), lines, logged.String())
	}
}

func TestGeneration(t *testing.T) {
	generation := func(change func(c *Config)) string {
		config := checkout()
		change(&config)
		return compile(t, config, nil, Host{}).Decide(get(), "", noon).Generation
	}
	same := generation(func(c *Config) {})
	if other := generation(func(c *Config) { c.Variants[1].Weight = "90%"; c.Rules = nil; c.Key = nil }); other != same {
		t.Error("weights, rules and key change the generation")
	}
	if other := generation(func(c *Config) { c.Salt = "checkout" }); other != same {
		t.Error("the default salt written out changes the generation")
	}
	if other := generation(func(c *Config) { c.Salt = "other" }); other == same {
		t.Error("another salt does not change the generation")
	}
	if other := generation(func(c *Config) { c.Revision = "v2" }); other == same {
		t.Error("another revision does not change the generation")
	}
}

func TestOrder(t *testing.T) {
	config := checkout()
	config.Variants[0].Order = 10 // labels may come in any order: blue, canary, stable
	config.Variants[1].Order = 20
	config.Variants[2].Order = 30
	config.Variants[0], config.Variants[2] = config.Variants[2], config.Variants[0]
	config.Rules[1].Order = -1
	e := compile(t, config, nil, Host{})
	if got := strings.Join(e.Variants(), " "); got != "stable canary blue" {
		t.Errorf("variants %s", got)
	}
	if e.rules[0].name != "old" || e.rules[1].name != "qa" {
		t.Errorf("rules begin with %s, %s", e.rules[0].name, e.rules[1].name)
	}
	if got := decided(e, "Cookie: uid=alice"); got != "blue by split" {
		t.Errorf("alice: %s", got)
	}
}

func TestFallback(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	canary := e.Decide(get("X-Version: v2"), "", noon)
	stable := e.Decide(get("X-Version: v1"), "", noon)
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "POST": false, "PUT": false, "get": false} {
		r := get()
		r.Method = method
		if got := e.FallsBack(canary, r); got != want {
			t.Errorf("%s of the canary falls back: %v, want %v", method, got, want)
		}
		if e.FallsBack(stable, r) {
			t.Errorf("%s of the baseline falls back", method)
		}
	}
	if d := e.Fallback(canary); d.Variant != "stable" || d.Index != 0 || d.Reason != ByFallback || d.Generation != canary.Generation {
		t.Errorf("fallback: %+v", d)
	}
	config := checkout()
	config.FallbackMethods = []string{"none"}
	if compile(t, config, nil, Host{}).FallsBack(canary, get()) {
		t.Error("none falls back")
	}
	config.FallbackMethods = []string{"PUT"}
	put := get()
	put.Method = "PUT"
	if e := compile(t, config, nil, Host{}); e.FallsBack(canary, get()) || !e.FallsBack(canary, put) {
		t.Error("the methods that are named are not the ones that fall back")
	}
}

func TestReport(t *testing.T) {
	live := NewLive()
	e := compile(t, checkout(), live, Host{})
	canary := e.Decide(get("X-Version: v2"), "", noon)
	for _, o := range []Outcome{
		{Status: 200, Latency: time.Second}, {Status: 404, Latency: time.Second}, {Status: 101, Latency: time.Second}, // successes
		{Status: 500, Latency: time.Second}, {Status: 599, Latency: time.Second}, {Status: 200, Failed: true}, {Failed: true}, {}, // failures
		{Gone: true}, {Status: 500, Gone: true}, {Gone: true, Failed: true},
	} {
		e.Report(canary, o)
	}
	// The canary failed and the base stepped in: the failure is the canary's, the success nobody's.
	e.Report(e.Fallback(canary), Outcome{Status: 200, Latency: time.Second})
	if got, want := fmt.Sprint(live.Counts()), fmt.Sprint(map[string]VariantCounts{
		"canary": {Success: 3, Failure: 5, Neutral: 3, Latency: 5 * time.Second},
	}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(live.Reasons()); got != "[{fallback 1} {rule 11}]" {
		t.Errorf("reasons %s", got)
	}
}

func ExampleEngine() {
	engine, err := Compile(Config{
		Name:     "checkout",
		Variants: []Variant{{Name: "stable"}, {Name: "canary", Weight: "5%"}},
		Rules:    []Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Key:      []string{`cookie("uid")`, `ip()`},
	}, NewLive(), Host{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Version", "v2")
	d := engine.Decide(r, "192.0.2.1", time.Now())
	fmt.Println(d.Variant, d.Reason, d.Rule)
	// Output: canary rule qa
}
