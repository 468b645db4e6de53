package traefikplugin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

// BenchmarkProxyMode measures a request through the plugin's own proxy, with the upstream and what it says.
func BenchmarkProxyMode(b *testing.B) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = []string{"2"}
		_, _ = w.Write([]byte("ok"))
	}))
	defer upstream.Close()
	config := benchmarked("proxied")
	config.Variants = []core.Variant{
		{Name: "stable", Upstreams: []any{upstream.URL}},
		{Name: "canary", Weight: "10%", Upstreams: []any{upstream.URL}},
	}
	handler := middleware(b, config, nil)
	r := get("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html", "Accept-Encoding: gzip, br", "Cookie: theme=dark; uid=3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11")
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("status %d", w.Code)
		}
	}
}
