package mirror

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// BenchmarkBegin is what a mirror costs a request that it does not choose: by its method, by its condition and by its share.
func BenchmarkBegin(b *testing.B) {
	key, problems := expr.ParseKey([]string{`header("X-User")`}, expr.Host{})
	when, more := expr.ParseCondition(`header("X-Beta") == "1"`, expr.Host{})
	if key == nil || when == nil {
		b.Fatal(problems, more)
	}
	rollout := shop
	rollout.Key = key
	for _, c := range []struct {
		name     string
		method   string
		settings Settings
	}{
		{"method", http.MethodPost, Settings{Share: balance.Full}},
		{"condition", http.MethodGet, Settings{Share: balance.Full, When: when}},
		{"share", http.MethodGet, Settings{Share: 2000}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := New(rollout, []Settings{c.settings}, NewRunner(nil))
			r := httptest.NewRequest(c.method, "/", http.NoBody)
			r.Header.Set("X-User", "4711")
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				if Begin(m, &expr.Input{Request: r}, "stable") != nil {
					b.Fatal("chosen")
				}
			}
		})
	}
}
