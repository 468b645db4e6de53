package core

import (
	"context"
	"fmt"
	"testing"

	"github.com/grayling-gateway/grayling/core/expr"
)

// downs are upstreams of which some are not available.
type downs struct{ positions []int }

// Available is part of [Availability].
func (d *downs) Available(upstream int) bool {
	for _, i := range d.positions {
		if i == upstream {
			return false
		}
	}
	return true
}

func TestExplainUpstreams(t *testing.T) {
	config := Config{
		Name:     "shop",
		Variants: []Variant{{Name: "stable", Where: map[string]any{"track": "stable"}}, {Name: "canary", Weight: "100%", Where: map[string]any{"track": "canary"}}},
		Upstreams: []any{
			"10.0.0.1:80 track=stable version=v1", "10.0.0.2:80 track=stable version=v2 weight=0",
			"10.0.1.1:80 track=canary version=v3 weight=2", "10.0.1.2:80 track=canary version=v4",
		},
		Subsets: []Subset{{Key: "version", Value: `header("X-Version")`}},
		Key:     []string{`ip()`},
	}
	for _, otherwise := range []string{"baseline", "any", "none"} {
		config.Subsets[0].Otherwise = otherwise
		e := compile(t, config, nil, Host{})
		pools := e.Pools(e.Balancer().Upstreams())
		out := &downs{}
		pools.Observe(out)
		for _, test := range []struct {
			version   string
			down      []int
			upstreams map[string]string // by otherwise; "" for all
		}{
			{"", nil, map[string]string{"": "[{10.0.1.1:80 2 false} {10.0.1.2:80 1 false}]"}},
			{"v4", nil, map[string]string{"": "[{10.0.1.2:80 1 false}]"}},
			{"", []int{2}, map[string]string{"": "[{10.0.1.1:80 2 true} {10.0.1.2:80 1 false}]"}},
			{"", []int{2, 3}, map[string]string{"": "[{10.0.0.1:80 1 false}]"}},
			{"v9", nil, map[string]string{"baseline": "[{10.0.0.1:80 1 false}]", "any": "[{10.0.1.1:80 2 false} {10.0.1.2:80 1 false}]", "none": "[]"}},
			{"v4", []int{3}, map[string]string{"baseline": "[{10.0.0.1:80 1 false}]", "any": "[{10.0.1.1:80 2 false} {10.0.1.2:80 1 true}]", "none": "[{10.0.1.2:80 1 true}]"}},
		} {
			out.positions = test.down
			q := with()
			if test.version != "" {
				q = with("X-Version: " + test.version)
			}
			x := explained(t, e, q)
			want, ok := test.upstreams[otherwise]
			if !ok {
				want = test.upstreams[""]
			}
			if got := fmt.Sprint(x.Upstreams); got != want {
				t.Errorf("%s, version %q, down %v: %s, want %s (%q)", otherwise, test.version, test.down, got, want, x.Notes)
			}
			q.URL = "http://shop.example/"
			r, err := q.request(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			pick := pools.Pick(1, &expr.Input{Request: r, Address: q.IP}, func(i int) bool { return out.Available(i) }, nil)
			shown := false
			for _, u := range x.Upstreams {
				shown = shown || pick.Upstream >= 0 && u.Name == e.Balancer().Upstreams()[pick.Upstream].Name && !u.Unavailable
			}
			if shown != (pick.Upstream >= 0) {
				t.Errorf("%s, version %q, down %v: %s are shown, and %+v is picked", otherwise, test.version, test.down, fmt.Sprint(x.Upstreams), pick)
			}
		}
	}
}
