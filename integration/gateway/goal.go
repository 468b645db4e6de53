package gateway

import (
	"bytes"
	"testing"

	"github.com/grayling-gateway/grayling/core/goal"
)

// Goal is the neutral twin of core.Goal.
type Goal struct{ Name, When string }

// goals writes goals in Caddy's words.
func (c *caddy) goals(b *bytes.Buffer, r Rollout) {
	for _, g := range r.Goals {
		b.WriteString("\tgoal " + g.Name + " " + quote(g.When) + "\n")
	}
}

// goals adds goals in Traefik's words.
func (t *traefik) goals(config map[string]any, r Rollout) map[string]any {
	var list []map[string]any
	for _, g := range r.Goals {
		list = append(list, present{"name": g.Name, "when": g.When}.fields())
	}
	config["goals"] = list
	return present(config).fields()
}

// Results returns how the variants of a rollout compare, in the present period first.
func (g *Gateway) Results(t testing.TB, rollout string) []goal.Results {
	t.Helper()
	var all struct{ Results []goal.Results }
	if err := g.read("/"+rollout+"/results", &all); err != nil {
		t.Fatalf("results of %s: %v", rollout, err)
	}
	return all.Results
}
