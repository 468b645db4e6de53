package integration

import (
	"math"
	"strconv"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var splitScenarios = []scenario{
	{
		name: "the canary owns the first slots",
		site: site(split("25%")),
		exchanges: []exchange{
			{Request: get("X-User: " + user("checkout", 0, 1000)), want: "canary split"},
			{Request: get("X-User: " + user("checkout", 16000, slots/4)), want: "canary split"},
			{Request: get("X-User: " + user("checkout", slots/4, 16800)), want: "stable split"},
			{Request: get("X-User: " + user("checkout", 60000, slots)), want: "stable split"},
		},
	},
	{
		name: "five variants on the line",
		site: site(gateway.Rollout{
			Name: "arms",
			Variants: []gateway.Variant{
				{Name: "base"}, {Name: "a", Weight: "12.5"}, {Name: "b", Weight: "25%"}, {Name: "c", Weight: "6.25"}, {Name: "d", Weight: "0"},
			},
			Key: []string{`header("X-User")`},
		}),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			// The first arm from the start; b, c, d from the end downwards; the baseline between.
			for key, got := range land(t, g, users("arms", 0, slots, 1000), asUser) {
				want := "base"
				switch s := slot("arms", key); {
				case s < slots/8:
					want = "a"
				case s >= slots*3/4:
					want = "b"
				case s >= slots*11/16:
					want = "c"
				}
				if got != want {
					t.Errorf("%s (slot %d) is on %s, want %s", key, slot("arms", key), got, want)
				}
			}
		},
	},
	{
		name: "weights 0 and 100",
		site: site(gateway.Rollout{
			Name: "checkout", Variants: []gateway.Variant{{Name: "stable"}, {Name: "canary", Weight: "100%"}}, Key: []string{`header("X-User")`},
		}),
		exchanges: []exchange{
			{Request: get("X-User: " + user("checkout", 0, 100)), want: "canary split"},
			{Request: get("X-User: " + user("checkout", 65400, slots)), want: "canary split"},
			{Request: get(), want: "stable base"},
		},
	},
	{
		name: "the first key that is present counts",
		site: site(func() gateway.Rollout {
			r := split("50%")
			r.Key = []string{`header("X-User")`, `cookie("uid")`, `query("u")`}
			return r
		}()),
		exchanges: []exchange{
			{Request: get("X-User: "+low, "Cookie: uid="+high), want: "canary split"},
			{Request: get("X-User: "+high, "Cookie: uid="+low), want: "stable split"},
			{Request: get("Cookie: uid=" + low), want: "canary split"},
			{Request: at("/?u="+low, "Cookie: uid="+high), want: "stable split"},
			{Request: at("/?u=" + low), want: "canary split"},
			{Request: at("/?u=" + high), want: "stable split"},
			{Request: get(), want: "stable base"},
			{Request: at("/?v=" + low), want: "stable base"},
		},
	},
	{
		name: "ip() as key",
		site: site(func() gateway.Rollout {
			r := split("50%")
			r.Key = []string{`ip()`}
			return r
		}()),
		exchanges: []exchange{
			{Request: from(address(0, slots/2)), want: "canary split"},
			{Request: from(address(slots/2, slots)), want: "stable split"},
		},
	},
	{
		name: "a salt of its own",
		site: site(func() gateway.Rollout {
			r := split("50%")
			r.Salt = "autumn"
			return r
		}()),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			for key, got := range land(t, g, users("checkout", 0, slots/2, 200), asUser) {
				want := "stable"
				if slot("autumn", key) < slots/2 {
					want = "canary"
				}
				if got != want {
					t.Errorf("%s is on %s, want %s", key, got, want)
				}
			}
		},
	},
	{
		name: "random() as last key",
		site: site(func() gateway.Rollout {
			r := split("25%")
			r.Key = append(r.Key, `random()`)
			return r
		}()),
		exchanges: []exchange{
			{Request: get("X-User: " + user("checkout", 0, 1000)), want: "canary split"},
			{Request: get("X-User: " + user("checkout", 60000, slots)), want: "stable split"},
		},
		tidy: true,
		run:  func(t *testing.T, g *gateway.Gateway) { expectShare(t, g, 0.25) },
	},
	{
		name: "no key line is a plain weighted split",
		site: site(gateway.Rollout{Name: "checkout", Variants: []gateway.Variant{{Name: "stable"}, {Name: "canary", Weight: "75%"}}}),
		tidy: true,
		run:  func(t *testing.T, g *gateway.Gateway) { expectShare(t, g, 0.75) },
	},
	{
		name: "rule percentage hit and missed",
		site: site(func() gateway.Rollout {
			r := split("")
			r.Rules = []gateway.Rule{
				{Name: "some", Use: "canary", Percent: "25%", When: `header("X-Tier") == "gold"`},
				{Name: "rest", Use: "canary", When: `header("X-Tier") == "gold" && header("X-Rest").exists()`},
			}
			return r
		}()),
		exchanges: []exchange{
			{Request: get("X-Tier: gold", "X-User: "+user("checkout/some", 0, slots/4)), want: "canary rule:some"},
			{Request: get("X-Tier: gold", "X-User: "+user("checkout/some", slots/4, slots)), want: "stable split"},
			{Request: get("X-Tier: gold", "X-Rest: 1", "X-User: "+user("checkout/some", slots/4, slots)), want: "canary rule:rest"}, // a miss goes on to the next rule
			{Request: get("X-Tier: lead", "X-User: "+user("checkout/some", 0, slots/4)), want: "stable split"},
			{Request: get("X-Tier: gold"), want: "stable base"}, // without a key no percentage matches
		},
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			hit := 0
			for _, key := range users("checkout", 0, slots, 200) {
				a := g.Get(t, "/", "X-Tier: gold", "X-User: "+key)
				if want := slot("checkout/some", key) < slots/4; want != (a.Backend() == "canary") {
					t.Errorf("%s (slot %d) is on %s", key, slot("checkout/some", key), a.Backend())
				}
				if a.Backend() == "canary" {
					hit++
				}
			}
			if hit == 0 {
				t.Error("nobody was hit")
			}
		},
	},
	{
		name: "past its end a rollout is base only",
		site: site(func() gateway.Rollout {
			r := split("50%")
			r.Rules = []gateway.Rule{qa}
			r.Ends = "2020-01-01T00:00:00Z"
			return r
		}()),
		exchanges: []exchange{
			{Request: get("X-User: " + low), want: "stable rolled_back"},
			{Request: get("X-User: " + high), want: "stable split"}, // only who would get the canary is taken back
			{Request: get("X-Version: v2"), want: "stable rolled_back"},
		},
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			r := split("50%")
			r.Ends = "2999-01-01T00:00:00Z"
			g.Reload(t, site(r))
			exchange{Request: get("X-User: " + low), want: "canary split"}.check(t, g)
		},
	},
	{
		name: "two rollouts in one site",
		site: site(
			gateway.Rollout{Name: "shop", Path: "/shop/*", Variants: []gateway.Variant{{Name: "stable"}, {Name: "canary", Weight: "50%"}}, Key: []string{`header("X-User")`}},
			gateway.Rollout{Name: "api", Path: "/api/*", Variants: []gateway.Variant{{Name: "blue"}, {Name: "green", Weight: "50%"}}, Key: []string{`header("X-User")`}},
		),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			variants := map[bool][2]string{true: {"canary", "green"}, false: {"stable", "blue"}}
			seen := make(map[[2]bool]bool)
			for _, key := range users("shop", 0, slots, 40) {
				inShop, inAPI := slot("shop", key) < slots/2, slot("api", key) < slots/2
				exchange{Request: at("/shop/x", "X-User: "+key), want: variants[inShop][0] + " split"}.checkOn(t, g, "shop")
				exchange{Request: at("/api/x", "X-User: "+key), want: variants[inAPI][1] + " split"}.checkOn(t, g, "api")
				seen[[2]bool{inShop, inAPI}] = true
			}
			if len(seen) != 4 { // the two are independent
				t.Errorf("only %d of the four combinations came up", len(seen))
			}
		},
	},
}

// low and high are users in the lower and the upper half of checkout's line.
var low, high = user("checkout", 0, slots/2), user("checkout", slots/2, slots)

// address is a loopback address whose slot in checkout lies in [from, to).
func address(from, to int) string {
	for i := 2; ; i++ {
		if ip := "127.0.0." + strconv.Itoa(i); from <= slot("checkout", ip) && slot("checkout", ip) < to {
			return ip
		}
	}
}

// expectShare sends requests without a key and counts the canary's.
func expectShare(t *testing.T, g *gateway.Gateway, want float64) {
	t.Helper()
	const n = 2000
	requests := make([]string, n)
	for i := range requests {
		requests[i] = strconv.Itoa(i)
	}
	if got := share(land(t, g, requests, anonymous), "canary"); math.Abs(got-want) > spread(n) {
		t.Errorf("the canary got %.3f of %d requests, want %.3f +- %.3f", got, n, want, spread(n))
	}
}
