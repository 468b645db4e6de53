package core

import (
	"fmt"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/goal"
)

// goals are what clients may reach.
type goals struct {
	names      []string
	conditions []*expr.Condition
	table      *expr.Table // of the requests of which they may hold
	byStatus   uint16      // the bits of those that ask for status()
	sticky     bool        // clients are known by what stickiness knows them by
	counted    string      // who counts for what: goals, and what clients are known by
}

// goals reads the goals of a rollout whose key and stickiness were read. It returns nil if there are none.
func (c *checker) goals(config Config, p *checked) *goals {
	if len(config.Goals) == 0 {
		return nil
	}
	read := &goals{sticky: p.sticky != nil && p.sticky.identifies}
	counted := append(append([]string{fmt.Sprint(read.sticky)}, config.Key...), config.Sticky.Client...)
	host := c.exprHost()
	host.Answers = true
	var possible []*expr.Condition
	seen := map[string]bool{}
	for _, i := range inOrder(len(config.Goals), func(i int) int { return config.Goals[i].Order }) {
		g := config.Goals[i]
		path := fmt.Sprintf("goals[%d].", i)
		c.rest(path, g.Rest, []string{"name", "when", "order"})
		c.name(path+"name", "the goal", g.Name)
		if seen[g.Name] {
			c.fail(path+"name", "there are two goals %q: names are unique", g.Name)
		}
		seen[g.Name] = true
		read.names = append(read.names, g.Name)
		counted = append(counted, g.Name, g.When)
		condition, problems := expr.ParseCondition(g.When, host)
		for _, problem := range problems {
			c.fail(path+"when", "%v", problem)
		}
		if condition == nil {
			condition = expr.Always() // it was a problem
		}
		read.conditions = append(read.conditions, condition)
		if condition.AsksStatus() {
			read.byStatus |= 1 << uint(len(possible))
			condition = condition.Possible()
		}
		possible = append(possible, condition)
	}
	if len(config.Goals) > goal.MaxGoals {
		c.fail("goals", "there are %d, and a rollout can have %d", len(config.Goals), goal.MaxGoals)
	}
	switch {
	case len(p.variants) < 2 || len(p.variants) > goal.MaxVariants:
		c.fail("goals", "they compare 2 to %d variants, and there are %d", goal.MaxVariants, len(p.variants))
	case p.key != nil && p.key.Random() && !read.sticky:
		c.fail("goals", "each client counts once, and nothing tells one from another: name a key, such as cookie(\"uid\"), without random(), or let the rollout be sticky")
	case !p.observe:
		c.fail("goals", "what fails reaches no goal, so they have to see how requests are answered: leave observe out")
	}
	read.table = expr.NewTable(possible)
	read.counted = fingerprint(counted...)
	return read
}
