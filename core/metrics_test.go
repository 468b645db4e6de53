package core

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet"
	"github.com/grayling-gateway/grayling/core/metrics"
)

// TestLatencyBuckets holds every latency to be counted in the bucket of its limit, and nowhere else.
func TestLatencyBuckets(t *testing.T) {
	var latencies []time.Duration
	for _, limit := range latencyLimits {
		latencies = append(latencies, limit-1, limit)
		if limit < math.MaxInt64 {
			latencies = append(latencies, limit+1)
		}
	}
	for n := 0; n < 63; n++ {
		power := time.Duration(1) << n
		latencies = append(latencies, power-1, power, power+time.Duration(rand.Int64N(int64(power))))
	}
	latencies = append(latencies, -1, math.MinInt64) // a clock that went back
	for _, latency := range latencies {
		for _, status := range []int{200, 500} {
			d := &Decision{counts: newOutcomes()}
			Report(d, &Outcome{Status: status, Latency: latency})
			got := d.counts.tally()
			want := sort.Search(len(latencyLimits), func(i int) bool { return latency <= latencyLimits[i] })
			if got.buckets[want] != 1 || got.decisions() != 1 || got.latency != latency || got.success != int64((500-status)/300) {
				t.Errorf("%d after %d ns: %+v, want it in bucket %d", status, latency, got, want)
			}
			if status == 200 {
				alike := &Decision{counts: newOutcomes()}
				Succeeded(alike, latency)
				if counted := alike.counts.tally(); !reflect.DeepEqual(counted, got) {
					t.Errorf("%d ns, as interpreted hosts count: %+v, want %+v", latency, counted, got)
				}
			}
		}
	}
}

// lines returns the metrics of an engine as lines of text, without the prefix and those that are 0.
func lines(t *testing.T, e *Engine) string {
	t.Helper()
	var text strings.Builder
	if err := metrics.Write(&text, metrics.Text, "", Metrics, e.Metrics()); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(text.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasSuffix(line, " 0") {
			list = append(list, strings.Replace(line, `rollout="checkout",`, "", 1))
		}
	}
	sort.Strings(list)
	return strings.Join(list, "\n")
}

func TestMetrics(t *testing.T) {
	live := NewLive()
	config := checkout()
	e := compile(t, config, live, Host{})
	if got, want := lines(t, e), "weight_ratio{variant=\"blue\"} 0.05\nweight_ratio{variant=\"canary\"} 0.1\nweight_ratio{variant=\"stable\"} 0.85"; got != want {
		t.Errorf("before any request:\n%s\nwant\n%s", got, want)
	}
	canary := e.Decide(get("X-Version: v2"), "", noon)
	e.Report(canary, Outcome{Status: 200, Latency: 4 * time.Millisecond})
	e.Report(canary, Outcome{Status: 200, Latency: 6 * time.Millisecond})
	e.Report(canary, Outcome{Status: 503, Latency: 20 * time.Second})
	e.Report(canary, Outcome{Failed: true})
	e.Report(canary, Outcome{Gone: true})
	e.Report(e.Fallback(canary), Outcome{Status: 200, Latency: time.Second})
	const buckets = `response_duration_seconds_bucket{variant="canary",le="`
	want := strings.Join([]string{
		`decisions_total{reason="fallback"} 1`,
		`decisions_total{reason="rule"} 5`,
		`requests_total{variant="canary",reason="rule",outcome="failure"} 2`,
		`requests_total{variant="canary",reason="rule",outcome="neutral"} 1`,
		`requests_total{variant="canary",reason="rule",outcome="success"} 2`,
		buckets + `+Inf"} 3`, buckets + `0.005"} 1`, buckets + `0.01"} 2`, buckets + `0.025"} 2`, buckets + `0.05"} 2`, buckets + `0.1"} 2`,
		buckets + `0.25"} 2`, buckets + `0.5"} 2`, buckets + `1"} 2`, buckets + `10"} 2`, buckets + `2.5"} 2`, buckets + `30"} 3`, buckets + `5"} 2`,
		`response_duration_seconds_count{variant="canary"} 3`,
		`response_duration_seconds_sum{variant="canary"} 20.01`,
		`weight_ratio{variant="blue"} 0.05`, `weight_ratio{variant="canary"} 0.1`, `weight_ratio{variant="stable"} 0.85`,
	}, "\n")
	if got := lines(t, e); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := lines(t, compile(t, config, live, Host{})); got != want {
		t.Errorf("after a reload\n%s\nwant\n%s", got, want)
	}
	config.Observe = "off"
	e = compile(t, config, live, Host{})
	e.Report(e.Decide(get("X-Version: v2"), "", noon), Outcome{Status: 200})
	want = "decisions_total{reason=\"fallback\"} 1\ndecisions_total{reason=\"rule\"} 6\nweight_ratio{variant=\"blue\"} 0.05\nweight_ratio{variant=\"canary\"} 0.1\nweight_ratio{variant=\"stable\"} 0.85"
	if got := lines(t, e); got != want {
		t.Errorf("unobserved\n%s\nwant\n%s", got, want)
	}
}

