package caddymodule

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grayling-gateway/grayling/core"
	measures "github.com/grayling-gateway/grayling/core/metrics"
)

// metrics shows the rollouts of a configuration to Prometheus: what they remember, read when somebody asks, so that
// requests pay nothing for it and a reload loses nothing of it.
type metrics struct{ app *App }

// described are the metrics of rollouts as Caddy's registry knows them.
var described = describe(core.Metrics)

func describe(families []*measures.Family) map[*measures.Family]*prometheus.Desc {
	all := make(map[*measures.Family]*prometheus.Desc, len(families))
	for _, f := range families {
		all[f] = prometheus.NewDesc(prometheus.BuildFQName("caddy", "rollout", f.Name), f.Help, f.Labels, nil)
	}
	return all
}

// Describe sends what all metrics mean.
func (metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range described {
		out <- d
	}
}

// Collect sends the values of all rollouts as they are now.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	m.app.mu.Lock()
	rollouts := maps.Clone(m.app.rollouts)
	m.app.mu.Unlock()
	for _, r := range rollouts {
		for _, s := range r.engine.Metrics() {
			out <- metric(s)
		}
	}
}

// metric returns a value as Prometheus' library has it.
func metric(s measures.Series) prometheus.Metric {
	desc := described[s.Of]
	made, err := constant(desc, s)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return made
}

func constant(desc *prometheus.Desc, s measures.Series) (prometheus.Metric, error) {
	switch s.Of.Kind {
	case measures.Histogram:
		d := s.Distribution
		within := make(map[float64]uint64, len(d.Limits))
		sum := uint64(0)
		for i, limit := range d.Limits {
			sum += uint64(d.Counts[i])
			within[limit] = sum
		}
		return prometheus.NewConstHistogram(desc, uint64(d.Count()), d.Sum, within, s.Labels...)
	case measures.Counter:
		return prometheus.NewConstMetric(desc, prometheus.CounterValue, s.Value, s.Labels...)
	default:
		return prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, s.Labels...)
	}
}

// Interface guard
var _ prometheus.Collector = metrics{}
