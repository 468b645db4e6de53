// Package metrics writes what is counted in the two text formats that Prometheus reads, and answers who asks for it over
// HTTP. It knows no rollouts: what there is to write comes from package core.
//
// The formats are the [text format 0.0.4] and [OpenMetrics 1.0].
//
// [text format 0.0.4]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
// [OpenMetrics 1.0]: https://prometheus.io/docs/specs/om/open_metrics_spec/
package metrics
