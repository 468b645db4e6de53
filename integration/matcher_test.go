package integration

import (
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const matchers = "an expression says the same there"

var matcherScenarios = []scenario{
	{
		name: "Caddy's matchers in rules", only: "caddy", because: matchers,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			@staff remote_ip 127.0.0.2
			@both {
				header X-A 1
				header X-B 1
			}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "canary"}}
				rule staff canary @staff
				rule both  canary @both
				rule path  canary /beta/*
				rule block canary {
					method PUT
					header X-C 1
				}
				rule expr  canary ` + "`header(\"X-D\") == \"1\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, e := range []exchange{
				{Request: from("127.0.0.2"), want: "canary rule:staff"},
				{Request: get("X-A: 1", "X-B: 1"), want: "canary rule:both"},
				{Request: get("X-A: 1"), want: "stable split"},
				{Request: at("/beta/x"), want: "canary rule:path"},
				{Request: at("/beta"), want: "stable split"},
				{Request: gateway.Request{Method: "PUT", Header: []string{"X-C: 1"}}, want: "canary rule:block"},
				{Request: get("X-C: 1"), want: "stable split"},
				{Request: get("X-D: 1"), want: "canary rule:expr"},
				{Request: get(), want: "stable split"},
			} {
				e.checkOn(t, g, "checkout")
			}
		},
	},
	{
		name: "Caddy's matchers with a percentage", only: "caddy", because: matchers,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			@gold header X-Tier gold
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "canary"}}
				rule gold canary 25% @gold
				rule lead canary 50% {
					header X-Tier lead
				}
				key ` + "`header(\"X-User\")`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, e := range []exchange{
				{Request: get("X-Tier: gold", "X-User: "+user("checkout/gold", 0, slots/4)), want: "canary rule:gold"},
				{Request: get("X-Tier: gold", "X-User: "+user("checkout/gold", slots/4, slots)), want: "stable split"},
				{Request: get("X-Tier: lead", "X-User: "+user("checkout/lead", 0, slots/2)), want: "canary rule:lead"},
				{Request: get("X-Tier: lead", "X-User: "+user("checkout/lead", slots/2, slots)), want: "stable split"},
				{Request: get("X-User: " + user("checkout/gold", 0, slots/4)), want: "stable split"},
			} {
				e.checkOn(t, g, "checkout")
			}
		},
	},
	{
		name: "placeholders in expressions", only: "caddy", because: "placeholder() is a clear error elsewhere",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			vars tier {header.X-Tier}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary 50% {{upstream "canary"}}
				rule gold canary ` + "`placeholder(\"http.vars.tier\") == \"gold\"`" + `
				rule port canary ` + "`placeholder(\"http.request.remote.host\") == \"127.0.0.2\"`" + `
				rule none canary ` + "`placeholder(\"http.nonsense\").exists()`" + `
				key ` + "`placeholder(\"http.request.header.X-User\")`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, e := range []exchange{
				{Request: get("X-Tier: gold"), want: "canary rule:gold"},
				{Request: from("127.0.0.2"), want: "canary rule:port"},
				{Request: get("X-User: " + low), want: "canary split"},
				{Request: get("X-User: " + high), want: "stable split"},
				{Request: get(), want: "stable base"},
			} {
				e.checkOn(t, g, "checkout")
			}
		},
	},
}
