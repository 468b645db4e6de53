package analysis

import (
	"fmt"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// converted returns how many of a variant's clients reached a goal, of how many, and whether these are enough.
func (e *evaluation) converted(n *node) (reached, clients int64, known bool) {
	if e.look.Conversion == nil {
		return 0, 0, false
	}
	reached, clients = e.look.Conversion(e.checks.settings.Variants[n.variant], n.name)
	known = clients > 0 && clients >= e.checks.settings.MinRequests
	return reached, clients, known
}

// limitedConversion tells whether the share of clients who do not reach a goal keeps a limit.
func (e *evaluation) limitedConversion(n *node) outcome {
	reached, clients, known := e.converted(n.left)
	if !known {
		return outcome{verdict: rollout.Hold, why: fmt.Sprintf("%d clients, and %d are wanted", clients, e.checks.settings.MinRequests)}
	}
	e.figures[e.figure(n.left)] = float64(reached) / float64(clients)
	why := fmt.Sprintf("%s of %d clients", percent(reached, clients), clients)
	if related(n.op, float64(clients-reached), n.number*float64(clients)) {
		return outcome{verdict: rollout.Pass, why: why}
	}
	f := exceedsEver(clients-reached, clients, n.number, e.checks.levelEver(e.look))
	return outcome{verdict: f.verdict, test: &f, why: why + f.chance()}
}
