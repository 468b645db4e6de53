// Package prometheus asks a Prometheus server, or what speaks its HTTP API, such as Thanos, Mimir and VictoriaMetrics,
// for the value that an expression has now.
package prometheus
