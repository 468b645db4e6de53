package core

import (
	"strings"
	"testing"
)

// BenchmarkDecideAssigned times decisions for clients who were assigned, and for new ones.
func BenchmarkDecideAssigned(b *testing.B) {
	for _, test := range []struct {
		name   string
		config Config
		known  bool
	}{
		{"a cookie", stickyShop(), true},
		{"a new client", stickyShop(), false},
		{"memory", inMemory(), true},
	} {
		e := compile(b, test.config, nil, Host{})
		r := browser()
		r.Header["X-User"] = []string{low}
		if d := e.Decide(r, "203.0.113.7", noon); test.known && d.Cookie != "" {
			pair, _, _ := strings.Cut(d.Cookie, ";")
			r.Header["Cookie"] = []string{r.Header["Cookie"][0] + "; " + pair}
		}
		b.Run(test.name, func(b *testing.B) {
			if d := e.Decide(r, "203.0.113.7", noon); (d.Reason == ByAssigned) != test.known {
				b.Fatalf("decided by %s", d.Reason)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				e.Decide(r, "203.0.113.7", noon)
			}
		})
	}
}
