package balance

import (
	"fmt"
	"testing"
)

// The benchmarks run compiled and interpreted ("make bench"); docs/performance.md holds what they found.

// poolOf returns a pool of n upstreams whose weights are 1 to 9 and whose versions are v0 to v9.
func poolOf(b *testing.B, n int) *Set {
	b.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("10.0.%d.%d:8080 weight=%d version=v%d", i/256, i%256, 1+i%9, i/2%10)
	}
	upstreams := parsed(b, texts...)
	return NewPool(upstreams, all(upstreams), []string{"version"}, nil).Whole()
}

// BenchmarkPick times the choice of an upstream. The first is down where one is.
func BenchmarkPick(b *testing.B) {
	up := func(i int) bool { return true }
	oneDown := func(i int) bool { return i > 0 }
	mostDown := func(i int) bool { return i%10 == 7 }
	for _, n := range []int{10, 100, 1000} {
		set := poolOf(b, n)
		for _, test := range []struct {
			name      string
			available func(i int) bool
		}{{"all up", up}, {"one down", oneDown}, {"nine of ten down", mostDown}} {
			available := test.available
			b.Run(fmt.Sprintf("%d upstreams, %s", n, test.name), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; i < b.N; i++ {
					set.Pick(available, nil)
				}
			})
		}
		b.Run(fmt.Sprintf("%d upstreams, a subset", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				Narrow(set, 0, "v4").Pick(up, nil)
			}
		})
		b.Run(fmt.Sprintf("%d upstreams, whose turn it is", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				Next(set)
			}
		})
	}
}

// BenchmarkNewPool times what a configuration, or a change of the upstreams, costs.
func BenchmarkNewPool(b *testing.B) {
	for _, n := range []int{10, 1000} {
		upstreams := make([]Upstream, n)
		for i := range upstreams {
			upstreams[i] = Upstream{Name: fmt.Sprint(i), Weight: 1 + i%9, Metadata: map[string]string{"version": fmt.Sprint(i / 2 % 10)}}
		}
		b.Run(fmt.Sprintf("%d upstreams", n), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				NewPool(upstreams, all(upstreams), []string{"version"}, nil)
			}
		})
	}
}
