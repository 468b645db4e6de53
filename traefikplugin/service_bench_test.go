package traefikplugin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

// The benchmarks run compiled and interpreted ("make bench"); docs/performance.md holds what they found.

// noop is a plugin that does nothing.
type noop struct{ next http.Handler }

// ServeHTTP passes a request on.
func (n *noop) ServeHTTP(w http.ResponseWriter, r *http.Request) { n.next.ServeHTTP(w, r) }

// BenchmarkServiceMode times what a middleware adds to a request whose response goes through a proxy of net/http, as
// Traefik's services do, without a network.
func BenchmarkServiceMode(b *testing.B) {
	next := proxyWithoutNetwork(b, 5)
	inParts := proxyWithoutNetwork(b, 40<<10)
	observed := benchmarked("observed")
	unobserved := benchmarked("unobserved")
	unobserved.Observe = "off"
	mirrored := benchmarked("mirrored")
	mirrored.Mirrors = []core.Mirror{{Target: "http://127.0.0.1:9", Percent: "0%"}}
	for _, test := range []struct {
		name    string
		handler http.Handler
	}{
		{"no plugin", next},
		{"a plugin that does nothing", &noop{next: next}},
		{"without observation", middleware(b, unobserved, next)},
		{"with observation", middleware(b, observed, next)},
		{"no plugin, an answer in two parts", inParts},
		{"with observation, an answer in two parts", middleware(b, benchmarked("parts"), inParts)},
		{"with a mirror that does not choose the client", middleware(b, mirrored, next)},
	} {
		handler := test.handler
		b.Run(test.name, func(b *testing.B) {
			r := get("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
				"Accept: text/html", "Accept-Encoding: gzip, br", "Cookie: theme=dark; uid=3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11")
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatalf("status %d", w.Code)
				}
			}
		})
	}
}

func benchmarked(name string) core.Config {
	return core.Config{
		Name:     "benchmark-" + name,
		Variants: []core.Variant{{Name: "stable"}, {Name: "canary", Weight: "10%"}},
		Rules: []core.Rule{
			{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`},
			{Name: "old", Use: "stable", When: `header("X-Client") == "1.0"`},
			{Name: "eu", Use: "canary", Percent: "20%", When: `header("X-Country").in("DE", "FR", "NO")`},
			{Name: "beta", Use: "canary", When: `header("X-Groups").has("beta") && header("X-Opt-Out") != "1"`},
		},
		Key: []string{`cookie("uid")`, `ip()`},
	}
}

func middleware(b *testing.B, config core.Config, next http.Handler) http.Handler {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	handler, err := New(ctx, next, &config, config.Name)
	if err != nil {
		b.Fatal(err)
	}
	return handler
}

// proxyWithoutNetwork answers with a file of so many bytes, of which a proxy reads 32 KiB at a time.
func proxyWithoutNetwork(b *testing.B, size int) http.Handler {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cart"), []byte(strings.Repeat("a", size)), 0o600); err != nil {
		b.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "shop.example"})
	proxy.Transport = http.NewFileTransport(http.Dir(dir))
	return proxy
}
