package caddymodule

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	machine "github.com/grayling-gateway/grayling/core/rollout"
)

// scrape returns the metrics of rollouts that the running configuration shows, such as weight_ratio canary, without the
// rollout, which must be name.
func scrape(t *testing.T, name string) map[string]float64 {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		metric, ours := strings.CutPrefix(family.GetName(), "caddy_rollout_")
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range m.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if labels["rollout"] != name {
				t.Errorf("%s of a rollout %s", metric, labels["rollout"])
			}
			delete(labels, "rollout")
			key := metric
			for _, label := range slices.Backward(slices.Sorted(maps.Keys(labels))) { // the variant is the last
				key += " " + labels[label]
			}
			found[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

// nonzero returns what is not 0.
func nonzero(values map[string]float64) map[string]float64 {
	values = maps.Clone(values)
	maps.DeleteFunc(values, func(_ string, value float64) bool { return value == 0 })
	return values
}

// TestMetrics: what a rollout counts is seen from outside, once for all its handlers, for as long as a configuration has it.
func TestMetrics(t *testing.T) {
	router := httptest.NewServer(http.NotFoundHandler())
	defer router.Close()
	name := unique("metrics")
	site := func(weight, more string) string {
		rollout := `
			rollout ` + name + ` {
				variant stable {
					respond "stable"
				}
				variant canary ` + weight + ` {
					error 503
				}
				rule number canary expression ` + "`int({http.request.header.X-Number}) > 1`" + `
				rule broken canary ` + "`header(\"X-Broken\").exists()`" + `
				key ` + "`header(\"X-User\")`" + `
				salt metrics
				` + more + `
			}`
		return "handle /a {\n" + rollout + "\n}\nhandle /b {\n" + rollout + "\n}"
	}
	asking := `
		rule staff canary ` + "`claim(\"role\") == \"staff\"`" + `
		jwt {
			secret ` + strings.Repeat("x", 32) + `
		}
		router ` + router.URL
	g := start(t, site("12.5%", asking))

	// Weights, outcomes of the reasons of both variants, latencies, reasons, errors, causes, assignments, clients, lookups.
	const series = 2 + (5+4)*3 + 2 + 8 + 1 + 11 + 2 + 1 + 6
	if got, want := scrape(t, name), map[string]float64{"weight_ratio stable": .875, "weight_ratio canary": .125}; len(got) != series || !maps.Equal(nonzero(got), want) {
		t.Errorf("before any request: %d series, want %d: %v", len(got), series, got)
	}

	g.get(t, "/a", "X-Number: 1", "X-Broken: 1")                    // falls back
	g.get(t, "/b", "X-Number: 1", "Authorization: Bearer nonsense") // no token, no key: the base
	g.get(t, "/b", "X-Number: none")                                // breaks the decision
	g.get(t, "/a", "X-Number: 1", "X-User: ann")                    // the router does not answer: the split

	want := map[string]float64{
		"weight_ratio stable": .875, "weight_ratio canary": .125,
		"requests_total canary rule failure": 1, "requests_total stable base success": 2, "requests_total stable split success": 1,
		"response_duration_seconds canary": 1, "response_duration_seconds stable": 3,
		"decisions_total rule": 1, "decisions_total fallback": 1, "decisions_total base": 2, "decisions_total split": 1,
		"internal_errors_total": 1, "refused_tokens_total malformed": 1, "router_lookups_total failed": 1,
	}
	got := map[string]float64{}
	eventually(t, "all outcomes are counted", func() bool {
		got = nonzero(scrape(t, name))
		return got["response_duration_seconds stable"] == 3
	})
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	app, err := caddy.ActiveContext().AppIfConfigured(appID)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.CollectAndLint(metrics{app.(*App)}); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}

	if err := g.load(site("25%", asking)); err != nil {
		t.Fatal(err)
	}
	want["weight_ratio stable"], want["weight_ratio canary"] = .75, .25
	if got := nonzero(scrape(t, name)); !maps.Equal(got, want) {
		t.Errorf("after a reload\ngot  %v\nwant %v", got, want)
	}
	if err := g.load(site("50%", "rule listed canary `path().inFile(\"nobody.txt\")`")); err == nil || !strings.Contains(err.Error(), "nobody.txt") {
		t.Errorf("a file that does not exist: %v", err)
	}
	setWeight(t, name, "100%")
	delete(want, "weight_ratio stable")
	want["weight_ratio canary"] = 1
	if got := nonzero(scrape(t, name)); !maps.Equal(got, want) {
		t.Errorf("after a reload that failed, and with another weight\ngot  %v\nwant %v", got, want)
	}

	if err := g.load(site("25%", "observe off")); err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, name); len(got) != 2+8+1 {
		t.Errorf("without outcomes, tokens and router: %v", got)
	}
	if err := g.load("respond 204"); err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, name); len(got) != 0 {
		t.Errorf("a rollout that is gone: %v", got)
	}
}

// TestMetricsOfAPlan: how far it has come, and what became of those who are told and asked.
func TestMetricsOfAPlan(t *testing.T) {
	var received atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received.Add(1) }))
	defer hook.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	defer server.Close()
	name := unique("metrics")
	g := newGateway(t)
	g.options = "rollouts {\nprometheus " + server.URL + "\nnotify " + hook.URL + " {\nsecret {env.HOOK_SECRET}\n}\n}"
	t.Setenv("HOOK_SECRET", "a secret of notices")
	site := planned(name, "v1", "{\nstep 20% manual\nstep 100%\nevery 1s\ncheck `prometheus(\"up\") > 0`\n}")
	if err := g.load(site); err != nil {
		t.Fatal(err)
	}
	// Weights, outcomes of the reasons of both variants, latencies, reasons, errors, states, step, epoch, held, stalled,
	// verdicts, events, store, notices, queries.
	const series = 2 + (3+2)*3 + 2 + 8 + 1 + 6 + 1 + 1 + 1 + 1 + 3 + 11 + 1 + 5 + 8
	if got := scrape(t, name); len(got) != series {
		t.Errorf("%d series, want %d: %v", len(got), series, got)
	}
	got := map[string]float64{}
	eventually(t, "the checks are evaluated, and what happened is told", func() bool {
		got = nonzero(scrape(t, name))
		return got["evaluations_total hold"] > 0 && got["prometheus_queries_total empty"] > 0 && got["notices_total delivered"] == 1 && received.Load() > 0
	})
	for key, want := range map[string]float64{"weight_ratio canary": .2, "state progressing": 1, "step": 1, "epoch": 0, "store_up": 1} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	tell(t, name, machine.Abort)
	got = nonzero(scrape(t, name))
	for key, want := range map[string]float64{"weight_ratio canary": 0, "weight_ratio stable": 1, "state progressing": 0, "state rolled_back": 1, "epoch": 1, "store_up": 1, "events_total started": 1, "events_total rolled_back": 1, "events_total promoted": 0} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	app, err := caddy.ActiveContext().AppIfConfigured(appID)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.CollectAndLint(metrics{app.(*App)}); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}
