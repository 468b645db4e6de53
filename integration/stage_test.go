package integration

import (
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// stage starts the gateways of a host. Scenarios that only ask are played on the same ones, which take one site after the
// other: a Traefik that starts interprets the whole plugin, and that costs far more than what such a scenario asks.
type stage struct {
	t    *testing.T // as long as it lasts, gateways are kept
	host gateway.Host

	mu   sync.Mutex
	free []*gateway.Gateway
}

// set returns a gateway that serves the scenario's site.
func (st *stage) set(t *testing.T, s scenario) *gateway.Gateway {
	t.Helper()
	if !s.asks() {
		return gateway.Start(t, st.host, s.site)
	}
	g := st.take()
	if g == nil {
		g = gateway.Start(st.t, st.host, s.site)
	} else {
		g.Reload(t, s.site)
		g.Client().CloseIdleConnections() // the servers before are closing theirs: a request written to one may be lost
		g.Site = s.site
	}
	t.Cleanup(func() {
		if !t.Failed() {
			st.give(g)
		}
	})
	return g
}

// take returns a gateway that nobody uses, nil if there is none.
func (st *stage) take() (g *gateway.Gateway) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if last := len(st.free) - 1; last >= 0 {
		g, st.free = st.free[last], st.free[:last]
	}
	return g
}

func (st *stage) give(g *gateway.Gateway) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.free = append(st.free, g)
}

// asks reports whether a scenario leaves nothing behind on its gateway, which remembers things of clients and of upstreams, and
// needs nothing that a gateway is only told when it starts.
func (s scenario) asks() bool {
	sticky := func(r gateway.Rollout) bool { return r.Sticky.Mode != "" }
	tidy := s.tidy || s.run == nil && !slices.ContainsFunc(s.site.Rollouts, sticky)
	return tidy && !s.pooled() && reflect.DeepEqual(s.site, gateway.Site{Rollouts: s.site.Rollouts})
}