// TestMetricsAreComplete holds every metric to belong to the list, every series to have the labels of its metric, and
// every metric to have a series in some configuration.
func TestMetricsAreComplete(t *testing.T) {
	config := checkout()
	config.Revision = "v1"
	config.Variants = config.Variants[:2]
	config.Rules = nil
	config.Variants[1].Weight = ""
	config.Sticky.Mode = "memory"
	config.Router.URL = "http://127.0.0.1:1/"
	config.JWT.Secret = strings.Repeat("x", 32)
	config.Notify = []Notify{{URL: "http://127.0.0.1:1/", Secret: "a secret of notices"}}
	config.Prometheus.URL = "http://127.0.0.1:1"
	config.Plan = Plan{Steps: []Step{{Weight: "10%", Manual: true}, {Weight: "100%"}}}
	config.Mirrors = []Mirror{{Target: "http://127.0.0.1:1/", Name: "shadow", Compare: []string{"status"}}}
	config.Goals = []Goal{{Name: "paid", When: `path() == "/thanks"`}, {Name: "read", When: `path() == "/blog"`}}
	e := compile(t, config, nil, Host{})
	e.live.mirrorRunner(e.log).Adopt(e.copiers.all)
	e.live.takeOver(context.Background(), e)
	e.live.company.seen.Store(&assembly{id: "a", members: []*fleet.Member{{ID: "a", Report: &fleet.Report{}}, {ID: "b", Report: &fleet.Report{}, Differs: "it has no plan"}}})
	known := map[*metrics.Family]int{}
	for _, f := range Metrics {
		known[f] = 0
	}
	seen := map[string]bool{}
	for _, s := range e.Metrics() {
		if _, ok := known[s.Of]; !ok {
			t.Errorf("%s is not in the list", s.Of.Name)
		}
		known[s.Of]++
		if len(s.Labels) != len(s.Of.Labels) || s.Labels[0] != "checkout" {
			t.Errorf("%s%q has the labels %q", s.Of.Name, s.Of.Labels, s.Labels)
		}
		series := s.Of.Name + strings.Join(s.Labels, " ")
		if seen[series] {
			t.Errorf("%s is there twice", series)
		}
		seen[series] = true
	}
	for f, n := range known {
		if n == 0 {
			t.Errorf("%s has no series", f.Name)
		}
	}
}

// TestAssignmentsAreCounted: once for a client, whatever remembers him; and not where nothing does.
func TestAssignmentsAreCounted(t *testing.T) {
	given := func(e *Engine) string {
		var list []string
		for _, line := range strings.Split(lines(t, e), "\n") {
			if strings.HasPrefix(line, "assignments_total") || strings.HasPrefix(line, "remembered_clients") {
				list = append(list, line)
			}
		}
		return strings.Join(list, "; ")
	}
	config := checkout()
	config.Variants = []Variant{{Name: "stable"}, {Name: "canary", Weight: "100%"}}
	config.Rules = config.Rules[:1]
	config.Sticky.Mode = "memory"
	e := compile(t, config, nil, Host{})
	for _, request := range []string{"X-User: ann", "X-User: ann", "X-User: bob", "X-Version: v2", "X-Nobody: 1"} {
		e.Decide(get(request), "", noon)
	}
	if got, want := given(e), `assignments_total{variant="canary"} 2; remembered_clients{rollout="checkout"} 2`; got != want {
		t.Errorf("in memory: %s, want %s", got, want)
	}
	config.Sticky = Sticky{Mode: "cookie", Secret: []string{strings.Repeat("s", 32)}}
	e = compile(t, config, nil, Host{})
	first := e.Decide(get("X-User: ann"), "", noon)
	pair, _, _ := strings.Cut(first.Cookie, ";")
	e.Decide(get("X-User: ann", "Cookie: "+pair), "", noon)
	if got, want := given(e), `assignments_total{variant="canary"} 1`; got != want {
		t.Errorf("in a cookie: %s, want %s", got, want)
	}
}
