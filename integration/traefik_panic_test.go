package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestTraefikPluginPanics runs a plugin that is built upon this one, and has a condition that panics.
func TestTraefikPluginPanics(t *testing.T) {
	t.Parallel()
	const plugin = "testdata/panicking"
	for _, host := range []gateway.Host{gateway.TraefikService{Plugin: plugin}, gateway.TraefikProxy{Plugin: plugin}} {
		t.Run(host.Name(), func(t *testing.T) {
			broken := func(share string) gateway.Site {
				first := split(share)
				first.Rules = []gateway.Rule{{Name: "broken", Use: "canary"}}
				second := first
				second.Path = "/second/*"
				return gateway.Site{Rollouts: []gateway.Rollout{first, second}, Routers: []string{"first", "second"}}
			}
			g := gateway.Start(t, host, broken("100%"))
			began := time.Now()
			for _, share := range []string{"100%", "99.9%"} {
				g.Reload(t, broken(share))
				for range 10 {
					for _, target := range []string{"/", "/second/"} {
						exchange{Request: at(target, lowUser, "X-Panic: 1"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}}.check(t, g)
						exchange{Request: at(target, lowUser), want: "canary split"}.check(t, g)
					}
				}
			}
			// Once a minute for the rollout: so both routers share its state, and it outlives a reload.
			took := time.Since(began)
			if n := strings.Count(g.Log(), "the decision broke, the base serves"); n < 1 || n > 1+int(took/time.Minute) {
				t.Errorf("logged %d times in %v, want once", n, took)
			}
			if !strings.Contains(g.Log(), "the condition is broken") {
				t.Error("the log does not say what broke")
			}
		})
	}
}
