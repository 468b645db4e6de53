package core

import "github.com/grayling-gateway/grayling/core/expr"

// goals finds out which goals the request meets, and whether its client counts, as visit does.
func (s *examination) goals(d *Decision) {
	goals := s.engine.goals
	if goals == nil {
		return
	}
	defer s.unexplained()
	s.at = "the goals"
	x := &GoalsExplained{Status: s.counted(d), List: []GoalExplained{}}
	for n, condition := range goals.conditions {
		result, parts := expr.Explain(condition, s.in, s.assumed)
		x.List = append(x.List, GoalExplained{Name: goals.names[n], Met: result == expr.Held, ByStatus: condition.AsksStatus(), Condition: parts})
	}
	s.x.Goals = x
}

// counted says whether the client counts.
func (s *examination) counted(d *Decision) string {
	switch {
	case !isByChance(d.Reason):
		return GoalsChosen
	case !compares(s.engine, s.phase.state, s.phase.weights):
		return GoalsAlone
	case !s.known():
		return GoalsNoClient
	}
	return GoalsCounted
}

// known reports whether the request brings something that tells its client from others, see clientOf.
func (s *examination) known() bool {
	switch {
	case !s.engine.goals.sticky:
		return s.x.Key.Key != ""
	case s.engine.assigner.cookie == nil:
		return s.name != ""
	}
	return s.id != ""
}
