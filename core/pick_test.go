package core

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/expr"
)

// zones is a rollout over a pool of two versions in two zones, where a request may ask for a zone. s3 is of no zone.
func zones(otherwise string) Config {
	return Config{
		Name: "shop",
		Variants: []Variant{
			{Name: "stable", Where: map[string]any{"version": "v1"}},
			{Name: "canary", Where: map[string]any{"version": "v2"}},
		},
		Upstreams: []any{"s1 version=v1 zone=eu", "s2 version=v1 zone=us", "s3 version=v1", "c1 version=v2 zone=eu", "c2 version=v2 zone=us"},
		Subsets:   []Subset{{Key: "zone", Value: `header("X-Zone")`, Otherwise: otherwise}},
	}
}

// declared returns the pools of a configuration's own upstreams.
func declared(t testing.TB, config Config, host Host) *Pools {
	t.Helper()
	e := compile(t, config, nil, host)
	if e.Balancer() == nil {
		t.Fatal("no variant has a pool")
	}
	return e.Pools(e.Balancer().Upstreams())
}

// served tells who serves requests of a variant, all upstreams that do in 40 requests, and how it comes.
func served(t testing.TB, p *Pools, upstreams []Upstream, variant int, down string, headers ...string) string {
	t.Helper()
	available := func(i int) bool { return !strings.Contains(" "+down+" ", " "+upstreams[i].Name+" ") }
	names := map[string]bool{}
	var first Pick
	for n := 0; n < 40; n++ {
		pick := p.Pick(variant, &expr.Input{Request: get(headers...), Address: "192.0.2.1"}, available, nil)
		if pick.Upstream >= 0 {
			names[upstreams[pick.Upstream].Name] = true
			if !available(pick.Upstream) {
				t.Errorf("%s is down and serves", upstreams[pick.Upstream].Name)
			}
		}
		pick.Upstream = 0
		if n == 0 {
			first = pick
		}
		if pick != first {
			t.Errorf("%v, and then %v", first, pick)
		}
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	text := strings.Join(list, " ")
	if first.Variant != variant {
		text += " for variant " + p.balancer.variants[first.Variant].name
	}
	if first.Failed {
		text += " after a failure"
	}
	if first.Problem != "" {
		text += ": " + first.Problem
	}
	return strings.TrimSpace(text)
}

// TestWhoServes goes through the table of docs/balancing.md.
func TestWhoServes(t *testing.T) {
	const stable, canary = 0, 1
	const unknownZone = `no upstream of variant "canary" has the zone that the request asks for`
	const notAvailable = `no upstream of variant "canary" that may serve the request is available`
	const stableAway = `no upstream of variant "stable" that may serve the request is available`
	for _, test := range []struct {
		otherwise string
		variant   int
		zone      string
		down      string
		want      string
	}{
		// Nothing is asked for, or something that there is.
		{"", stable, "", "", "s1 s2 s3"},
		{"", canary, "", "", "c1 c2"},
		{"", stable, "eu", "", "s1"},
		{"", canary, "us", "", "c2"},
		{"none", canary, "us", "", "c2"},
		{"any", canary, "us", "", "c2"},
		{"any", canary, "", "c2", "c1"},

		// A zone that nobody is in.
		{"", canary, "mars", "", "s1 s2 s3 for variant stable"},
		{"baseline", canary, "mars", "", "s1 s2 s3 for variant stable"},
		{"any", canary, "mars", "", "c1 c2"},
		{"none", canary, "mars", "", ": " + unknownZone},
		{"baseline", stable, "mars", "", "s1 s2 s3"},
		{"any", stable, "mars", "", "s1 s2 s3"},
		{"none", stable, "mars", "", `: no upstream of variant "stable" has the zone that the request asks for`},
		{"any", canary, "mars", "c1", "c2"},
		{"baseline", canary, "mars", "s1", "s2 s3 for variant stable"},
		{"baseline", canary, "mars", "s1 s2 s3", "for variant stable: " + unknownZone + ", and " + stableAway},
		{"any", canary, "mars", "c1 c2", "s1 s2 s3 for variant stable after a failure"},

		// All that the request asks for is down.
		{"baseline", canary, "us", "c2", "s2 for variant stable after a failure"},
		{"any", canary, "us", "c2", "c1"},
		{"none", canary, "us", "c2", "after a failure: " + notAvailable},
		{"baseline", stable, "us", "s2", "s1 s3"},
		{"any", stable, "us", "s2", "s1 s3"},
		{"none", stable, "us", "s2", "after a failure: " + stableAway},
		{"baseline", canary, "us", "c2 s2", "s1 s3 for variant stable after a failure"},

		// All of the variant is down.
		{"baseline", canary, "", "c1 c2", "s1 s2 s3 for variant stable after a failure"},
		{"any", canary, "us", "c1 c2", "s2 for variant stable after a failure"},
		{"none", canary, "", "c1 c2", "s1 s2 s3 for variant stable after a failure"},
		{"baseline", stable, "", "s1 s2 s3", "after a failure: " + stableAway},
		{"any", stable, "eu", "s1 s2 s3", "after a failure: " + stableAway},
		{"baseline", canary, "", "c1 c2 s1 s2 s3", "for variant stable after a failure: " + notAvailable + ", and " + stableAway},
	} {
		config := zones(test.otherwise)
		e := compile(t, config, nil, Host{})
		upstreams := e.Balancer().Upstreams()
		if got := served(t, e.Pools(upstreams), upstreams, test.variant, test.down, "X-Zone: "+test.zone); got != test.want {
			t.Errorf("%q, variant %d, zone %q, %q down: got %q, want %q", test.otherwise, test.variant, test.zone, test.down, got, test.want)
		}
	}
}

// TestHeaders: the first field of a repeated header counts, and an absent or empty one asks for nothing.
func TestHeaders(t *testing.T) {
	e := compile(t, zones("none"), nil, Host{})
	upstreams := e.Balancer().Upstreams()
	p := e.Pools(upstreams)
	for _, test := range []struct {
		headers []string
		want    string
	}{
		{nil, "c1 c2"},
		{[]string{"X-Zone: "}, "c1 c2"},
		{[]string{"X-Zone: eu", "X-Zone: us"}, "c1"},
		{[]string{"X-Zone: ", "X-Zone: us"}, "c1 c2"},
		{[]string{"X-Zone: EU"}, `: no upstream of variant "canary" has the zone that the request asks for`},
		{[]string{"X-Zone: eu,us"}, `: no upstream of variant "canary" has the zone that the request asks for`},
	} {
		if got := served(t, p, upstreams, 1, "", test.headers...); got != test.want {
			t.Errorf("%q: got %q, want %q", test.headers, got, test.want)
		}
	}
}

// TestDrained: weight 0 is what an operator wants, and no failure. A pool in which nothing is found is one.
func TestDrained(t *testing.T) {
	for _, test := range []struct {
		name    string
		drained string
		variant int
		zone    string
		want    string
	}{
		{"one", "c1", 1, "", "c2"},
		{"a zone", "c1", 1, "eu", "s1 for variant stable"},
		{"a zone of the baseline", "s1", 0, "eu", "s2 s3"},
		{"the canary", "c1 c2", 1, "eu", "s1 for variant stable"},
		{"the baseline", "s1 s2 s3", 0, "eu", `: all upstreams of variant "stable" are drained`},
		{"everything", "c1 c2 s1 s2 s3", 1, "", `for variant stable: all upstreams of variant "canary" are drained, and all upstreams of variant "stable" are drained`},
	} {
		e := compile(t, zones(""), nil, Host{})
		upstreams := e.Balancer().Upstreams()
		for i := range upstreams {
			if strings.Contains(test.drained, upstreams[i].Name) {
				upstreams[i].Weight = 0
			}
		}
		if got := served(t, e.Pools(upstreams), upstreams, test.variant, "", "X-Zone: "+test.zone); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	e := compile(t, zones(""), nil, Host{})
	found := e.Balancer().Upstreams()[:3]
	if got, want := served(t, e.Pools(found), found, 1, ""), "s1 s2 s3 for variant stable after a failure"; got != want {
		t.Errorf("nothing of the canary is found: got %q, want %q", got, want)
	}
	if got, want := served(t, e.Pools(nil), nil, 0, ""), `after a failure: there are no upstreams of variant "stable"`; got != want {
		t.Errorf("nothing is found: got %q, want %q", got, want)
	}
}

// TestVariantsOfAllKinds: own upstreams, all of the shared pool, part of it, and a block of the gateway's.
func TestVariantsOfAllKinds(t *testing.T) {
	config := Config{
		Name: "shop",
		Variants: []Variant{
			{Name: "block"},
			{Name: "own", Upstreams: []any{"o1 weight=2", map[string]any{"address": "o2", "weight": 1, "metadata": map[string]any{"zone": "eu"}}}},
			{Name: "part", Where: map[string]any{"zone": "eu"}},
			{Name: "whole"},
		},
		Upstreams: []any{"p1 zone=eu", "p2"},
	}
	e := compile(t, config, nil, Host{Handles: map[string]bool{"block": true}})
	upstreams := e.Balancer().Upstreams()
	p := e.Pools(upstreams)
	for variant, want := range []string{"", "o1 o2", "p1", "p1 p2"} {
		if got := served(t, p, upstreams, variant, ""); got != want {
			t.Errorf("variant %d: got %q, want %q", variant, got, want)
		}
	}
	if got, want := served(t, p, upstreams, 2, "p1"), "for variant block after a failure"; got != want {
		t.Errorf("part is down: got %q, want %q", got, want)
	}
	paths := make([]string, 0, len(upstreams))
	for _, u := range upstreams {
		paths = append(paths, fmt.Sprintf("%s:%s:%d", u.Path, u.Name, u.Weight))
	}
	if got, want := strings.Join(paths, " "), "upstreams[0]:p1:1 upstreams[1]:p2:1 variants[1].upstreams[0]:o1:2 variants[1].upstreams[1]:o2:1"; got != want {
		t.Errorf("declared: %s, want %s", got, want)
	}
}

// TestNoPool: without upstreams there is nothing to balance.
func TestNoPool(t *testing.T) {
	if compile(t, checkout(), nil, Host{}).Balancer() != nil {
		t.Error("a rollout without upstreams has a balancer")
	}
}

// TestRetriesStayInTheVariant, and then go to the base.
func TestRetriesStayInTheVariant(t *testing.T) {
	p := declared(t, zones(""), Host{})
	in := &expr.Input{Request: get()}
	first := p.Pick(1, in, nil, nil)
	second := p.Pick(1, in, nil, []int{first.Upstream})
	third := p.Pick(1, in, nil, []int{first.Upstream, second.Upstream})
	if first.Upstream+second.Upstream != 3+4 || first.Variant != 1 || second.Variant != 1 || first.Failed || second.Failed {
		t.Errorf("%v and %v, want c1 and c2", first, second)
	}
	if third.Variant != 0 || !third.Failed || third.Upstream < 0 || third.Upstream > 2 {
		t.Errorf("then %v, want one of s1 to s3 in the place of canary", third)
	}
}

// TestNextAndPickAgree: where Next knows somebody, it is one whom Pick would pick, and else there is a reason to ask it.
func TestNextAndPickAgree(t *testing.T) {
	for _, subsets := range []bool{false, true} {
		config := zones("")
		if !subsets {
			config.Subsets = nil
		}
		p := declared(t, config, Host{})
		for _, zone := range []string{"", "eu", "mars"} {
			for variant := 0; variant < 2; variant++ {
				next := Next(p, variant, get("X-Zone: "+zone), "")
				known := !subsets || zone != "mars"
				if known != (next >= 0) {
					t.Errorf("subsets %t, variant %d, zone %q: Next is %d", subsets, variant, zone, next)
				}
				if next >= 0 && (next >= 3) != (variant == 1) || subsets && zone == "eu" && next != 0 && next != 3 {
					t.Errorf("subsets %t, variant %d, zone %q: Next is %d", subsets, variant, zone, next)
				}
			}
		}
	}
	p := declared(t, Config{Name: "shop", Variants: []Variant{{Name: "stable", Upstreams: []any{"a weight=0"}}, {Name: "canary"}}}, Host{})
	for variant := 0; variant < 2; variant++ {
		if next := Next(p, variant, get(), ""); next != -1 {
			t.Errorf("variant %d is drained or has no pool, and Next is %d", variant, next)
		}
	}
}

// TestTurnsOutliveReloads: pools that a reload leaves as they are go on where they were.
func TestSubsetThatPanicsIsCountedAndDoesNotNarrow(t *testing.T) {
	config := zones("none")
	config.Subsets[0].Value = `placeholder("http.zone")`
	var logged bytes.Buffer
	live := NewLive()
	e := compile(t, config, live, Host{
		Placeholder: func(r *http.Request, name string) (string, bool) { panic("no such thing") },
		Log:         slog.New(slog.NewTextHandler(&logged, nil)),
	})
	p := e.Pools(e.Balancer().Upstreams())
	for n := 0; n < 3; n++ {
		if pick := p.Pick(1, &expr.Input{Request: get()}, nil, nil); pick.Upstream != 3 && pick.Upstream != 4 {
			t.Errorf("%+v serves the canary", pick)
		}
		if i := Next(p, 1, get(), ""); i != 3 && i != 4 {
			t.Errorf("the canary's turn is %d's", i)
		}
	}
	if lines := strings.Count(logged.String(), "\n"); live.Faults() != 6 || lines != 1 || !strings.Contains(logged.String(), "no such thing") {
		t.Errorf("%d faults, logged %s", live.Faults(), logged.String())
	}
}

func TestTurnsOutliveReloads(t *testing.T) {
	live := NewLive()
	config := zones("")
	before := compile(t, config, live, Host{})
	old := before.Pools(before.Balancer().Upstreams())
	config.Upstreams = append(append([]any{}, config.Upstreams...), "c3 version=v2")
	config.Variants = []Variant{config.Variants[1], config.Variants[0]}
	after := compile(t, config, live, Host{})
	p := after.Pools(after.Balancer().Upstreams())
	if p.pool("stable") != old.pool("stable") {
		t.Error("the upstreams of stable are what they were, but its pool is another")
	}
	if p.pool("canary") == old.pool("canary") {
		t.Error("canary has another upstream, but the same pool")
	}
	if p.pools[1] != old.pools[0] || p.pools[0] == old.pools[0] {
		t.Error("the variants are mixed up")
	}
}

// TestBalancerAlone: a gateway's own pool, of which the balancer knows some.
func TestBalancerAlone(t *testing.T) {
	config := BalancerConfig{
		Upstreams: []any{"a version=v1 weight=2", "b version=v2"},
		Subsets:   []Subset{{Key: "version", Value: `query("v")`}},
		Baseline:  map[string]any{"version": "v1"},
	}
	b, problems := CompileBalancer(config, Host{})
	if len(problems) > 0 {
		t.Fatal(Join(problems))
	}
	var found []Upstream
	for _, address := range []string{"x", "a", "b"} {
		found = append(found, b.Upstream(address))
	}
	p := b.Pools(found, nil)
	for _, test := range []struct{ version, down, want string }{
		{"", "", "a b x"},
		{"v2", "", "b"},
		{"v3", "", "a for variant baseline"},
		{"v2", "b", "a for variant baseline after a failure"},
	} {
		down := test.down
		available := func(i int) bool { return found[i].Name != down }
		names := map[string]bool{}
		r := get()
		r.URL.RawQuery = "v=" + test.version
		text := ""
		for n := 0; n < 40; n++ {
			pick := p.Pick(b.Last(), &expr.Input{Request: r}, available, nil)
			names[found[pick.Upstream].Name] = true
			text = ""
			if pick.Variant != b.Last() {
				text += " for variant baseline"
			}
			if pick.Failed {
				text += " after a failure"
			}
		}
		list := make([]string, 0, len(names))
		for name := range names {
			list = append(list, name)
		}
		sort.Strings(list)
		if got := strings.Join(list, " ") + text; got != test.want {
			t.Errorf("version %q with %q down: got %q, want %q", test.version, test.down, got, test.want)
		}
	}
	alone, _ := CompileBalancer(BalancerConfig{Subsets: []Subset{{Key: "version", Value: `query("v")`, Otherwise: "none"}}}, Host{})
	r := get()
	r.URL.RawQuery = "v=2"
	pick := alone.Pools([]Upstream{alone.Upstream("x")}, nil).Pick(alone.Last(), &expr.Input{Request: r}, nil, nil)
	if pick.Problem != "no upstream has the version that the request asks for" || pick.Failed {
		t.Errorf("nobody knows version 2: %v", pick)
	}
}
