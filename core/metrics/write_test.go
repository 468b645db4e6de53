package metrics

import (
	"errors"
	"math"
	"strings"
	"testing"
)

var (
	lookups = &Family{Name: "lookups_total", Kind: Counter, Help: "Lookups \\ \"by\" outcome.\nAll of them.", Labels: []string{"rollout", "outcome"}}
	share   = &Family{Name: "share_ratio", Kind: Gauge, Help: "A share."}
	latency = &Family{Name: "latency_seconds", Kind: Histogram, Help: "Latencies.", Labels: []string{"rollout"}}
	unused  = &Family{Name: "unused_total", Kind: Counter, Help: "Nothing."}

	families = []*Family{lookups, unused, share, latency}
)

// every is what can be written, and in no order.
func every() []Series {
	return []Series{
		{Of: share, Value: 0.125},
		{Of: latency, Labels: []string{"b"}, Distribution: &Distribution{Limits: []float64{0.005, 1, 10}, Counts: []int64{1, 0, 2, 4}, Sum: 70.25}},
		{Of: lookups, Labels: []string{`q"u\o` + "\nte", "ö"}, Value: 12345678},
		{Of: lookups, Labels: []string{"a", "failed"}, Value: 0},
	}
}

const asText = `# HELP x_lookups_total Lookups \\ "by" outcome.\nAll of them.
# TYPE x_lookups_total counter
x_lookups_total{rollout="a",outcome="failed"} 0
x_lookups_total{rollout="q\"u\\o\nte",outcome="ö"} 1.2345678e+07
# HELP x_share_ratio A share.
# TYPE x_share_ratio gauge
x_share_ratio 0.125
# HELP x_latency_seconds Latencies.
# TYPE x_latency_seconds histogram
x_latency_seconds_bucket{rollout="b",le="0.005"} 1
x_latency_seconds_bucket{rollout="b",le="1"} 1
x_latency_seconds_bucket{rollout="b",le="10"} 3
x_latency_seconds_bucket{rollout="b",le="+Inf"} 7
x_latency_seconds_sum{rollout="b"} 70.25
x_latency_seconds_count{rollout="b"} 7
`

const asOpenMetrics = `# HELP x_lookups Lookups \\ \"by\" outcome.\nAll of them.
# TYPE x_lookups counter
x_lookups_total{rollout="a",outcome="failed"} 0.0
x_lookups_total{rollout="q\"u\\o\nte",outcome="ö"} 1.2345678e+07
# HELP x_share_ratio A share.
# TYPE x_share_ratio gauge
x_share_ratio 0.125
# HELP x_latency_seconds Latencies.
# TYPE x_latency_seconds histogram
x_latency_seconds_bucket{rollout="b",le="0.005"} 1
x_latency_seconds_bucket{rollout="b",le="1.0"} 1
x_latency_seconds_bucket{rollout="b",le="10.0"} 3
x_latency_seconds_bucket{rollout="b",le="+Inf"} 7
x_latency_seconds_sum{rollout="b"} 70.25
x_latency_seconds_count{rollout="b"} 7
# EOF
`

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		format Format
		want   string
	}{{Text, asText}, {OpenMetrics, asOpenMetrics}} {
		var text strings.Builder
		if err := Write(&text, test.format, "x_", families, every()); err != nil {
			t.Fatal(err)
		}
		if text.String() != test.want {
			t.Errorf("got\n%s\nwant\n%s", text.String(), test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		value float64
		want  string
	}{{math.Inf(1), "+Inf"}, {math.Inf(-1), "-Inf"}, {math.NaN(), "NaN"}, {-3, "-3.0"}, {2.5, "2.5"}, {1e21, "1e+21"}} {
		if got := number(test.value, OpenMetrics); got != test.want {
			t.Errorf("%v is written %s, want %s", test.value, got, test.want)
		}
	}
}

// full is a client that is gone.
type full struct{}

func (full) Write(_ []byte) (int, error) { return 0, errors.New("gone") }

func TestWriteFails(t *testing.T) {
	if err := Write(full{}, Text, "", families, every()); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
}
