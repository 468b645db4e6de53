package core

import (
	"strings"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/identity"
	"github.com/grayling-gateway/grayling/core/metrics"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Metrics are all metrics of rollouts, in the order in which they are shown. Their names have no prefix: a gateway gives
// them its own, as caddy_rollout_ in Caddy. Their labels come from the configuration, or from closed lists, and never from
// a request. Whatever can occur is there from the start, with 0, because increase() and rate() do not see the first of a
// series that was absent.
var Metrics = []*metrics.Family{
	requestsTotal, responseDuration, decisionsTotal, internalErrorsTotal,
	weightRatio, stateGauge, stepGauge, epochGauge, heldGauge, stalledGauge, evaluationsTotal, eventsTotal, storeUp,
	membersGauge, differingMembersGauge,
	assignmentsTotal, rememberedClients, routerLookupsTotal, refusedTokensTotal,
	mirrorRequestsTotal, mirrorComparisonsTotal, mirrorMismatchRatio,
	goalClients, goalReachedClients,
	noticesTotal, prometheusQueriesTotal,
}

var (
	requestsTotal = newFamily(metrics.Counter, "requests_total", "`observe` is not `off`",
		"Requests that a variant was chosen for, by why it was and by how it did: success, failure (5xx or no answer), neutral (no fault of the variant, such as a client that went away). What the base served in another's place is none.",
		"variant", "reason", "outcome")
	responseDuration = newFamily(metrics.Histogram, "response_duration_seconds", "`observe` is not `off`",
		"Time from the decision to the first byte of the response, of the successes and failures among these requests that were answered.",
		"variant")
	decisionsTotal = newFamily(metrics.Counter, "decisions_total", "",
		"Decisions by their reason, once the outcome is known. A request that fell back has two: the one that failed, and fallback.",
		"reason")
	internalErrorsTotal = newFamily(metrics.Counter, "internal_errors_total", "",
		"Decisions that broke inside, and were made without what broke.")
	weightRatio = newFamily(metrics.Gauge, "weight_ratio", "",
		"Share of the split that a variant has now, from 0 to 1.",
		"variant")

	stateGauge = newFamily(metrics.Gauge, "state", "`plan`",
		"Whether the plan is in a state: 1 or 0. It is unknown before the store has said what it knows.",
		"state")
	stepGauge = newFamily(metrics.Gauge, "step", "`plan`",
		"Step of the plan, from 1; 0 before the first.")
	epochGauge = newFamily(metrics.Gauge, "epoch", "`plan`",
		"Rollbacks, restarts and promotions of the revision so far.")
	heldGauge = newFamily(metrics.Gauge, "held", "`plan`",
		"Whether the time of the step is over, and the plan waits: 1 or 0.")
	stalledGauge = newFamily(metrics.Gauge, "stalled", "`plan`",
		"Whether the plan has waited for as long as its deadline says: 1 or 0.")
	evaluationsTotal = newFamily(metrics.Counter, "evaluations_total", "`plan`",
		"Evaluations of the plan's checks in this gateway, by what they said.",
		"verdict")
	eventsTotal = newFamily(metrics.Counter, "events_total", "`plan`",
		"Events of the rollout that this gateway told of.",
		"event")
	storeUp = newFamily(metrics.Gauge, "store_up", "`plan`",
		"Whether the store of the plan's state answers: 1 or 0.")

	membersGauge = newFamily(metrics.Gauge, "members", "`plan`, and a store that gateways share",
		"Gateways that share the rollout's store, this one too, as far as this one knows.")
	differingMembersGauge = newFamily(metrics.Gauge, "differing_members", "`plan`, and a store that gateways share",
		"Gateways among these whose revision, plan or place in it differs from this one's.")

	assignmentsTotal = newFamily(metrics.Counter, "assignments_total", "`sticky`",
		"Assignments that were given to clients who had none, by the variant.",
		"variant")
	rememberedClients = newFamily(metrics.Gauge, "remembered_clients", "`sticky memory` or `router`",
		"Clients whose assignments are in the memory of this gateway.")
	routerLookupsTotal = newFamily(metrics.Counter, "router_lookups_total", "`router`",
		"Lookups at the router, by what became of them.",
		"outcome")
	refusedTokensTotal = newFamily(metrics.Counter, "refused_tokens_total", "`jwt`",
		"Tokens that were found to have no claims, by cause.",
		"cause")

	mirrorRequestsTotal = newFamily(metrics.Counter, "mirror_requests_total", "`mirror`",
		"Requests that a mirror chose to copy, by what became of the copies.",
		"mirror", "outcome")
	mirrorComparisonsTotal = newFamily(metrics.Counter, "mirror_comparisons_total", "`mirror`",
		"Answers to copies, by how they compare with those of the baseline: same, different, uncompared.",
		"mirror", "outcome")
	mirrorMismatchRatio = newFamily(metrics.Gauge, "mirror_mismatch_ratio", "`mirror`",
		"Share of the requests that the mirror's target answers differently, beyond the noise, from 0 to 1; 0 before any were compared.",
		"mirror")

	goalClients = newFamily(metrics.Gauge, "goal_clients", "`goal`",
		"Clients whom chance has shown a variant, and no other, since weights changed last, of those in the sample. Gateways with one store tell of the same clients.",
		"variant")
	goalReachedClients = newFamily(metrics.Gauge, "goal_reached_clients", "`goal`",
		"Clients among these who reached a goal.",
		"variant", "goal")

	noticesTotal = newFamily(metrics.Counter, "notices_total", "`notify`",
		"Events that webhooks were to be told, by what became of them; and retried, which are attempts.",
		"outcome")
	prometheusQueriesTotal = newFamily(metrics.Counter, "prometheus_queries_total", "`prometheus`",
		"Queries to Prometheus for the checks, by what became of them.",
		"outcome")
)

// newFamily describes a metric, all of whose series say of which rollout they are.
func newFamily(kind metrics.Kind, name, needs, help string, labels ...string) *metrics.Family {
	return &metrics.Family{Name: name, Kind: kind, Help: help, Needs: needs, Labels: append([]string{"rollout"}, labels...)}
}

// The values that labels can have.
var (
	everyReason = []Reason{ByFollowing, ByRule, ByAssigned, ByRouter, BySplit, ByBase, ByFallback, ByRolledBack}
	everyState  = []string{UnknownState, OutdatedState, string(rollout.Progressing), string(rollout.Paused), string(rollout.Promoted), string(rollout.RolledBack)}
)

// Metrics returns the values that the metrics of the rollout have now, as far as the engine's configuration has them.
func (e *Engine) Metrics() []metrics.Series {
	m := &gathering{rollout: e.name}
	m.requests(e)
	m.count(internalErrorsTotal, e.live.Faults())
	for i, weight := range e.Weights() {
		m.add(weightRatio, float64(weight)/float64(balance.Full), e.variants[i])
	}
	if e.plan != nil {
		m.plan(e.live)
	}
	if e.assigner != nil {
		m.assignments(e)
	}
	if e.tokens != nil {
		refused := map[string]int64{}
		for _, c := range e.live.RefusedTokens() {
			refused[string(c.Cause)] = c.Tokens
		}
		for _, cause := range identity.Causes {
			m.count(refusedTokensTotal, refused[string(cause)], string(cause))
		}
	}
	m.mirrors(e.live)
	if e.goals != nil {
		m.goals(e)
	}
	if e.outside.tells() {
		m.counts(noticesTotal, e.live.Notices().ByName())
	}
	if e.outside.asks {
		m.counts(prometheusQueriesTotal, e.live.Queries().ByName())
	}
	return m.series
}

// gathering are the metrics of one rollout, as they are collected.
type gathering struct {
	rollout string
	series  []metrics.Series
}

func (m *gathering) add(of *metrics.Family, value float64, labels ...string) {
	m.series = append(m.series, metrics.Series{Of: of, Labels: append([]string{m.rollout}, labels...), Value: value})
}

func (m *gathering) count(of *metrics.Family, n int64, labels ...string) {
	m.add(of, float64(n), labels...)
}

// counts adds counts by the names of what became of things.
func (m *gathering) counts(of *metrics.Family, byName map[string]int64) {
	for name, n := range byName {
		m.count(of, n, name)
	}
}

// requests adds what requests were counted by, of the variants that the configuration has.
func (m *gathering) requests(e *Engine) {
	made := map[Reason]int64{}
	latencies := map[string]*tally{}
	for _, name := range e.variants {
		latencies[name] = &tally{buckets: make([]int64, len(latencyLimits))}
	}
	for of, t := range e.live.tallies() {
		made[of.reason] += t.decisions()
		total := latencies[of.variant]
		if total == nil || !of.merits || !e.observe {
			continue
		}
		total.add(t)
		m.count(requestsTotal, t.success, of.variant, string(of.reason), "success")
		m.count(requestsTotal, t.failure, of.variant, string(of.reason), "failure")
		m.count(requestsTotal, t.neutral, of.variant, string(of.reason), "neutral")
	}
	for _, reason := range everyReason {
		m.count(decisionsTotal, made[reason], string(reason))
	}
	if !e.observe {
		return
	}
	for _, name := range e.variants {
		total := latencies[name]
		d := &metrics.Distribution{Limits: latencySeconds, Counts: total.buckets, Sum: total.latency.Seconds()}
		m.series = append(m.series, metrics.Series{Of: responseDuration, Labels: []string{m.rollout, name}, Distribution: d})
	}
}

// plan adds how far the plan has come.
func (m *gathering) plan(live *Live) {
	status, runs := live.Status()
	if !runs {
		status.State = UnknownState
	}
	for _, name := range everyState {
		m.add(stateGauge, oneIf(name == status.State), name)
	}
	m.count(stepGauge, int64(status.Step))
	m.count(epochGauge, int64(status.Epoch))
	m.add(heldGauge, oneIf(status.Held))
	m.add(stalledGauge, oneIf(status.Stalled))
	for verdict, n := range live.Verdicts() {
		m.count(evaluationsTotal, n, string(verdict))
	}
	for _, kind := range rollout.Kinds {
		m.count(eventsTotal, live.told(kind), string(kind))
	}
	m.add(storeUp, oneIf(runs && status.StoreAway == ""))
	if len(status.Members) > 0 {
		m.members(status.Members)
	}
}

func (m *gathering) members(members []MemberStatus) {
	differ := 0
	for i := range members {
		if members[i].Differs != "" {
			differ++
		}
	}
	m.count(membersGauge, int64(len(members)))
	m.count(differingMembersGauge, int64(differ))
}

func (m *gathering) assignments(e *Engine) {
	for i, name := range e.variants {
		m.count(assignmentsTotal, e.assigner.given[i].Load(), name)
	}
	if e.assigner.memory != nil {
		m.count(rememberedClients, int64(e.assigner.memory.Len()))
	}
	if e.assigner.router != nil {
		m.counts(routerLookupsTotal, e.live.Routed().ByName())
	}
}

// mirrors adds what became of copies, and whether answers agree.
func (m *gathering) mirrors(live *Live) {
	for _, ledger := range live.MirrorLedgers() {
		name := strings.ToValidUTF8(ledger.Name(), "\uFFFD") // which a host in a URL need not be
		for outcome, n := range ledger.Counts.Requests() {
			m.count(mirrorRequestsTotal, n, name, outcome)
		}
		for outcome, n := range ledger.Counts.Comparisons() {
			m.count(mirrorComparisonsTotal, n, name, outcome)
		}
		share, _ := ledger.Mismatch(1)
		m.add(mirrorMismatchRatio, share, name)
	}
}

// goals adds how many clients were seen, and reached what.
func (m *gathering) goals(e *Engine) {
	for _, variant := range e.variants {
		clients := int64(0)
		for _, name := range e.goals.names {
			reached, seen := e.live.conversion(variant, name)
			m.count(goalReachedClients, reached, variant, name)
			clients = seen
		}
		m.count(goalClients, clients, variant)
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
