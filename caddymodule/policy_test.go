package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// loadPolicy provisions a policy from JSON.
func loadPolicy(t testing.TB, config string) (*Policy, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(provisioningContext(t))
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("http.reverse_proxy.selection_policies.rollout", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*Policy), nil
}

// upstreamsAt are new upstreams with these addresses, as a dynamic source returns them for every request.
func upstreamsAt(dials ...string) reverseproxy.UpstreamPool {
	var list reverseproxy.UpstreamPool
	for _, dial := range dials {
		list = append(list, &reverseproxy.Upstream{Dial: dial, Host: new(reverseproxy.Host)})
	}
	return list
}

// selections counts who is selected in n requests.
func selections(p *Policy, upstreams func() reverseproxy.UpstreamPool, n int, header ...string) string {
	counts := make(map[string]int)
	for range n {
		name := "nobody"
		if u := p.Select(upstreams(), proxied(header...), nil); u != nil {
			name = u.Dial
		}
		counts[name]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// proxied is a request as a proxy's selection policy sees it before the first try.
func proxied(header ...string) *http.Request {
	w := httptest.NewRecorder()
	r := prepare(httptest.NewRequest(http.MethodGet, "/", nil), w)
	r.URL = &url.URL{Path: "/"}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// TestPolicy: who is selected, of upstreams that stay the same objects and of some that do not.
func TestPolicy(t *testing.T) {
	const subsets = `"upstreams": ["a:80 weight=2 version=v1", "b:80 version=v1", "c:80 version=v2"],
		"subsets": [{"key": "version", "value": "header(\"X-Version\")", "otherwise": %q}]`
	for _, test := range []struct {
		name, config string
		upstreams    reverseproxy.UpstreamPool
		header       []string
		want         string // of 12
	}{
		{"nothing declared", ``, upstreamsAt("a:80", "b:80", "c:80"), nil, "[a:80:4 b:80:4 c:80:4]"},
		{"weights", `"upstreams": ["a:80 weight=3", "b:80 weight=2"]`, upstreamsAt("a:80", "b:80", "c:80"), nil, "[a:80:6 b:80:4 c:80:2]"},
		{"objects", `"upstreams": [{"address": "a:80", "weight": 3}]`, upstreamsAt("a:80", "b:80"), nil, "[a:80:9 b:80:3]"},
		{"drained", `"upstreams": ["a:80 weight=0"]`, upstreamsAt("a:80", "b:80"), nil, "[b:80:12]"},
		{"all drained", `"upstreams": ["a:80 weight=0"]`, upstreamsAt("a:80"), nil, "[nobody:12]"},
		{"none", ``, nil, nil, "[nobody:12]"},
		{"a host without a port", `"upstreams": ["A weight=2"]`, upstreamsAt("a:80", "a:81", "b:80", "c:80"), nil, "[a:80:4 a:81:4 b:80:2 c:80:2]"},
		{"its port first", `"upstreams": ["a:81 weight=0", "a weight=3"]`, upstreamsAt("a:80", "a:81", "b:80"), nil, "[a:80:9 b:80:3]"},
		{"the target of an SRV record", `"upstreams": ["node1.shop.internal:8080 weight=3"]`,
			upstreamsAt("Node1.shop.internal.:8080", "node2.shop.internal.:8080"), nil, "[Node1.shop.internal.:8080:9 node2.shop.internal.:8080:3]"},
		{"with a network", `"upstreams": ["a:80 weight=3"]`, upstreamsAt("tcp4/a:80", "tcp4/b:80"), nil, "[tcp4/a:80:9 tcp4/b:80:3]"},
		{"IPv6", `"upstreams": ["[::1]:80 weight=3", "::2 weight=0"]`, upstreamsAt("[::1]:80", "[::2]:80", "[::3]:80"), nil, "[[::1]:80:9 [::3]:80:3]"},
		{"unix", `"upstreams": ["unix//run/a.sock weight=3"]`, upstreamsAt("unix//run/a.sock", "unix//run/b.sock"), nil, "[unix//run/a.sock:9 unix//run/b.sock:3]"},
		{"subset", fmt.Sprintf(subsets, ""), upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v1"}, "[a:80:8 b:80:4]"},
		{"subset of one", fmt.Sprintf(subsets, ""), upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v2"}, "[c:80:12]"},
		{"no subset", fmt.Sprintf(subsets, ""), upstreamsAt("a:80", "b:80", "c:80"), nil, "[a:80:6 b:80:3 c:80:3]"},
		{"nobody's value: baseline is all", fmt.Sprintf(subsets, ""), upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v3"}, "[a:80:6 b:80:3 c:80:3]"},
		{"nobody's value: baseline", fmt.Sprintf(subsets, "baseline") + `, "baseline": {"version": "v1"}`,
			upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v3"}, "[a:80:8 b:80:4]"},
		{"nobody's value: any", fmt.Sprintf(subsets, "any"), upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v3"}, "[a:80:6 b:80:3 c:80:3]"},
		{"nobody's value: none", fmt.Sprintf(subsets, "none"), upstreamsAt("a:80", "b:80", "c:80"), []string{"X-Version: v3"}, "[nobody:12]"},
		{"the subset is not there", fmt.Sprintf(subsets, "none"), upstreamsAt("a:80", "b:80"), []string{"X-Version: v2"}, "[nobody:12]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for kind, upstreams := range map[string]func() reverseproxy.UpstreamPool{
				"static": func() reverseproxy.UpstreamPool { return test.upstreams },
				"dynamic": func() reverseproxy.UpstreamPool {
					var dials []string
					for _, u := range test.upstreams {
						dials = append(dials, u.Dial)
					}
					return upstreamsAt(dials...)
				},
			} {
				p, err := loadPolicy(t, "{"+test.config+"}")
				if err != nil {
					t.Fatal(err)
				}
				if got := selections(p, upstreams, 12, test.header...); got != test.want {
					t.Errorf("%s: selected %s, want %s", kind, got, test.want)
				}
			}
		})
	}
}

// TestPolicySelectsWhoIsAvailable: those that are not give their share to the rest, by the weights of these. A real proxy
// finds out who is.
func TestPolicySelectsWhoIsAvailable(t *testing.T) {
	a, b, c := startBackend(t, "a"), startBackend(t, "b"), startBackend(t, "c")
	proxy := loadProxy(t, fmt.Sprintf(`{
		"upstreams": [{"dial": %[1]q}, {"dial": %[2]q}, {"dial": %[3]q}],
		"load_balancing": {"retries": 2, "selection_policy": {"policy": "rollout", "upstreams": ["%[1]s weight=98"]}},
		"health_checks": {"passive": {"fail_duration": "1h"}}
	}`, a.address, b.address, c.address))
	if got := answers(t, proxy, 100); got != "[a:98 b:1 c:1]" {
		t.Errorf("answered %s", got)
	}
	a.Close()
	answers(t, proxy, 100) // until it is found out, and whose turn it is is settled
	var fromB, fromC int
	got := answers(t, proxy, 1000)
	if _, err := fmt.Sscanf(got, "[b:%d c:%d]", &fromB, &fromC); err != nil || fromB+fromC != 1000 || max(fromB, fromC) > 510 {
		t.Errorf("the heavy one down: answered %s", got)
	}
	b.Close()
	answers(t, proxy, 10)
	if got := answers(t, proxy, 10); got != "[c:10]" {
		t.Errorf("two down: answered %s", got)
	}
	c.Close()
	answers(t, proxy, 10)
	if got := answers(t, proxy, 10); got != "[503:10]" {
		t.Errorf("all down: answered %s", got)
	}
}

// TestPolicyFollowsUpstreams: dynamic upstreams come, go and return.
func TestPolicyFollowsUpstreams(t *testing.T) {
	p, err := loadPolicy(t, `{"upstreams": ["a:80 weight=2", "c:80 weight=3"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		dials []string
		n     int
		want  string
	}{
		{[]string{"a:80", "b:80"}, 30, "[a:80:20 b:80:10]"},
		{[]string{"a:80", "b:80", "c:80"}, 60, "[a:80:20 b:80:10 c:80:30]"},
		{[]string{"c:80", "b:80"}, 40, "[b:80:10 c:80:30]"},
		{[]string{}, 5, "[nobody:5]"},
		{[]string{"b:80"}, 5, "[b:80:5]"},
		{[]string{"b:80", "c:80"}, 40, "[b:80:10 c:80:30]"}, // in another order than before
	} {
		if got := selections(p, func() reverseproxy.UpstreamPool { return upstreamsAt(step.dials...) }, step.n); got != step.want {
			t.Errorf("%v: selected %s, want %s", step.dials, got, step.want)
		}
	}
}

// TestPolicyRetries: a retry goes to who was not tried, and to anybody when all were.
func TestPolicyRetries(t *testing.T) {
	p, err := loadPolicy(t, `{"upstreams": ["a:80 version=v1", "b:80 version=v1", "c:80 version=v2"],
		"subsets": [{"key": "version", "value": "header(\"X-Version\")"}], "baseline": {"version": "v2"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		r := proxied("X-Version: v1")
		replacer := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		var tried []string
		for range 4 {
			u := p.Select(upstreamsAt("a:80", "b:80", "c:80"), r, nil)
			if u == nil {
				t.Fatalf("nobody after %v", tried)
			}
			tried = append(tried, u.Dial)
			// What a proxy does when it tries.
			replacer.Set("http.reverse_proxy.upstream.address", u.Dial)
			r.URL.Host = u.Dial
		}
		slices.Sort(tried[:2])
		if got := strings.Join(tried[:3], " "); got != "a:80 b:80 c:80" {
			t.Errorf("tried %v, want a and b in any order, and then the baseline", tried)
		}
		if tried[3] == "" {
			t.Error("nobody was given another chance")
		}
	}
}

// TestPolicyAtOnce: requests of many goroutines while upstreams change.
func TestPolicyAtOnce(t *testing.T) {
	p, err := loadPolicy(t, `{"upstreams": ["a:80 weight=2 zone=eu"], "subsets": [{"key": "zone", "value": "header(\"X-Zone\")"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	sets := []reverseproxy.UpstreamPool{upstreamsAt("a:80"), upstreamsAt("a:80", "b:80"), upstreamsAt("b:80", "c:80", "a:80")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := proxied("X-Zone: eu")
			for n := range 500 {
				set := sets[(i+n)%len(sets)]
				if u := p.Select(set, r, nil); u == nil || u.Dial != "a:80" || !slices.Contains(set, u) {
					t.Errorf("selected %v of %v", u, set)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestPolicyJSON: each error names its place.
func TestPolicyJSON(t *testing.T) {
	for _, test := range []struct{ config, want string }{
		{`{"upstream": []}`, `unknown field "upstream"`},
		{`{"upstreams": ["a:80 weight=x"]}`, `upstreams[0]: "x" is not the weight of an upstream`},
		{`{"upstreams": ["a:80", {"address": "b:80", "wieght": 1}]}`, `upstreams[1].wieght: unknown key (did you mean "weight"?)`},
		{`{"upstreams": ["a:80-90"]}`, `upstreams[0]: "a:80-90" is several ports`},
		{`{"upstreams": ["https://a"]}`, `upstreams[0]: "https://a" has a scheme`},
		{`{"upstreams": ["a:80 v=1"], "subsets": [{"key": "v", "value": "heder(\"V\")"}]}`, `subsets[0].value: column 1: unknown function "heder" (did you mean "header"?)`},
		{`{"upstreams": ["a:80 v=1"], "baseline": {"v": 1}}`, `baseline.v: `},
	} {
		if _, err := loadPolicy(t, test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.config, err, test.want)
		}
	}
}

// TestSelectAllocates: nothing, if the upstreams stay the same.
func TestSelectAllocates(t *testing.T) {
	upstreams := upstreamsAt("a:80", "b:80", "c:80")
	for _, config := range []string{`{"upstreams": ["a:80 weight=9"]}`,
		`{"upstreams": ["a:80 weight=9 version=v1"], "subsets": [{"key": "version", "value": "header(\"X-Version\")"}]}`} {
		p, err := loadPolicy(t, config)
		if err != nil {
			t.Fatal(err)
		}
		r := proxied("X-Version: v1")
		if got := testing.AllocsPerRun(1000, func() { p.Select(upstreams, r, nil) }); got > 0 {
			t.Errorf("%s: %v allocations", config, got)
		}
	}
}

// BenchmarkSelect is what selecting costs, next to what Caddy has built in.
func BenchmarkSelect(b *testing.B) {
	upstreams := upstreamsAt("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80")
	r := proxied("X-Version: v1")
	ctx := provisioningContext(b)
	for _, bench := range []struct{ name, policy, config string }{
		{"weighted_round_robin", "weighted_round_robin", `{"weights": [9, 1, 1, 1, 1]}`},
		{"rollout", "rollout", `{"upstreams": ["10.0.0.1:80 weight=9"]}`},
		{"subset", "rollout", `{"upstreams": ["10.0.0.1:80 weight=9 version=v1", "10.0.0.2:80 version=v1"],
			"subsets": [{"key": "version", "value": "header(\"X-Version\")"}]}`},
		{"dynamic", "rollout", `{"upstreams": ["10.0.0.1:80 weight=9"]}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			module, err := ctx.LoadModuleByID("http.reverse_proxy.selection_policies."+bench.policy, json.RawMessage(bench.config))
			if err != nil {
				b.Fatal(err)
			}
			selector := module.(reverseproxy.Selector)
			b.ReportAllocs()
			for b.Loop() {
				list := upstreams
				if bench.name == "dynamic" { // with the cost of another list
					list = slices.Clone(upstreams)
				}
				if selector.Select(list, r, nil) == nil {
					b.Fatal("nobody")
				}
			}
		})
	}
}
