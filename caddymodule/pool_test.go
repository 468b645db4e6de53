package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// fleet is a rollout over four backends: a and b are stable, x and y the canary, which X-Canary asks for.
type fleet struct {
	*Handler
	name       string
	a, b, x, y *testBackend
}

// startFleet provisions a fleet. proxy is the configuration of the shared proxy, and settings more fields of the rollout.
func startFleet(t testing.TB, proxy, settings string) *fleet {
	t.Helper()
	f := &fleet{name: unique("fleet"), a: startBackend(t, "a"), b: startBackend(t, "b"), x: startBackend(t, "x"), y: startBackend(t, "y")}
	if settings != "" {
		settings = ", " + settings
	}
	h, err := load(t, fmt.Sprintf(`{
		"name": %q,
		"upstreams": ["%s version=v1 zone=eu", "%s version=v1 zone=us", "%s version=v2 zone=eu", "%s version=v2 zone=us"],
		"proxy": {%s},
		"variants": [{"name": "stable", "where": {"version": "v1"}}, {"name": "canary", "where": {"version": "v2"}}],
		"rules": [{"name": "all", "use": "canary", "when": "header(\"X-Canary\").exists()"}],
		"announce": {"response": "X-Variant"}
		%s
	}`, f.name, f.a.address, f.b.address, f.x.address, f.y.address, proxy, settings))
	if err != nil {
		t.Fatal(err)
	}
	f.Handler = h
	return f
}

const canary, retries = "X-Canary: 1", `"load_balancing": {"retries": 5}`

// counted are the outcomes and the reasons.
func (f *fleet) counted(t testing.TB) string {
	t.Helper()
	return counts(liveOf(t, f.name)) + "; " + reasons(liveOf(t, f.name))
}

func TestPool(t *testing.T) {
	f := startFleet(t, "", "")
	if got := answers(t, f, 20); got != "[a:10 b:10]" {
		t.Errorf("answered %s", got)
	}
	if got := answers(t, f, 20, canary); got != "[x:10 y:10]" {
		t.Errorf("the canary: answered %s", got)
	}
	if got := f.counted(t); got != "canary 20/0/0, stable 20/0/0; rule 20, split 20" {
		t.Errorf("counted %s", got)
	}
}

// TestPoolUnavailable: what is known to be down is not tried. That is the canary's failure, and nothing to the baseline.
func TestPoolUnavailable(t *testing.T) {
	f := startFleet(t, retries+`, "health_checks": {"passive": {"fail_duration": "1h"}}`, "")
	f.x.Close()
	f.y.Close()
	ask(f, request(http.MethodGet, canary))
	ask(f, request(http.MethodGet, canary))
	before := f.counted(t)
	if before != "canary 0/2/0; fallback 2, rule 2" {
		t.Fatalf("counted %s", before)
	}
	r := request(http.MethodPost, canary) // nothing was sent, so any method will do
	r.Body = http.NoBody
	if w := ask(f, r); w.Code != http.StatusOK || w.Header().Get("X-Told") != "stable" || w.Header().Get("X-Variant") != "stable" {
		t.Errorf("status %d, told %q and %q", w.Code, w.Header().Get("X-Told"), w.Header().Get("X-Variant"))
	}
	if got := f.counted(t); got != "canary 0/3/0; fallback 3, rule 3" {
		t.Errorf("counted %s", got)
	}
	f.a.Close()
	f.b.Close()
	answers(t, f, 4)
	if w := ask(f, request(http.MethodGet, canary)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("all down: status %d: %s", w.Code, w.Body)
	}
}

// TestPoolSubsets: a request that asks for what there is not is told so, and says nothing about the variant.
func TestPoolSubsets(t *testing.T) {
	subset := func(otherwise string) string {
		return `"subsets": [{"key": "zone", "value": "header(\"X-Zone\")", "otherwise": "` + otherwise + `"}]`
	}
	f := startFleet(t, "", subset("none"))
	if got := answers(t, f, 10, "X-Zone: eu", canary); got != "[x:10]" {
		t.Errorf("answered %s", got)
	}
	w := ask(f, request(http.MethodGet, "X-Zone: asia", canary))
	if want := fmt.Sprintf("rollout %q: no upstream of variant \"canary\" has the zone that the request asks for", f.name); w.Code != 503 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("status %d: %s\nwant %s", w.Code, w.Body, want)
	}
	if got := w.Header().Get("X-Variant"); got != "canary" {
		t.Errorf("the client is told %q", got)
	}
	if got := f.counted(t); got != "canary 10/0/1; rule 11" {
		t.Errorf("counted %s", got)
	}

	for _, proxy := range []string{"", retries, `"health_checks": {"passive": {"fail_duration": "1h"}}`} {
		f = startFleet(t, proxy, subset("none"))
		f.x.Close()
		for range 3 { // the last, if health is checked, is not even tried
			if w := ask(f, request(http.MethodGet, "X-Zone: eu", canary)); w.Code < 502 || w.Header().Get("X-Variant") != "canary" {
				t.Errorf("x down: status %d from %s", w.Code, w.Body)
			}
		}
		if got := f.counted(t); got != "canary 0/3/0; rule 3" {
			t.Errorf("x down: counted %s", got)
		}
	}

	f = startFleet(t, "", subset("baseline"))
	if got := answers(t, f, 20, "X-Zone: asia", canary); got != "[a:10 b:10]" {
		t.Errorf("baseline: answered %s", got)
	}
	if got := f.counted(t); got != "; fallback 20" {
		t.Errorf("baseline: counted %s", got)
	}

	f = startFleet(t, "", subset("any"))
	if got := answers(t, f, 20, "X-Zone: asia", canary); got != "[x:10 y:10]" {
		t.Errorf("any: answered %s", got)
	}
}

