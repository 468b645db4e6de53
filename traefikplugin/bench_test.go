package traefikplugin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
)

// aiming returns an exchange of a request with a zone, in front of ten upstreams that nobody has to serve.
func aiming(b *testing.B, subsets ...core.Subset) *proxied {
	b.Helper()
	config := core.Config{Name: b.Name(), Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}}, Subsets: subsets}
	for i := 0; i < 10; i++ {
		config.Upstreams = append(config.Upstreams, fmt.Sprintf("http://10.0.0.%d:8080 weight=%d zone=%d", i, i+1, i%2))
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	handler, err := New(ctx, http.NotFoundHandler(), &config, "checkout@file")
	if err != nil {
		b.Fatal(err)
	}
	mode := handler.(*proxyMode)
	e := &proxied{proxy: mode.proxy, clients: mode.clients, standing: mode.proxy.upstreams.current.Load().(*standing)}
	e.engine = mode.engine
	e.request = httptest.NewRequest(http.MethodGet, "http://shop.example/cart", nil)
	e.request.Header.Set("X-Zone", "1")
	e.decision = core.Decide(mode.engine, e.request, "", time.Now())
	return e
}

// BenchmarkAim is what a request needs between its decision and its way, and what its answer says about the upstream.
func BenchmarkAim(b *testing.B) {
	e := aiming(b)
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if !aim(e) {
			b.Fatal("nothing speaks against the upstreams")
		}
		if e.target.health.Steady.Load() != int64(e.attempt) {
			b.Fatal("something speaks against the upstream")
		}
	}
}

// BenchmarkAimInSubset has an expression choose among the upstreams first.
func BenchmarkAimInSubset(b *testing.B) {
	e := aiming(b, core.Subset{Key: "zone", Value: `header("X-Zone")`})
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if !aim(e) {
			b.Fatal("nothing speaks against the upstreams")
		}
		if e.target.health.Steady.Load() != int64(e.attempt) {
			b.Fatal("something speaks against the upstream")
		}
	}
}

// BenchmarkAimPastOneThatIsOut has a tenth of the turns come to an upstream that gets no requests.
func BenchmarkAimPastOneThatIsOut(b *testing.B) {
	e := aiming(b)
	out := e.standing.targets[4].health
	balance.Failed(out, balance.Forced(out), balance.HealthPolicy{Failures: 1, Backoff: time.Hour}, time.Now())
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if !aim(e) && choose(e) != nil {
			b.Fatal("nobody serves")
		}
		if e.target.health.Steady.Load() != int64(e.attempt) {
			b.Fatal("something speaks against the upstream")
		}
	}
}
