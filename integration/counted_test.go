package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var countedScenarios = []scenario{
	{name: "what is refused is counted", site: counted(checkout()), run: expectCounts},
}

// expectCounts: on every gateway an operator sees which tokens were refused, and what became of questions to a router.
func expectCounts(t *testing.T, g *gateway.Gateway) {
	router := newRouter(t)
	router.says("nonsense")
	r := members(gateway.JWT{Secret: tokenSecret}, admins)
	r.Variants[1].Weight = "50%"
	r.Key = []string{`header("X-User")`}
	r.Router.URL, r.Router.Timeout = router.URL, "10s"
	g.Reload(t, counted(r))
	past := time.Now().Add(-time.Hour).Unix()
	for _, header := range [][]string{
		{bearer(bySecret(map[string]any{"role": "admin"}))},
		{bearer(bySecret(map[string]any{"exp": past})), "X-User: 1"},
		{bearer(bySecret(map[string]any{"exp": past})), "X-User: 2"},
		{bearer(bySecret(map[string]any{"iss": "https://evil.example"})), "X-User: 3"},
		{bearer("no.token.at.all")},
	} {
		g.Get(t, "/", header...)
	}
	status, err := g.Status("checkout")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"decisions_rule": 1, "refused_tokens_expired": 2, "refused_tokens_issuer": 1, "refused_tokens_malformed": 1, "router_invalid": 3,
	} {
		if got := status.Counts[name]; got != want {
			t.Errorf("%s: %d, want %d of %v", name, got, want, fmt.Sprint(status.Counts))
		}
	}
}

// counted is a site whose rollouts can be asked what they counted.
func counted(r gateway.Rollout) gateway.Site {
	s := site(r)
	s.Control = true
	return s
}