// TestPoolBesideOtherVariants: a variant with routes of its own shares nothing, and may be the baseline.
func TestPoolBesideOtherVariants(t *testing.T) {
	x := startBackend(t, "x")
	name := unique("mixed")
	h, err := load(t, fmt.Sprintf(`{
		"name": %q,
		"upstreams": ["%s version=v2"],
		"variants": [
			{"name": "stable", "routes": [{"handle": [{"handler": "static_response", "body": "stable"}]}]},
			{"name": "canary", "where": {"version": "v2"}}
		],
		"rules": [{"name": "all", "use": "canary", "when": "header(\"X-Canary\").exists()"}],
		"proxy": {"health_checks": {"passive": {"fail_duration": "1h"}}}
	}`, name, x.address))
	if err != nil {
		t.Fatal(err)
	}
	if got := answers(t, h, 5) + answers(t, h, 5, canary); got != "[stable:5][x:5]" {
		t.Errorf("answered %s", got)
	}
	x.Close()
	if got := answers(t, h, 5, canary); got != "[stable:5]" { // the first after its try, the others before
		t.Errorf("the canary down: answered %s", got)
	}
	if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != "canary 5/5/0, stable 5/0/0; fallback 5, rule 10, split 5" {
		t.Errorf("counted %s", got)
	}
}

// TestPoolIsOne: handlers of one name share the proxy, so that health is checked once.
func TestPoolIsOne(t *testing.T) {
	const config = `{"name": "one", "upstreams": ["127.0.0.1:1"], "variants": [{"name": "all"}], "proxy": {"load_balancing": {"retries": 1}}}`
	ctx, cancel := caddy.NewContext(provisioningContext(t))
	defer cancel()
	var handlers []*Handler
	for range 3 {
		module, err := ctx.LoadModuleByID("http.handlers.rollout", []byte(config))
		if err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, module.(*Handler))
	}
	if handlers[0].pool == nil || handlers[0].pool != handlers[1].pool || handlers[1].pool != handlers[2].pool {
		t.Error("there are several proxies")
	}
}

// TestPoolJSON: what the shared proxy cannot be configured with.
func TestPoolJSON(t *testing.T) {
	const variants = `"variants": [{"name": "s"}]`
	for _, test := range []struct{ config, want string }{
		{`"upstreams": ["a:80"], "proxy": {"upstreams": [{"dial": "b:80"}]}`, `proxy: the upstreams of the shared proxy stand in the rollout's own field upstreams`},
		{`"upstreams": ["a:80"], "proxy": {"dynamic_upstreams": {"source": "a"}}`, `proxy: the upstreams of the shared proxy`},
		{`"upstreams": ["a:80"], "proxy": {"load_balancing": {"selection_policy": {"policy": "first"}}}`, `proxy: load_balancing.selection_policy: the rollout itself selects`},
		{`"upstreams": ["a:80"], "proxy": {"helth_checks": {}}`, `unknown field "helth_checks"`},
		{`"upstreams": ["a:80"], "proxy": {"transport": {"protocol": "ftp"}}`, `ftp`},
		{`"proxy": {}`, `proxy: there are no upstreams that it could proxy to`},
		{`"upstreams": ["a:80-81"]`, `upstreams[0]: "a:80-81" is several ports`},
		{`"upstreams": ["a:80 weight=-1"]`, `upstreams[0]: "-1" is not the weight`},
	} {
		_, err := load(t, `{"name": "bad", `+variants+`, `+test.config+`}`)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.config, err, test.want)
		}
	}
}

// TestDerivedRevisionOfAPool: other metadata are another release, other addresses are not.
func TestDerivedRevisionOfAPool(t *testing.T) {
	of := func(version string) string {
		variants := []Variant{{}, {}}
		variants[1].Name = "canary"
		variants[1].Where = map[string]any{"version": version}
		return derivedRevision(variants, "")
	}
	if next, after := of("v2"), of("v3"); next == after || next == "" {
		t.Errorf("revisions %q and %q", next, after)
	}
}

// TestPoolSurvivesReload: another configuration goes on where the one before was.
func TestPoolSurvivesReload(t *testing.T) {
	a, b := startBackend(t, "a"), startBackend(t, "b")
	name := unique("reloaded")
	last := ""
	for i := range 20 {
		h, err := load(t, fmt.Sprintf(`{"name": %q, "upstreams": [%q, %q], "variants": [{"name": "all"}], "salt": "%d"}`, name, a.address, b.address, i))
		if err != nil {
			t.Fatal(err)
		}
		got := answers(t, h, 1)
		if got == last {
			t.Fatalf("%s twice, %d reloads after the first", got, i)
		}
		last = got
	}
}
