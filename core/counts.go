package core

// tallied returns what was counted of the rollout since the gateway's process began, by name, but for what never
// happened: decisions_<reason>, checks_<verdict>, refused_tokens_<cause>, router_<what became of a question>,
// mirror_<name>_<what became of a copy>, notices_<what became of an event for a webhook>,
// queries_<what became of a query for Prometheus>, internal_errors.
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
	addAll := func(prefix string, counts map[string]int64) {
		for name, n := range counts {
			add(prefix+name, n)
		}
	}
	addAll("router_", l.Routed().ByName())
	addAll("notices_", l.Notices().ByName())
	addAll("queries_", l.Queries().ByName())
	for _, ledger := range l.MirrorLedgers() {
		addAll("mirror_"+ledger.Name()+"_", ledger.Counts.Tally())
	}
	add("internal_errors", l.Faults())
	return all
}
