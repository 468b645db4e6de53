package caddymodule

import "github.com/grayling-gateway/grayling/core"

// goal reads
//
//	goal <name> <condition>
func (p *parser) goal() error {
	var g core.Goal
	if !p.Args(&g.Name, &g.When) {
		return p.Err("a goal needs a name and a condition in backticks: goal paid `path() == \"/thanks\"`")
	}
	p.here(indexed("goals", len(p.rollout.Goals)), "goal "+g.Name)
	if p.NextArg() {
		return p.Errf("goal %s: unexpected %q: a condition of several words stands in backticks", g.Name, p.Val())
	}
	p.rollout.Goals = append(p.rollout.Goals, g)
	return p.noBlock("goal " + g.Name)
}
