package traefikplugin

import (
	"net/http"
	"sort"
	"strings"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/metrics"
)

// metricsPrefix begins the names of all metrics. What follows is the same as in other gateways.
const metricsPrefix = "traefik_rollout_"

// exposition answers with the metrics of a registry's rollouts at .../metrics, and leaves all else to another handler.
type exposition struct{ metrics, others http.Handler }

func newExposition(g *registry, others http.Handler) *exposition {
	all := metrics.Handler(metricsPrefix, core.Metrics, func() []metrics.Series { return g.metrics() })
	return &exposition{metrics: all, others: others}
}

// ServeHTTP tells by the path. A rollout may have the name metrics.
func (e *exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/metrics") && !strings.Contains(r.URL.Path, "/rollouts/") {
		e.metrics.ServeHTTP(w, r)
		return
	}
	e.others.ServeHTTP(w, r)
}

// metrics returns those of all rollouts that somebody uses, or used until a moment ago, by name.
func (g *registry) metrics() []metrics.Series {
	var all []metrics.Series
	for _, engine := range g.engines() {
		all = append(all, engine.Metrics()...)
	}
	return all
}

// engines returns those of the rollouts as they were configured last.
func (g *registry) engines() []*core.Engine {
	g.mu.Lock()
	defer g.mu.Unlock()
	engines := make([]*core.Engine, 0, len(g.byName))
	for _, known := range g.byName {
		engine := known.current.engine
		engines = append(engines, engine)
	}
	sort.Slice(engines, func(a, b int) bool { return engines[a].Name() < engines[b].Name() })
	return engines
}
