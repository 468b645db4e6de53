package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var metricsScenarios = []scenario{
	{
		name: "requests are counted by variant, reason, outcome and latency", site: measuredAs("50%"),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Get(t, "/", lowUser)
			g.Get(t, "/", "X-Version: v2")
			g.Backend("canary").Delay(time.Second)
			g.Get(t, "/", lowUser)
			g.Backend("canary").Fail(1)
			g.Get(t, "/", lowUser)
			want := map[string]float64{
				`requests_total outcome="success" reason="split" variant="canary"`: 2,
				`requests_total outcome="failure" reason="split" variant="canary"`: 1,
				`requests_total outcome="neutral" reason="split" variant="canary"`: 0,
				`requests_total outcome="success" reason="rule" variant="canary"`:  1,
				`requests_total outcome="success" reason="split" variant="stable"`: 0,
				`decisions_total reason="split"`:                                   3, `decisions_total reason="rule"`: 1, `decisions_total reason="fallback"`: 0,
				`internal_errors_total`: 0, `weight_ratio variant="canary"`: 0.5,
				`response_duration_seconds_count variant="canary"`: 4, `response_duration_seconds_count variant="stable"`: 0,
			}
			expectMeasured(t, g, want)
			// A client may have its answer, and the gateway not have counted yet, so this comes after.
			got := measurements(t, g)
			if n := got[`response_duration_seconds_bucket le="0.5" variant="canary"`]; n > 2 {
				t.Errorf("%v answers are said to have come within half a second, and two were kept for a second", n)
			}
			if sum := got[`response_duration_seconds_sum variant="canary"`]; sum < 2 {
				t.Errorf("all answers took %v s together, and two were kept for a second", sum)
			}
			g.Reload(t, measuredAs("25%"))
			want[`weight_ratio variant="canary"`] = 0.25
			expectMeasured(t, g, want)
		},
	},
	{
		name: "metrics show that the canary is down, and that the baseline serves", only: "caddy", because: "the handlers of two sites are one rollout",
		site: gateway.Site{Verbatim: measured("50%")},
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Get(t, "/", "X-User: "+high)
			g.Backend("canary").Stop(t)
			for range 4 {
				if a := g.Get(t, "/", lowUser); a.Status != 200 || a.Backend() != "stable" {
					t.Errorf("%d from %q, want 200 from stable", a.Status, a.Backend())
				}
			}
			if a := g.Do(t, gateway.Request{Method: "POST", Header: []string{lowUser}, Body: "body"}); a.Status != 502 {
				t.Errorf("POST: status %d, want 502", a.Status)
			}
			// The gateway counts when it has answered, which the client may see a moment before.
			const last = `caddy_rollout_requests_total{outcome="failure",reason="split",rollout="checkout",variant="canary"} 5`
			gateway.Eventually(t, "the last failure is counted", func() bool { return strings.Contains(g.Metrics(t, ""), last) })
			counted := []string{
				last,
				`caddy_rollout_requests_total{outcome="success",reason="split",rollout="checkout",variant="canary"} 0`,
				`caddy_rollout_requests_total{outcome="success",reason="split",rollout="checkout",variant="stable"} 1`,
				`caddy_rollout_requests_total{outcome="failure",reason="split",rollout="checkout",variant="stable"} 0`,
				`caddy_rollout_decisions_total{reason="split",rollout="checkout"} 6`,
				`caddy_rollout_decisions_total{reason="fallback",rollout="checkout"} 4`,
				`caddy_rollout_internal_errors_total{rollout="checkout"} 0`,
			}
			expectMetrics(t, g, append(counted, `caddy_rollout_weight_ratio{rollout="checkout",variant="canary"} 0.5`)...)
			g.Reload(t, gateway.Site{Verbatim: measured("25%")})
			expectMetrics(t, g, append(counted, `caddy_rollout_weight_ratio{rollout="checkout",variant="canary"} 0.25`)...)
		},
	},
}

// measuredAs is a site whose metrics are shown, with a canary that has a share.
func measuredAs(share string) gateway.Site {
	r := checkout(rule("qa", `header("X-Version") == "v2"`))
	r.Variants[1].Weight = share
	r.Key = []string{`header("X-User")`}
	return counted(r)
}

// expectMeasured waits until the metrics of the rollout have these values.
func expectMeasured(t *testing.T, g *gateway.Gateway, want map[string]float64) {
	t.Helper()
	wrong := ""
	defer func() {
		if t.Failed() {
			t.Log(wrong)
		}
	}()
	gateway.Eventually(t, "the metrics are as they should be", func() bool {
		wrong = ""
		got := measurements(t, g)
		for series, value := range want {
			if is, there := got[series]; is != value || !there {
				wrong += fmt.Sprintf("%s is %v (%t), want %v\n", series, is, there, value)
			}
		}
		return wrong == ""
	})
}

// measurements are the values of the metrics of rollouts, by their names without the prefix and by their labels but the
// rollout, in alphabetical order.
func measurements(t *testing.T, g *gateway.Gateway) map[string]float64 {
	t.Helper()
	prefix := strings.ToLower(strings.Fields(g.Host)[0]) + "_rollout_"
	values := make(map[string]float64)
	for line := range strings.Lines(g.Metrics(t, "")) {
		line, ours := strings.CutPrefix(strings.TrimSpace(line), prefix)
		if !ours {
			continue
		}
		series, value, _ := strings.Cut(line, " ")
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		parts := slices.DeleteFunc(strings.Split(labels, ","), func(label string) bool { return strings.HasPrefix(label, "rollout=") })
		slices.Sort(parts)
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[strings.Join(append([]string{name}, parts...), " ")] = number
	}
	return values
}

// measured is a rollout on two sites, whose canary has a share.
func measured(share string) string {
	return `(shop) {
			{{probe "checkout"}}
			rollout checkout {
				upstreams {
					{{upstream "stable"}} version=v1
					{{upstream "canary"}} version=v2
					proxy {
						lb_retries 2
					}
				}
				variant stable where version=v1
				variant canary ` + share + ` where version=v2
				key ` + "`header(\"X-User\")`" + `
			}
		}
		{{site}} {
			import shop
		}
		{{other}} {
			import shop
		}`
}

// expectMetrics holds what the gateway shows to have each of these lines once.
func expectMetrics(t *testing.T, g *gateway.Gateway, lines ...string) {
	t.Helper()
	text := "\n" + g.Metrics(t, "")
	for _, line := range lines {
		if n := strings.Count(text, "\n"+line+"\n"); n != 1 {
			t.Errorf("%d times, want once: %s", n, line)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "caddy_rollout_") {
				t.Log(line)
			}
		}
	}
}
