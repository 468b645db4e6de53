package core

import "sync/atomic"

// tallied returns what was counted of the rollout since the gateway's process began, by name, but for what never
// happened: decisions_<reason>, checks_<verdict>, refused_tokens_<cause>, router_<what became of a question>,
// notices_<what became of an event for a webhook>, queries_<what became of a query for Prometheus>, internal_errors.
func (l *Live) tallied() map[string]int64 {
	all := map[string]int64{}
	add := func(name string, n int64) {
		if n > 0 {
			all[name] = n
		}
	}
	for _, reason := range l.Reasons() {
		add("decisions_"+string(reason.Reason), reason.Decisions)
	}
	for verdict, n := range l.Verdicts() {
		add("checks_"+string(verdict), n)
	}
	for _, refused := range l.RefusedTokens() {
		add("refused_tokens_"+string(refused.Cause), refused.Tokens)
	}
	router, notices, queries := l.Routed(), l.Notices(), l.Queries()
	for _, counted := range []struct {
		name  string
		count *atomic.Int64
	}{
		{"router_answered", &router.Answered}, {"router_shared", &router.Shared}, {"router_timed_out", &router.TimedOut},
		{"router_failed", &router.Failed}, {"router_invalid", &router.Invalid}, {"router_refused", &router.Refused},
		{"notices_delivered", &notices.Delivered}, {"notices_refused", &notices.Refused}, {"notices_expired", &notices.Expired},
		{"notices_dropped", &notices.Dropped}, {"notices_retried", &notices.Retried},
		{"queries_answered", &queries.Answered}, {"queries_timed_out", &queries.TimedOut}, {"queries_unreachable", &queries.Unreachable},
		{"queries_refused", &queries.Refused}, {"queries_malformed", &queries.Malformed}, {"queries_empty", &queries.Empty},
		{"queries_several", &queries.Several}, {"queries_not_finite", &queries.NotFinite},
		{"internal_errors", &l.faults},
	} {
		add(counted.name, counted.count.Load())
	}
	return all
}
