package integration

import (
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// announcing is a checkout with the qa rule that announces as told.
func announcing(a gateway.Announce) gateway.Site {
	r := split("")
	r.Rules = []gateway.Rule{qa}
	r.Announce = a
	return site(r)
}

var announceScenarios = []scenario{
	{
		name: "the upstream is told the variant",
		site: announcing(gateway.Announce{}),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"}, client: []string{"X-Rollout-Variant:"}},
			{Request: get("X-User: u"), want: "stable split", upstream: []string{"X-Rollout-Variant: stable"}, client: []string{"X-Rollout-Variant:"}},
			{Request: get(), want: "stable base", upstream: []string{"X-Rollout-Variant: stable", "Baggage:"}},
		},
	},
	{
		name: "the upstream is told in another header",
		site: announcing(gateway.Announce{Request: "X-Lane"}),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Lane: canary"}},
			{Request: get("X-Lane: canary", "X-User: u"), want: "stable split", upstream: []string{"X-Lane: stable"}},
		},
	},
	{
		name: "the upstream is told nothing",
		site: announcing(gateway.Announce{Request: "off"}),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant:"}},
		},
	},
	{
		name: "the client is told the variant",
		site: announcing(gateway.Announce{Response: "X-Variant"}),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa", client: []string{"X-Variant: canary"}, upstream: []string{"X-Rollout-Variant: canary", "X-Variant:"}},
			{Request: get("X-User: u"), want: "stable split", client: []string{"X-Variant: stable"}},
			{Request: at("/status/500", "X-User: u"), want: "stable split", status: 500, client: []string{"X-Variant: stable"}},
		},
	},
	{
		name: "the variant travels in W3C baggage",
		site: announcing(gateway.Announce{Baggage: true}),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa", upstream: []string{"Baggage: rollout.checkout=canary"}},
			{Request: get("X-User: u"), want: "stable split", upstream: []string{"Baggage: rollout.checkout=stable"}},
		},
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			expectBaggage(t, g, []string{"userId=alice", "rollout.checkout=canary"}, "X-Version: v2", "Baggage: userId=alice")
			// Other members keep their properties, and those of another rollout stay too.
			expectBaggage(t, g, []string{"a=1;p=2", "rollout.other=b", "rollout.checkout=canary"}, "X-Version: v2", "Baggage: a=1;p=2", "Baggage: rollout.other=b")
		},
	},
	{
		name: "a trusted peer's decision is followed",
		site: announcing(gateway.Announce{Baggage: true, Follow: []string{"127.0.0.2/32"}}),
		exchanges: []exchange{
			{Request: from("127.0.0.2", "Baggage: rollout.checkout=canary"), want: "canary followed", upstream: []string{"Baggage: rollout.checkout=canary", "X-Rollout-Variant: canary"}},
			{Request: from("127.0.0.2", "X-Rollout-Variant: canary"), want: "canary followed", upstream: []string{"Baggage: rollout.checkout=canary", "X-Rollout-Variant: canary"}},
			{Request: from("127.0.0.2", "Baggage: a=1, rollout.checkout=canary;ttl=1"), want: "canary followed"},
			{Request: from("127.0.0.2", "Baggage: rollout.checkout=stable", "X-Version: v2"), want: "stable followed"},                      // before the rules
			{Request: from("127.0.0.2", "Baggage: rollout.checkout=stable", "X-Rollout-Variant: canary"), want: "stable followed"},          // baggage first
			{Request: from("127.0.0.2", "Baggage: rollout.checkout=purple", "X-Version: v2"), want: "canary rule:qa"},                       // no such variant
			{Request: from("127.0.0.2", "Baggage: rollout.other=canary"), want: "stable base"},                                              // another rollout's
			{Request: from("127.0.0.1", "Baggage: rollout.checkout=canary"), want: "stable base"},                                           // not the peer
			{Request: from("127.0.0.1", "X-Rollout-Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}}, // not the peer
			{Request: from("127.0.0.1", "X-Forwarded-For: 127.0.0.2", "X-Rollout-Variant: canary"), want: "stable base"},
		},
	},
}

var forgeryScenarios = []scenario{
	{
		name: "the announced header cannot be forged",
		site: announcing(gateway.Announce{}),
		exchanges: []exchange{
			{Request: get("X-Rollout-Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("x-rollout-variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X-ROLLOUT-VARIANT: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X_Rollout_Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("x_rollout_variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X-Rollout_Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X-Rollout-Variant: canary", "X-Rollout-Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X-Rollout-Variant: canary", "x_rollout_variant: canary", "X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"}},
		},
	},
	{
		name: "no alias of the announced header passes",
		site: func() gateway.Site {
			s := announcing(gateway.Announce{})
			s.AliasHeaders = true
			return s
		}(),
		exchanges: []exchange{
			{Request: get("X_Rollout_Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("x_rollout_variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("X-Rollout_Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{Request: get("x_rollout-VARIANT: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
		},
	},
	{
		name: "other headers and their aliases pass", // so that the scenario before can fail
		site: func() gateway.Site {
			s := announcing(gateway.Announce{Request: "X-Lane"})
			s.AliasHeaders = true
			return s
		}(),
		exchanges: []exchange{
			{Request: get("X_Rollout_Variant: x"), want: "stable base", upstream: []string{"X-Rollout-Variant: x", "X-Lane: stable"}},
			{Request: get("X-Rollout_Variant: x"), want: "stable base", upstream: []string{"X-Rollout-Variant: x", "X-Lane: stable"}},
		},
	},
	{
		name: "the announced header cannot be stripped",
		site: announcing(gateway.Announce{}),
		exchanges: []exchange{
			{Request: get("Connection: X-Rollout-Variant", "X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"}},
			{Request: get("Connection: x-rollout-variant, close", "X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"}},
			{Request: get("Connection: keep-alive", "Connection: X-Rollout-Variant", "X-Version: v2"), want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"}},
			{Request: get("Connection: X-Rollout-Variant", "X-Rollout-Variant: canary"), want: "stable base", upstream: []string{"X-Rollout-Variant: stable"}},
			{
				Request: gateway.Request{
					Method: "POST", Header: []string{"Trailer: X-Rollout-Variant", "Transfer-Encoding: chunked", "X-Version: v2"}, Chunked: true,
					Body: "4\r\nbody\r\n0\r\nX-Rollout-Variant: stable\r\n\r\n",
				},
				want: "canary rule:qa", upstream: []string{"X-Rollout-Variant: canary"},
			},
		},
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, header := range [][]string{
				{"Transfer-Encoding: chunked", "Trailer: X-Rollout-Variant"},
				{"Transfer-Encoding: chunked", "Trailer: X-Other"},
				{"Transfer-Encoding: chunked"},
			} {
				a := g.Do(t, gateway.Request{
					Method: "POST", Header: header, Chunked: true,
					Body: "4\r\nbody\r\n0\r\nX-Rollout-Variant: canary\r\nX-Other: 1\r\n\r\n",
				})
				if got := fields(a.Echo.Trailer, "X-Rollout-Variant"); len(got) != 0 {
					t.Errorf("%q: the backend got the client's trailer X-Rollout-Variant: %q", header, got)
				}
				if g.Traits.Trailers && len(header) == 2 && header[1] == "Trailer: X-Other" {
					expectFields(t, "another trailer", a.Echo.Trailer, []string{"X-Other: 1"})
				}
			}
		},
	},
	{
		name: "baggage cannot be forged",
		site: announcing(gateway.Announce{Baggage: true}),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			expectBaggage(t, g, []string{"rollout.checkout=stable"}, "Baggage: rollout.checkout=canary")
			expectBaggage(t, g, []string{"a=1", "rollout.checkout=stable"}, "Baggage: rollout.checkout=canary,a=1")
			expectBaggage(t, g, []string{"a=1", "rollout.checkout=stable"}, "Baggage: a=1", "baggage: rollout.checkout = canary ;x=y")
			expectBaggage(t, g, []string{"rollout.checkout=canary"}, "Connection: baggage", "X-Version: v2")
		},
	},
}
