package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const cookieSecret = "a secret of thirty-two bytes, or more"

// sticky is an even split that remembers in a cookie.
func sticky() gateway.Rollout {
	r := split("50%")
	r.Rules = []gateway.Rule{qa}
	r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}}
	return r
}

// change returns a rollout that differs.
func change(r gateway.Rollout, how func(*gateway.Rollout)) gateway.Rollout {
	r.Variants = append([]gateway.Variant(nil), r.Variants...)
	how(&r)
	return r
}

// cookies are the Set-Cookie fields of an answer as a browser would send them back.
func cookies(a gateway.Answer) string {
	var pairs []string
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// assigned makes a client be assigned, and returns the Cookie line that he sends from then on.
func assigned(t *testing.T, g *gateway.Gateway, want string, header ...string) string {
	t.Helper()
	a := g.Get(t, "/", header...)
	expectDecision(t, "a new client", g, g.Site.Rollouts[0].Name, a, want)
	if cookies(a) == "" {
		t.Fatalf("no cookie is set: %v", a.Header)
	}
	return "Cookie: " + cookies(a)
}

var stickyScenarios = []scenario{
	{
		name: "a cookie keeps the variant",
		site: site(sticky()),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			for user, variant := range map[string]string{low: "canary", high: "stable"} {
				a := g.Get(t, "/", "X-User: "+user)
				expectDecision(t, "new", g, "checkout", a, variant+" split")
				set := a.Header["Set-Cookie"]
				if len(set) != 1 || !strings.HasPrefix(set[0], "rollout_checkout=") ||
					!strings.HasSuffix(set[0], "; Path=/; HttpOnly; SameSite=Lax") {
					t.Fatalf("the cookie of %s: %q", variant, set)
				}
				cookie := "Cookie: theme=dark; " + cookies(a)
				for _, other := range []string{"X-User: " + low, "X-User: " + high, "X-Nobody: 1"} {
					exchange{Request: get(cookie, other), want: variant + " assigned", client: []string{"Set-Cookie:"}}.check(t, g)
				}
				exchange{Request: get(cookie, "X-Version: v2"), want: "canary rule:qa", client: []string{"Set-Cookie:"}}.check(t, g)
			}
		},
	},
	{
		name: "a request by a rule pins nobody",
		site: site(sticky()),
		exchanges: []exchange{
			{Request: get("X-Version: v2", "X-User: "+high), want: "canary rule:qa", client: []string{"Set-Cookie:"}},
			{Request: get(), want: "stable base", client: []string{"Set-Cookie:"}},
		},
	},
	{
		name: "assignments outlive weights and reloads, and end with the release",
		site: site(sticky()),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := assigned(t, g, "canary split", "X-User: "+low)
			stable := assigned(t, g, "stable split", "X-User: "+high)
			for _, share := range []string{"0%", "100%", "50%"} {
				g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Variants[1].Weight = share })))
				exchange{Request: get(canary), want: "canary assigned"}.check(t, g)
				exchange{Request: get(stable), want: "stable assigned"}.check(t, g)
			}
			g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Revision = "v3" })))
			exchange{Request: get(canary, "X-User: "+high), want: "stable split"}.check(t, g)
			g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Salt = "checkout2" })))
			exchange{Request: get(canary), want: "stable base"}.check(t, g)
			// As it was: what was assigned before counts again, because nothing else was released.
			g.Reload(t, site(sticky()))
			exchange{Request: get(canary, "X-User: "+high), want: "canary assigned"}.check(t, g)
			// A variant of another name.
			g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Variants[1].Name = "blue"; r.Rules = nil; r.Revision = "v1" })))
			blue := assigned(t, g, "blue split", "X-User: "+low)
			g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Revision = "v1" })))
			exchange{Request: get(blue, "X-User: "+high), want: "stable split"}.check(t, g)
		},
	},
	{
		name: "a baseline client is asked again after its time",
		site: site(change(sticky(), func(r *gateway.Rollout) { r.Sticky.BaselineTTL = "2s"; r.Sticky.TTL = "1h" })),
		run: func(t *testing.T, g *gateway.Gateway) {
			stable := assigned(t, g, "stable split", "X-User: "+high)
			canary := assigned(t, g, "canary split", "X-User: "+low)
			gateway.Eventually(t, "the baseline's time is over", func() bool {
				return g.Get(t, "/", stable, "X-User: "+low).Backend() == "canary"
			})
			exchange{Request: get(canary, "X-User: "+high), want: "canary assigned"}.check(t, g)
		},
	},
	{
		name: "without a key the cookie is the client's identity",
		site: site(change(sticky(), func(r *gateway.Rollout) {
			r.Key = nil
			r.Variants[1].Weight = "10%"
			r.Sticky.TTL, r.Sticky.BaselineTTL = "1s", "1s"
		})),
		run: func(t *testing.T, g *gateway.Gateway) {
			const clients = 60
			jar := make([]string, clients)
			was := make([]string, clients)
			for i := range jar {
				a := g.Get(t, "/")
				was[i] = a.Backend()
				if set := a.Header["Set-Cookie"]; len(set) != 1 || !strings.Contains(set[0], "; Max-Age=34560000; ") {
					t.Fatalf("the cookie of an identity: %q", set)
				}
				jar[i] = "Cookie: " + cookies(a)
			}
			for _, share := range []string{"10%", "50%", "100%"} {
				g.Reload(t, site(change(g.Site.Rollouts[0], func(r *gateway.Rollout) { r.Variants[1].Weight = share })))
				gateway.Eventually(t, "the last assignment has ended, and so have all", func() bool {
					return len(g.Get(t, "/", jar[clients-1]).Header["Set-Cookie"]) == 1
				})
				canaries := 0
				for i := range jar {
					a := g.Get(t, "/", jar[i])
					if was[i] == "canary" && a.Backend() != "canary" || share == "10%" && a.Backend() != was[i] {
						t.Errorf("at %s, client %d went from %s to %s", share, i, was[i], a.Backend())
					}
					was[i] = a.Backend()
					jar[i] = "Cookie: " + cookies(a)
					if was[i] == "canary" {
						canaries++
					}
				}
				if share == "100%" && canaries != clients || share == "50%" && (canaries < 8 || canaries > 52) {
					t.Errorf("at %s %d of %d clients are on the canary", share, canaries, clients)
				}
			}
		},
	},
	{
		name: "a cookie over TLS",
		site: gateway.Site{Rollouts: []gateway.Rollout{sticky()}, TLS: true},
		run: func(t *testing.T, g *gateway.Gateway) {
			ask := func(cookie string) *http.Response {
				req := request(t, "GET", g.SecureURL("/"), nil)
				req.Header = http.Header{"X-User": {low}}
				if cookie != "" {
					req.Header.Set("Cookie", cookie)
				}
				resp := send(t, g.HTTP2(t), req)
				expectBackend(t, resp, "canary")
				return resp
			}
			set := ask("").Header["Set-Cookie"]
			if len(set) != 1 || !strings.HasPrefix(set[0], "__Host-rollout_checkout=") || !strings.HasSuffix(set[0], "; Path=/; HttpOnly; SameSite=Lax; Secure") {
				t.Fatalf("set %q", set)
			}
			pair, _, _ := strings.Cut(set[0], ";")
			if again := ask(pair).Header["Set-Cookie"]; again != nil {
				t.Errorf("set again: %q", again)
			}
			if planted := ask(strings.TrimPrefix(pair, "__Host-")).Header["Set-Cookie"]; len(planted) != 1 {
				t.Errorf("a cookie that another host could have planted counts: %q", planted)
			}
		},
	},
	{
		name: "a cookie for a domain",
		site: site(change(sticky(), func(r *gateway.Rollout) {
			r.Sticky.Name, r.Sticky.Domain = "version", "shop.example"
			r.Sticky.TTL = "24h"
		})),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			set := g.Get(t, "/", "X-User: "+low).Header["Set-Cookie"]
			if len(set) != 1 || !strings.HasPrefix(set[0], "version=") || !strings.HasSuffix(set[0], "; Max-Age=86401; Path=/; Domain=shop.example; HttpOnly; SameSite=Lax") {
				t.Errorf("set %q", set)
			}
		},
	},
	{
		name: "secrets are rotated",
		site: site(sticky()),
		run: func(t *testing.T, g *gateway.Gateway) {
			const next = "the next one, of which the same is true"
			with := func(secrets ...string) gateway.Site {
				return site(change(sticky(), func(r *gateway.Rollout) { r.Sticky.Secret = secrets }))
			}
			old := assigned(t, g, "canary split", "X-User: "+low)
			g.Reload(t, with(next, cookieSecret))
			exchange{Request: get(old, "X-User: "+high), want: "canary assigned"}.check(t, g)
			recent := assigned(t, g, "canary split", "X-User: "+low)
			g.Reload(t, with(next))
			exchange{Request: get(old, "X-User: "+high), want: "stable split"}.check(t, g)
			exchange{Request: get(recent, "X-User: "+high), want: "canary assigned"}.check(t, g)
			gateway.Eventually(t, "a warning that the gateway's API shows them", func() bool {
				return strings.Contains(g.Log(), "a secret of cookies stands in the configuration")
			})
			if strings.Contains(g.Log(), next) || strings.Contains(g.Log(), cookieSecret) {
				t.Error("the log shows a secret")
			}
		},
	},
	{
		name: "a response that sets the cookie is for one client",
		site: site(sticky()),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			a := g.Get(t, "/cacheable", "X-User: "+low)
			expectFields(t, "new", a.Header, []string{"Cache-Control: private, max-age=60"})
			a = g.Get(t, "/cacheable", "Cookie: "+cookies(a))
			expectFields(t, "assigned", a.Header, []string{"Cache-Control: public, max-age=60", "Set-Cookie:"})
		},
	},
	{
		name: "an assignment survives its variant's failure, and is set once",
		site: site(change(sticky(), func(r *gateway.Rollout) { r.Unwatched = true })),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := g.Backend("canary")
			canary.Stop(t)
			a := g.Get(t, "/", "X-User: "+low)
			if a.Backend() != "stable" || len(a.Header["Set-Cookie"]) != 1 {
				t.Fatalf("%d from %q, cookies %q", a.Status, a.Backend(), a.Header["Set-Cookie"])
			}
			cookie := "Cookie: " + cookies(a)
			exchange{Request: get(cookie, "X-User: "+high), want: "stable fallback", client: []string{"Set-Cookie:"}}.check(t, g)
			canary.Resume(t)
			exchange{Request: get(cookie, "X-User: "+high), want: "canary assigned", client: []string{"Set-Cookie:"}}.check(t, g)
		},
	},
	{
		name: "an error in the place of an answer sets the cookie too",
		site: site(change(sticky(), func(r *gateway.Rollout) {
			r.Unwatched = true
			r.Announce.Response = "X-Variant"
		})),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := g.Backend("canary")
			canary.Stop(t)
			a := g.Do(t, gateway.Request{Method: "POST", Header: []string{"X-User: " + low}, Body: "x"})
			if a.Status != http.StatusBadGateway || len(a.Header["Set-Cookie"]) != 1 {
				t.Fatalf("%d, cookies %q", a.Status, a.Header["Set-Cookie"])
			}
			expectFields(t, "the error", a.Header, []string{"X-Variant: canary", "Cache-Control: private"})
			canary.Resume(t)
			exchange{Request: get("Cookie: "+cookies(a), "X-User: "+high), want: "canary assigned", client: []string{"Set-Cookie:"}}.check(t, g)
		},
	},
	{
		name: "a refusal sets the cookie too",
		site: site(change(narrowed(fleet(), gateway.Subset{Key: "zone", Value: `header("X-Zone")`, Otherwise: "none"}), func(r *gateway.Rollout) {
			r.Variants[1].Weight = "50%"
			r.Key, r.Sticky = []string{`header("X-User")`}, sticky().Sticky
			r.Announce.Response = "X-Variant"
		})),
		run: func(t *testing.T, g *gateway.Gateway) {
			a := g.Get(t, "/", "X-User: "+low, "X-Zone: asia")
			if a.Status != http.StatusServiceUnavailable || len(a.Header["Set-Cookie"]) != 1 {
				t.Fatalf("%d, cookies %q", a.Status, a.Header["Set-Cookie"])
			}
			expectFields(t, "the refusal", a.Header, []string{"X-Variant: canary", "Cache-Control: private"})
			exchange{Request: get("Cookie: "+cookies(a), "X-User: "+high)}.serves(t, g, "checkout", "canary assigned")
		},
	},
	{
		name: "an assignment to a pool of which nobody is there is set once",
		site: site(change(sticky(), func(r *gateway.Rollout) {
			r.Upstreams = []gateway.Upstream{
				{Backend: "stable", Metadata: map[string]string{"version": "v1"}}, {Backend: "canary", Metadata: map[string]string{"version": "v2"}},
			}
			r.Variants = []gateway.Variant{
				{Name: "stable", Where: map[string]string{"version": "v1"}}, {Name: "canary", Weight: "50%", Where: map[string]string{"version": "v2"}},
			}
			r.Retries = 2
		})),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("canary").Stop(t)
			for range 5 { // by a retry, and then because it is known to be down
				a := g.Get(t, "/", "X-User: "+low)
				if a.Backend() != "stable" || len(a.Header["Set-Cookie"]) != 1 {
					t.Fatalf("%d from %q, cookies %q", a.Status, a.Backend(), a.Header["Set-Cookie"])
				}
			}
		},
	},
	{
		name: "memory keeps the variant",
		site: site(inMemory()),
		run: func(t *testing.T, g *gateway.Gateway) {
			const ann, bob = "X-Client-Id: ann", "X-Client-Id: bob"
			exchange{Request: get(ann, "X-User: "+low), want: "canary split", client: []string{"Set-Cookie:"}}.check(t, g)
			exchange{Request: get(bob, "X-User: "+high), want: "stable split"}.check(t, g)
			kept := func() {
				t.Helper()
				exchange{Request: get(ann, "X-User: "+high), want: "canary assigned"}.check(t, g)
				exchange{Request: get(bob, "X-User: "+low), want: "stable assigned"}.check(t, g)
				exchange{Request: get("X-User: " + low), want: "canary split"}.check(t, g) // who does not say who he is
			}
			kept()
			g.Reload(t, site(inMemory()))
			kept()
			g.Reload(t, site(change(inMemory(), func(r *gateway.Rollout) { r.Variants[1].Weight = "60%" })))
			kept()
			g.Reload(t, site(change(inMemory(), func(r *gateway.Rollout) { r.Revision = "v3" })))
			exchange{Request: get(ann, "X-User: "+high), want: "stable split"}.check(t, g)
		},
	},
	{
		name: "memory is bounded",
		site: site(change(inMemory(), func(r *gateway.Rollout) { r.Sticky.Capacity = 2 })),
		exchanges: []exchange{
			{Request: get("X-Client-Id: ann", "X-User: "+low), want: "canary split"},
			{Request: get("X-Client-Id: bob", "X-User: "+low), want: "canary split"},
			{Request: get("X-Client-Id: ann", "X-User: "+high), want: "canary assigned"},
			{Request: get("X-Client-Id: eve", "X-User: "+low), want: "canary split"},
			{Request: get("X-Client-Id: ann", "X-User: "+high), want: "canary assigned"},
			{Request: get("X-Client-Id: bob", "X-User: "+high), want: "stable split"},
		},
	},
	{
		name: "a cookie without a secret is refused", only: "traefik", because: "Caddy makes a secret and keeps it in its storage",
		site: site(sticky()),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectRefusal(t, g, site(change(sticky(), func(r *gateway.Rollout) { r.Sticky.Secret = nil })), []string{"sticky.secret", "32 bytes"})
			expectRefusal(t, g, site(change(sticky(), func(r *gateway.Rollout) { r.Sticky.Secret = []string{"short"} })), []string{"sticky.secret[0]", "5 bytes"})
		},
	},
	{
		name: "a secret that Caddy makes", only: "caddy", because: "Traefik has no place to keep one",
		site: site(change(sticky(), func(r *gateway.Rollout) { r.Sticky.Secret = nil })),
		run: func(t *testing.T, g *gateway.Gateway) {
			cookie := assigned(t, g, "canary split", "X-User: "+low)
			g.Reload(t, g.Site)
			exchange{Request: get(cookie, "X-User: "+high), want: "canary assigned"}.check(t, g)
		},
	},
}

// inMemory is an even split that remembers who says who he is.
func inMemory() gateway.Rollout {
	r := split("50%")
	r.Sticky = gateway.Sticky{Mode: "memory", Client: []string{`header("X-Client-Id")`}}
	return r
}
