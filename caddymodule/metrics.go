package caddymodule

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/identity"
	"github.com/grayling-gateway/grayling/core/mirror"
	machine "github.com/grayling-gateway/grayling/core/rollout"
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
	planState      = describe("state", "Whether the plan is in a state: 1 or 0. It is unknown before the store has said what it knows.", "state")
	planStep       = describe("step", "Step of the plan, from 1; 0 before the first.")
	planEpoch      = describe("epoch", "Rollbacks, restarts and promotions of the revision so far.")
	evaluations    = describe("evaluations_total", "Evaluations of the plan's checks, by what they said.", "verdict")
	storeUp        = describe("store_up", "Whether the store of the plan's state answers: 1 or 0.")
	notices        = describe("notices_total", "Events that webhooks were to be told, by what became of them; and retried, which are attempts.", "outcome")
	mirrorRequests = describe("mirror_requests_total", "Requests that a mirror chose to copy, by what became of their copies.", "mirror", "outcome")
	mirrorCompared = describe("mirror_comparisons_total", "Answers to copies, by how they compare with those of the baseline: same, different, uncompared.", "mirror", "outcome")
	mirrorMismatch = describe("mirror_mismatch_ratio", "Share of the requests that the target of a mirror answers differently, beyond the noise, from 0 to 1; 0 before any were compared.", "mirror")
	queries        = describe("prometheus_queries_total", "Queries to Prometheus, by what became of them.", "outcome")
)

var described = []*prometheus.Desc{
	weightRatio, requests, decisions, internalErrors, refusedTokens, routerLookups, planState, planStep, planEpoch, evaluations, storeUp, notices, queries,
	mirrorRequests, mirrorCompared, mirrorMismatch,
}

// describe describes a metric of rollouts. Its labels come from the configuration or from a closed list, and never from a
// request.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("caddy", "rollout", name), help, append([]string{"rollout"}, labels...), nil)
}

// everyReason is every reason of decisions.
var everyReason = []core.Reason{
	core.ByFollowing, core.ByRule, core.ByAssigned, core.ByRouter, core.BySplit, core.ByBase, core.ByFallback, core.ByRolledBack,
}

// everyState is every state of plans.
var everyState = []string{
	core.UnknownState, string(machine.Progressing), string(machine.Paused), string(machine.Promoted), string(machine.RolledBack),
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
		m.collect(series{name, out}, r)
	}
}

// collect sends the values of one rollout.
func (m metrics) collect(s series, r *rollout) {
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
		s.counts(routerLookups, r.live.Routed().ByName())
	}
	if len(r.config.Plan.Steps) > 0 {
		s.plan(r.live)
	}
	if len(r.config.Notify)+len(m.app.Notify) > 0 {
		s.counts(notices, r.live.Notices().ByName())
	}
	for _, ledger := range r.live.MirrorLedgers() {
		s.mirror(ledger)
	}
	if m.app.Prometheus.URL != "" {
		s.counts(queries, r.live.Queries().ByName())
	}
}

// series are the metrics of one rollout on their way out.
type series struct {
	rollout string
	out     chan<- prometheus.Metric
}

func (s series) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{s.rollout}, labels...)...)
}

func (s series) count(d *prometheus.Desc, n int64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{s.rollout}, labels...)...)
}

// variants sends what the variants have and did that the configuration has.
func (s series) variants(r *rollout) {
	weights, counted := r.engine.Weights(), r.live.Counts()
	for i, variant := range r.engine.Variants() {
		share := float64(weights[i]) / float64(balance.Full)
		s.gauge(weightRatio, share, variant)
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

// counts sends counts by the names of what became of things.
func (s series) counts(d *prometheus.Desc, byName map[string]int64) {
	for name, n := range byName {
		s.count(d, n, name)
	}
}

// mirror sends what became of copies.
func (s series) mirror(l *mirror.Ledger) {
	for outcome, n := range l.Counts.Requests() {
		s.count(mirrorRequests, n, l.Name(), outcome)
	}
	for outcome, n := range l.Counts.Comparisons() {
		s.count(mirrorCompared, n, l.Name(), outcome)
	}
	share, _ := l.Mismatch(1)
	s.gauge(mirrorMismatch, share, l.Name())
}

// plan sends how far the plan has come.
func (s series) plan(live *core.Live) {
	status, runs := live.Status()
	if !runs {
		status.State = core.UnknownState
	}
	for _, state := range everyState {
		s.gauge(planState, oneIf(state == status.State), state)
	}
	s.gauge(planStep, float64(status.Step))
	s.gauge(planEpoch, float64(status.Epoch))
	s.gauge(storeUp, oneIf(runs && status.StoreAway == ""))
	for verdict, n := range live.Verdicts() {
		s.count(evaluations, n, string(verdict))
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Interface guard
var _ prometheus.Collector = metrics{}
