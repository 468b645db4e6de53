package integration

import (
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var lowUser = "X-User: " + low

// halved is an even split that tells the client who answered.
func halved() gateway.Rollout {
	r := split("50%")
	r.Rules = []gateway.Rule{qa}
	r.Announce.Response = "X-Variant"
	return r
}

var fallbackScenarios = []scenario{
	{
		name: "the canary refuses connections",
		site: site(func() gateway.Rollout {
			r := halved()
			r.Unwatched = true // every request tries the canary, those too that may not be repeated
			return r
		}()),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary, stable := g.Backend("canary"), g.Backend("stable")
			exchange{Request: get(lowUser), want: "canary split", client: []string{"X-Variant: canary"}}.check(t, g)

			canary.Stop(t)
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				a := g.Do(t, gateway.Request{Method: method, Header: []string{lowUser}})
				if a.Status != 200 || a.Backend() != "stable" {
					t.Errorf("%s: %d from %q, want 200 from stable", method, a.Status, a.Backend())
				}
			}
			fell := exchange{
				Request: get(lowUser), want: "stable fallback",
				upstream: []string{"X-Rollout-Variant: stable"}, client: []string{"X-Variant: stable"},
			}
			fell.check(t, g)
			fell.Request = get("X-Version: v2") // by rule as well
			a := g.Do(t, fell.Request)
			if a.Status != 200 || a.Backend() != "stable" {
				t.Errorf("by rule: %d from %q", a.Status, a.Backend())
			}
			expectDecision(t, "by rule", g, "checkout", a, "stable fallback")
			exchange{Request: get("X-User: " + high), want: "stable split"}.check(t, g)

			for key, got := range land(t, g, users("checkout", 0, slots/2, 300), asUser) {
				if got != "stable" {
					t.Errorf("%s was answered by %q", key, got)
				}
			}

			before := stable.Count("")
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				for _, body := range []string{"", "body"} {
					a := g.Do(t, gateway.Request{Method: method, Header: []string{lowUser, "X-Empty: " + body}, Body: body})
					if a.Status != 502 {
						t.Errorf("%s with body %q: status %d, want 502", method, body, a.Status)
					}
					expectDecision(t, method+" with body "+body, g, "checkout", a, "canary split")
				}
			}
			if got := stable.Count("") - before; got != 0 {
				t.Errorf("%d requests that may not be repeated reached the stable backend", got)
			}

			canary.Resume(t)
			gateway.Eventually(t, "the canary serves again", func() bool { return g.Get(t, "/", lowUser).Backend() == "canary" })
		},
	},
	{
		name: "a GET with a body falls back with its body",
		site: site(halved()),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("canary").Stop(t)
			a := g.Do(t, gateway.Request{Method: "GET", Header: []string{lowUser}, Body: "body"})
			if a.Status != 200 || a.Backend() != "stable" || a.Echo.Length != 4 {
				t.Errorf("%d from %q with %d bytes, want 200 from stable with 4", a.Status, a.Backend(), a.Echo.Length)
			}
			expectDecision(t, "with a body", g, "checkout", a, "stable fallback")
		},
	},
	{
		name: "methods that may fall back are the user's choice",
		site: site(func() gateway.Rollout {
			r := halved()
			r.Fallback = []string{"GET", "PUT"}
			return r
		}()),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("canary").Stop(t)
			exchange{Request: get(lowUser), want: "stable fallback"}.check(t, g)
			exchange{Request: gateway.Request{Method: "PUT", Header: []string{lowUser}}, want: "stable fallback"}.check(t, g)
			exchange{Request: gateway.Request{Method: "OPTIONS", Header: []string{lowUser}}, want: "canary split", status: 502}.check(t, g)
		},
	},
	{
		name: "a canary that breaks off before its answer",
		site: site(halved()),
		run: func(t *testing.T, g *gateway.Gateway) {
			drop := []string{lowUser, "X-Drop: canary"}
			exchange{Request: get(drop...), want: "stable fallback"}.check(t, g)
			if g.Backend("canary").Count("GET") == 0 {
				t.Error("the canary was not tried")
			}
			exchange{Request: gateway.Request{Method: "POST", Header: drop, Body: "x"}, want: "canary split", status: 502}.check(t, g)
			if got := g.Backend("stable").Count("POST"); got != 0 {
				t.Errorf("%d POSTs reached the stable backend", got)
			}
		},
	},
	{
		name: "a canary's own errors are its answers",
		site: site(halved()),
		exchanges: []exchange{
			{Request: at("/status/503", lowUser), want: "canary split", status: 503, client: []string{"X-Backend: canary"}},
			{Request: at("/status/502", lowUser), want: "canary split", status: 502, client: []string{"X-Backend: canary"}},
			{Request: at("/status/404", lowUser), want: "canary split", status: 404, client: []string{"X-Backend: canary"}},
		},
		run: func(t *testing.T, g *gateway.Gateway) {
			if got := g.Backend("stable").Count(""); got != 0 {
				t.Errorf("%d requests reached the stable backend", got)
			}
		},
	},
	{
		name: "a canary that dies after its header",
		site: site(halved()),
		run: func(t *testing.T, g *gateway.Gateway) {
			a, err := g.Try(gateway.Request{Target: "/cut", Header: []string{lowUser}})
			// Gateways hold back what is little, and some drop it when the backend breaks off.
			if arrived := a.Status == 200 && a.Backend() == "canary" && a.Body == "half"; err == nil || !arrived && a.Status != 0 {
				t.Errorf("%d from %q with %q, error %v, want the canary's half answer or none, and an error", a.Status, a.Backend(), a.Body, err)
			}
			expectDecision(t, "the half answer", g, "checkout", a, "canary split")
			if got := g.Backend("stable").Count(""); got != 0 {
				t.Errorf("%d requests reached the stable backend", got)
			}
			exchange{Request: get(lowUser), want: "canary split"}.check(t, g)
		},
	},
	{
		name: "the base never falls back to a canary",
		site: site(halved()),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("stable").Stop(t)
			exchange{Request: get("X-User: " + high), want: "stable split", status: 502}.check(t, g)
			if got := g.Backend("canary").Count(""); got != 0 {
				t.Errorf("%d requests reached the canary", got)
			}
			exchange{Request: get(lowUser), want: "canary split"}.check(t, g)
		},
	},
}
