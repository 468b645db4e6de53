package caddymodule

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/identity"
)

// metrics shows the rollouts of a configuration to Prometheus: what they remember, read when somebody asks, so that
// requests pay nothing for it and a reload loses nothing of it. Whatever can occur is there from the start, with 0, because
// increase() and rate() do not see the first of a series that was absent.
type metrics struct{ app *App }

var (
	weightRatio    = describe("weight_ratio", "Share of the split that a variant has now, from 0 to 1.", "variant")
	requests       = describe("requests_total", "Requests that a variant was chosen for, by how it did: success, failure (5xx or no answer), neutral (no fault of the variant, such as a client that went away).", "variant", "outcome")
	decisions      = describe("decisions_total", "Decisions by their reason. A request that fell back has two: the one that failed, and fallback.", "reason")
	internalErrors = describe("internal_errors_total", "Decisions that broke inside, and were made without what broke.")
	refusedTokens  = describe("refused_tokens_total", "Tokens that were found to have no claims, by cause.", "cause")
	routerLookups  = describe("router_lookups_total", "Lookups at the router, by what became of them.", "outcome")
)

var described = []*prometheus.Desc{weightRatio, requests, decisions, internalErrors, refusedTokens, routerLookups}

// describe describes a metric of rollouts. Its labels come from the configuration or from a closed list, and never from a
// request.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("caddy", "rollout", name), help, append([]string{"rollout"}, labels...), nil)
}

// everyReason is every reason of decisions.
var everyReason = []core.Reason{
	core.ByFollowing, core.ByRule, core.ByAssigned, core.ByRouter, core.BySplit, core.ByBase, core.ByFallback, core.ByRolledBack,
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
	for name, r := range rollouts {
		series{name, out}.collect(r)
	}
}

// series are the metrics of one rollout on their way out.
type series struct {
	rollout string
	out     chan<- prometheus.Metric
}

func (s series) count(d *prometheus.Desc, n int64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{s.rollout}, labels...)...)
}

func (s series) collect(r *rollout) {
	s.variants(r)
	made := map[core.Reason]int64{}
	for _, reason := range everyReason {
		made[reason] = 0
	}
	for _, c := range r.live.Reasons() {
		made[c.Reason] = c.Decisions
	}
	for reason, n := range made {
		s.count(decisions, n, string(reason))
	}
	s.count(internalErrors, r.live.Faults())
	if r.config.JWT.JWKS != "" || r.config.JWT.Secret != "" {
		s.tokens(r.live)
	}
	if r.config.Router.URL != "" {
		s.router(r.live)
	}
}

// variants sends what the variants have and did that the configuration has.
func (s series) variants(r *rollout) {
	weights, counted := r.engine.Weights(), r.live.Counts()
	for i, variant := range r.engine.Variants() {
		share := float64(weights[i]) / float64(balance.Full)
		s.out <- prometheus.MustNewConstMetric(weightRatio, prometheus.GaugeValue, share, s.rollout, variant)
		if !r.engine.Observes() {
			continue
		}
		c := counted[variant]
		s.count(requests, c.Success, variant, "success")
		s.count(requests, c.Failure, variant, "failure")
		s.count(requests, c.Neutral, variant, "neutral")
	}
}

func (s series) tokens(live *core.Live) {
	refused := map[identity.Cause]int64{}
	for _, c := range live.RefusedTokens() {
		refused[c.Cause] = c.Tokens
	}
	for _, cause := range identity.Causes {
		s.count(refusedTokens, refused[cause], string(cause))
	}
}

func (s series) router(live *core.Live) {
	c := live.Routed()
	s.count(routerLookups, c.Answered.Load(), "answered")
	s.count(routerLookups, c.Shared.Load(), "shared")
	s.count(routerLookups, c.TimedOut.Load(), "timed_out")
	s.count(routerLookups, c.Failed.Load(), "failed")
	s.count(routerLookups, c.Invalid.Load(), "invalid")
	s.count(routerLookups, c.Refused.Load(), "refused")
}

// Interface guard
var _ prometheus.Collector = metrics{}
