package core

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzCompile: whatever a configuration says, it is compiled, or refused with a place for every problem.
func FuzzCompile(f *testing.F) {
	f.Add("checkout", "canary", "5%", `header("X-Version") == "v2"`, `cookie("uid")`, "2027-01-31T18:00:00Z", "X-Variant", "10.0.0.0/8")
	f.Add("", "", "-1", `heder("X")`, `random()`, "soon", "Host", "::1/129")
	f.Add("a b", "stable", "100.000001", `ip().in("10.0.0.0/33") && (`, `path() == "/"`, "0", "X_-_Y", "")
	f.Add("ψ", "a,b", "0.0015", "{http.x}", "", "2027-01-31T18:00:00+99:00", "off", "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, name, variant, weight, when, key, ends, header, network string) {
		config := Config{
			Name:     name,
			Variants: []Variant{{Name: "stable"}, {Name: variant, Weight: weight}},
			Rules:    []Rule{{Name: "rule", Use: variant, Percent: weight, When: when}},
			Key:      []string{key},
			Ends:     ends,
			Announce: Announce{Request: header, Response: header, Follow: []string{network}},
			Rest:     map[string]any{},
		}
		if key != "" && header == "" {
			config.Rest[key] = when
		}
		problems := Check(config, Host{})
		for _, p := range problems {
			if p.Path == "" || p.Text == "" {
				t.Errorf("%+v: a problem without a place or a text: %q", config, p)
			}
		}
		if strings.Contains(when+key, "inFile") {
			return // Compile would read the file
		}
		e, err := Compile(config, nil, Host{})
		if (err == nil) != (len(problems) == 0) || (e == nil) != (err != nil) {
			t.Fatalf("%+v: Check finds %q, Compile says %v", config, problems, err)
		}
		if e != nil {
			e.Decide(get(), "192.0.2.1", noon)
		}
	})
}

// FuzzDecide: whatever a client sends, an engine decides without a fault, and tells the upstream so, and nothing else.
func FuzzDecide(f *testing.F) {
	f.Add("uid=1; theme=dark", "v=2&list=a,b", "a=b,rollout.checkout=canary", "10.0.0.1:1", "192.0.2.1", "v2", "1200")
	f.Add("uid", "%zz&;=", "rollout.checkout=stable,,=", "[::ffff:10.0.0.1]:1", "::ffff:192.0.2.1", "", "1e999")
	f.Add("uid=\"", "v=%76&v", "%72ollout.checkout=purple;p", "@", "fe80::1%eth0", "V2", "-0")
	config := checkout()
	config.Announce = Announce{Baggage: true, Follow: []string{"10.0.0.0/8"}}
	config.Key = []string{`cookie("uid")`, `header("X-Version").lower()`, `query("v")`, `ip()`}
	config.Rules = append(config.Rules,
		Rule{Name: "query", Use: "canary", Percent: "10%", When: `query("v") == "2" || query("list").has("b")`},
		Rule{Name: "cookie", Use: "blue", When: `cookie("theme").matches("^d") && !cookie("uid").exists()`},
		Rule{Name: "build", Use: "blue", When: `header("X-Build") > 1000 && header("X-Build") <= 2000`},
		Rule{Name: "office", Use: "stable", When: `ip().in("192.0.2.0/24", "2001:db8::/32") && random() < 0.5`})
	live := NewLive()
	e := compile(f, config, live, Host{})
	f.Fuzz(func(t *testing.T, cookies, query, baggage, peer, address, version, build string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: version, RawQuery: query}, Host: build, RemoteAddr: peer, Header: http.Header{
			"Cookie": {cookies, version}, "Baggage": {baggage}, "X-Version": {version}, "X-Build": {build}, "X-Rollout-Variant": {version},
			"Connection": {baggage, version}, "X_rollout_variant": {build},
		}}
		before := live.Faults()
		d := e.Decide(r, address, noon)
		if live.Faults() != before {
			t.Fatal("the decision broke")
		}
		if d.Index < 0 || d.Index > 2 || d.Variant != e.Variants()[d.Index] || d.Reason == "" || (d.Rule != "") != (d.Reason == ByRule) {
			t.Fatalf("decision %+v", d)
		}
		e.Announce(d, r)
		told := r.Header["X-Rollout-Variant"]
		if len(told) != 1 || told[0] != d.Variant || len(r.Header["X_rollout_variant"]) > 0 {
			t.Errorf("the upstream is told %q and %q, want %s", told, r.Header["X_rollout_variant"], d.Variant)
		}
		if got := r.Header["Baggage"]; len(got) != 1 || baggageMember(got, "rollout.checkout") != d.Variant ||
			strings.Count(got[0], ",") >= maxMembers || len(got[0]) > maxBaggage {
			t.Errorf("the upstream gets baggage %q, want %s in it", got, d.Variant)
		}
		e.Report(d, Outcome{Status: 200})
	})
}
