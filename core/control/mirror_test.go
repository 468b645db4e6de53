package control

import (
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/mirror"
)

func TestMirror(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	wantAnswer(t, "without mirrors", ask(h, "GET", "/rollouts/checkout/mirror", ""), 404,
		`{"error":"the rollout has no mirrors: name some in its configuration","code":"unknown"}`)
	f.mirrors = []mirror.Report{
		{
			Mirror: "canary", Counts: map[string]int64{"sent": 3}, Compared: 3, Mismatch: 0.5, Controlled: true,
			Fields:   []mirror.Field{{Name: "$.a<b", Different: 2, Noise: 1, Share: 0.5, Above: true}},
			Baseline: &mirror.Latency{P50: time.Millisecond}, Target: &mirror.Latency{P99: time.Second},
			Pairs: []mirror.Pair{{Method: "GET", Path: "/a?page=…", Fields: []mirror.Difference{{Field: "status", Baseline: "200", Target: "500"}}}},
		},
		{Mirror: "10.0.0.9:8080"},
	}
	wantAnswer(t, "mirrors", ask(h, "GET", "/rollouts/checkout/mirror", ""), 200,
		`{"mirror":"canary","counts":{"sent":3},"compared":3,"mismatch":0.5,"controlled":true,"fields":[{"name":"$.a<b","different":2,"noise":1,"share":0.5,"above_noise":true}]`,
		`"baseline_latency":{"p50_ns":1000000,`, `"p99_ns":1000000000}`, `"path":"/a?page=…","fields":[{"field":"status","baseline":"200","target":"500"}]`, `{"mirror":"10.0.0.9:8080"`)
	wantAnswer(t, "a command", ask(h, "POST", "/rollouts/checkout/mirror", ""), 405, `"code":"method"`)
	wantAnswer(t, "no rollout", ask(h, "GET", "/rollouts/search/mirror", ""), 404, `"code":"unknown"`)
}
