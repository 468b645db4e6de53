package core

import (
	"fmt"
	"testing"

	"github.com/grayling-gateway/grayling/core/expr"
)

// BenchmarkUpstream times the choice of one of 1,000 upstreams for a request: by Pick, as a compiled host makes it, and by
// Next, as an interpreted one does.
func BenchmarkUpstream(b *testing.B) {
	config := Config{Name: "shop", Variants: []Variant{{Name: "stable"}}}
	for i := 0; i < 1000; i++ {
		config.Upstreams = append(config.Upstreams, fmt.Sprintf("10.0.%d.%d:8080 weight=%d version=v%d", i/256, i%256, 1+i%9, i/2%10))
	}
	for _, test := range []struct {
		name    string
		subsets []Subset
	}{
		{"", nil},
		{" of a subset", []Subset{{Key: "version", Value: `header("X-Version")`}}},
	} {
		config.Subsets = test.subsets
		p := declared(b, config, Host{})
		r := browser()
		r.Header.Set("X-Version", "v4")
		b.Run("Pick"+test.name, func(b *testing.B) {
			available := func(i int) bool { return true }
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				p.Pick(0, &expr.Input{Request: r}, available, nil)
			}
		})
		b.Run("Next"+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				Next(p, 0, r, "203.0.113.7")
			}
		})
	}
}
