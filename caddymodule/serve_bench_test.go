package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// BenchmarkServeHTTP shows what a rollout adds to a request in Caddy: the difference to no rollout. Most of what is left
// then is Caddy's own preparation of a request.
func BenchmarkServeHTTP(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	const mirror = `{"target": "http://127.0.0.1:9", "percent": "0%"}` // which copies nothing
	for _, bench := range []struct{ name, observe, mirrors string }{{"observed", "", ""}, {"mirrored", "", mirror}, {"unobserved", "off", ""}, {"none", "none", ""}} {
		b.Run(bench.name, func(b *testing.B) {
			handler := caddyhttp.Handler(next)
			if bench.observe != "none" {
				rollout := benchmarkRollout(b, bench.observe, bench.mirrors)
				handler = caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return rollout.ServeHTTP(w, r, next) })
			}
			received := httptest.NewRequest(http.MethodGet, "http://shop.example/cart", http.NoBody)
			received.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0")
			received.Header.Set("Cookie", "session=8c1f2b7e4a9d4e0c9f3a; uid=alice; theme=dark")
			received.Header.Set("Accept-Language", "en-GB,en;q=0.7,de;q=0.3")
			w := &discard{header: http.Header{"Content-Type": {"text/html"}}}
			server := new(caddyhttp.Server)
			b.ReportAllocs()
			for b.Loop() {
				r := caddyhttp.PrepareRequest(received, caddy.NewReplacer(), w, server)
				if err := handler.ServeHTTP(w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchmarkRollout has four rules that match nothing here, and a split by cookie.
func benchmarkRollout(b *testing.B, observe, mirrors string) *Handler {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		b.Fatal(err)
	}
	module, err := ctx.LoadModuleByID("http.handlers.rollout", []byte(`{
		"name": "`+b.Name()[len("BenchmarkServeHTTP/"):]+`",
		"variants": [{"name": "stable"}, {"name": "canary", "weight": "10%"}],
		"rules": [
			{"name": "qa", "use": "canary", "when": "header(\"X-Version\") == \"v2\""},
			{"name": "beta", "use": "canary", "when": "cookie(\"group\") == \"beta\""},
			{"name": "phones", "use": "canary", "when": "header(\"User-Agent\").contains(\"iPhone\")"},
			{"name": "norway", "use": "canary", "when": "header(\"Accept-Language\").hasPrefix(\"nb\")"}
		],
		"key": ["cookie(\"uid\")"],
		"mirrors": [`+mirrors+`],
		"observe": "`+observe+`"
	}`))
	if err != nil {
		b.Fatal(err)
	}
	h := module.(*Handler)
	h.logged = false // as on a server without access log
	return h
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
