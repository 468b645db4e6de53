package core

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/metrics"
)

// The benchmarks run compiled and interpreted ("make bench"); docs/performance.md holds what they found.

// browser is a request as a browser sends it, which no rule of the benchmarks takes.
func browser() *http.Request {
	return get("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Accept: text/html",
		"Accept-Language: nb", "Accept-Encoding: gzip, br", "X-Tenant: nobody",
		"Cookie: theme=dark; uid=3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11")
}

// benchmarked are rollouts whose rules do not match the browser's request.
func benchmarked(b *testing.B) []benchmark {
	b.Helper()
	list := []benchmark{
		{name: "no rule"},
		{"4 rules on headers", []Rule{
			{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`},
			{Name: "old", Use: "stable", When: `header("X-Client") == "1.0"`},
			{Name: "eu", Use: "canary", Percent: "20%", When: `header("X-Country").in("DE", "FR", "NO")`},
			{Name: "beta", Use: "canary", When: `header("X-Groups").has("beta") && header("X-Opt-Out") != "1"`},
		}},
		{"4 rules of several kinds", []Rule{
			{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`},
			{Name: "phones", Use: "canary", When: `header("User-Agent").contains("iPhone") && cookie("user_group") == "test_group"`},
			{Name: "api", Use: "canary", Percent: "20%", When: `path().hasPrefix("/api/") && query("beta") == "1"`},
			{Name: "group", Use: "canary", When: `cookie("group").in("staff", "friends")`},
		}},
		{"4 rules on what browsers send", []Rule{
			{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`},
			{Name: "beta", Use: "canary", When: `cookie("group") == "beta"`},
			{Name: "phones", Use: "canary", When: `header("User-Agent").contains("iPhone")`},
			{Name: "norway", Use: "canary", When: `header("Accept-Language").hasPrefix("nn")`},
		}},
		{"1 rule on networks", []Rule{{Name: "office", Use: "canary", When: `ip().in("10.0.0.0/8", "192.168.0.0/16")`}}},
		{"1 rule on a place", []Rule{{Name: "north", Use: "canary", When: `geo("country").in("NO", "SE")`}}},
		{"10 equality rules", equalityRules(10)},
		{"100 equality rules", equalityRules(100)},
		{"10000 equality rules", equalityRules(10_000)},
		{"1 rule on a file of 1000000", []Rule{{Name: "users", Use: "canary", When: `cookie("uid").inFile("` + usersFile(b, 1_000_000) + `")`}}},
	}
	return list
}

type benchmark struct {
	name  string
	rules []Rule
}

func (test benchmark) engine(b *testing.B, host Host) *Engine {
	b.Helper()
	config := checkout()
	config.Key = []string{`cookie("uid")`, `ip()`}
	config.Rules = test.rules
	config.Geo = []string{cities}
	return compile(b, config, nil, host)
}

// BenchmarkDecide times decisions by a cookie's slot after rules that do not match.
func BenchmarkDecide(b *testing.B) {
	for _, test := range benchmarked(b) {
		e := test.engine(b, Host{})
		b.Run(test.name, func(b *testing.B) {
			r := browser()
			if d := e.Decide(r, "203.0.113.7", noon); d.Reason != BySplit {
				b.Fatalf("decided by %s", d.Reason)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				e.Decide(r, "203.0.113.7", noon)
			}
		})
	}
}

// BenchmarkRecall times the same of an engine that remembers, for clients that come back, and for others.
func BenchmarkRecall(b *testing.B) {
	cookies := make([]string, 1<<16) // more than are remembered
	for i := range cookies {
		cookies[i] = fmt.Sprintf("theme=dark; uid=3f2c9c5e-7b1a-4c1e-9a51-%012x", i)
	}
	for _, test := range benchmarked(b) {
		e := test.engine(b, Host{Remember: true})
		r := browser()
		decide := func(cookie string) {
			r.Header["Cookie"][0] = cookie
			if Recall(e, r) == nil {
				Decide(e, r, "203.0.113.7", noon)
			}
		}
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				decide(cookies[0])
			}
		})
		next := 0 // goes on from run to run: no client comes back before it is forgotten
		b.Run(test.name+", new clients", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				next = (next + 1) % len(cookies)
				decide(cookies[next])
			}
		})
	}
}

// equalityRules are n rules that compare one header.
func equalityRules(n int) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{Name: fmt.Sprintf("tenant-%d", i), Use: "canary", When: fmt.Sprintf(`header("X-Tenant") == "tenant-%d"`, i)}
	}
	return rules
}

// usersFile writes a file with a user a line.
func usersFile(t testing.TB, users int) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "users")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	for i := 0; i < users; i++ {
		fmt.Fprintf(w, "user-%d\n", i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func BenchmarkAnnounce(b *testing.B) {
	for _, name := range []string{"header", "header and baggage"} {
		config := checkout()
		config.Announce.Baggage = name != "header"
		e := compile(b, config, nil, Host{})
		b.Run(name, func(b *testing.B) {
			r := browser()
			d := e.Decide(r, "", noon)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				Tell(e, &d, r)
			}
		})
	}
}

func BenchmarkReport(b *testing.B) {
	e := compile(b, checkout(), nil, Host{})
	d := e.Decide(browser(), "", noon)
	o := Outcome{Status: 200, Latency: time.Millisecond}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		Report(&d, &o)
	}
}

// BenchmarkSucceeded times what interpreted hosts report most often.
func BenchmarkSucceeded(b *testing.B) {
	e := compile(b, checkout(), nil, Host{})
	d := e.Decide(browser(), "", noon)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		Succeeded(&d, time.Millisecond)
	}
}

// BenchmarkMetrics times what Prometheus asks for, of one rollout.
func BenchmarkMetrics(b *testing.B) {
	e := compile(b, checkout(), nil, Host{})
	for i := 0; i < b.N; i++ {
		if err := metrics.Write(io.Discard, metrics.OpenMetrics, "", Metrics, e.Metrics()); err != nil {
			b.Fatal(err)
		}
	}
}
