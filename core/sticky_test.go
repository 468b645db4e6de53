package core

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const testSecret = "a secret of thirty-two bytes, or more"

// stickyShop is a rollout that remembers in a cookie: half of the clients are on the canary.
func stickyShop() Config {
	return Config{
		Name:     "shop",
		Variants: []Variant{{Name: "stable"}, {Name: "canary", Weight: "50%"}},
		Rules:    []Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Key:      []string{`header("X-User")`},
		Sticky:   Sticky{Mode: "cookie", TTL: "1h", Secret: []string{testSecret}},
	}
}

// inMemory is the same in memory.
func inMemory() Config {
	config := stickyShop()
	config.Sticky = Sticky{Mode: "memory", TTL: "1h"}
	return config
}

// Users whose slots under the salt shop lie in the two halves.
const (
	low  = "user-0" // 18998
	high = "user-1" // 34610
)

// browserAt is a client that keeps cookies, and a clock.
type browserAt struct {
	engine  *Engine
	cookies map[string]string
	now     time.Time
	secure  bool
}

// asks sends a request and returns the decision in words, with a star if it set a cookie.
func (b *browserAt) asks(headers ...string) string {
	r := get(headers...)
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	if b.secure {
		r.TLS = &tls.ConnectionState{}
	}
	d := b.engine.Decide(r, "192.0.2.1", b.now)
	text := d.Variant + " by " + string(d.Reason)
	response := http.Response{Header: http.Header{}}
	d.SetCookie(response.Header)
	for _, cookie := range response.Cookies() {
		if b.cookies == nil {
			b.cookies = map[string]string{}
		}
		b.cookies[cookie.Name] = cookie.Value
		text += "*"
	}
	return text
}

func (b *browserAt) expect(t *testing.T, what, want string, headers ...string) {
	t.Helper()
	if got := b.asks(headers...); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestStickyCookie(t *testing.T) {
	live := NewLive()
	b := &browserAt{engine: inForce(t, stickyShop(), live, Host{}), now: noon}
	b.expect(t, "the first request", "canary by split*", "X-User: "+low)
	b.expect(t, "the next", "canary by assigned", "X-User: "+low)
	b.expect(t, "another user in this browser", "canary by assigned", "X-User: "+high)
	b.expect(t, "without a key", "canary by assigned")
	b.expect(t, "a rule comes first", "canary by rule", "X-Version: v2")
	if err := weigh(b.engine, "canary", "0"); err != nil {
		t.Fatal(err)
	}
	b.expect(t, "a weight of 0 keeps who was assigned", "canary by assigned", "X-User: "+low)
	stranger := &browserAt{engine: b.engine, now: noon}
	stranger.expect(t, "and takes nobody new", "stable by split*", "X-User: "+low)
	b.now = noon.Add(time.Hour - time.Millisecond)
	b.expect(t, "to the end", "canary by assigned", "X-User: "+low)
	b.now = noon.Add(time.Hour)
	b.expect(t, "at the end, which was set at the beginning", "stable by split*", "X-User: "+low)
	b.expect(t, "assigned anew", "stable by assigned", "X-User: "+low)
	b.now = b.now.Add(5*time.Minute - time.Millisecond)
	b.expect(t, "the baseline is kept too", "stable by assigned", "X-User: "+low)
	b.now = b.now.Add(time.Millisecond)
	b.expect(t, "for five minutes", "stable by split*", "X-User: "+low)
}

func TestStickyMemory(t *testing.T) {
	live := NewLive()
	b := &browserAt{engine: compile(t, inMemory(), live, Host{}), now: noon}
	b.expect(t, "the first request", "canary by split", "X-User: "+low)
	b.expect(t, "the next", "canary by assigned", "X-User: "+low)
	b.expect(t, "another client", "stable by split", "X-User: "+high)
	b.expect(t, "another client again", "stable by assigned", "X-User: "+high)
	b.expect(t, "a client who does not say who he is", "stable by base")
	b.engine = compile(t, inMemory(), live, Host{})
	b.expect(t, "after a reload", "canary by assigned", "X-User: "+low)
	b.now = noon.Add(5 * time.Minute)
	b.expect(t, "the baseline's time is over", "stable by split", "X-User: "+high)
	b.now = noon.Add(time.Hour)
	b.expect(t, "the canary's too", "canary by split", "X-User: "+low)
}

// TestRulesAssignNobody: what a rule, a followed caller or the base decides leaves no trace.
func TestRulesAssignNobody(t *testing.T) {
	for _, config := range []Config{stickyShop(), inMemory()} {
		config.Announce.Follow = []string{"192.0.2.0/24"}
		b := &browserAt{engine: compile(t, config, nil, Host{}), now: noon}
		b.expect(t, config.Sticky.Mode+": by a rule", "canary by rule", "X-Version: v2", "X-User: "+high)
		b.expect(t, config.Sticky.Mode+": without a key", "stable by base")
		r := get("X-Rollout-Variant: canary", "X-User: "+high)
		r.RemoteAddr = "192.0.2.7:1234"
		if d := b.engine.Decide(r, "", noon); d.Reason != ByFollowing || d.Cookie != "" {
			t.Errorf("%s: a followed caller: %+v", config.Sticky.Mode, d)
		}
		want := "stable by split"
		if config.Sticky.Mode == "cookie" {
			want += "*"
		}
		b.expect(t, config.Sticky.Mode+": then by the split", want, "X-User: "+high)
	}
}

// TestFallbackKeepsTheAssignment: the split's choice is remembered, and that another variant answered is not.
func TestFallbackKeepsTheAssignment(t *testing.T) {
	e := compile(t, stickyShop(), nil, Host{})
	failed := e.Decide(get("X-User: "+low), "", noon)
	d := e.Fallback(failed)
	if d.Variant != "stable" || d.Cookie != failed.Cookie || d.Cookie == "" {
		t.Fatalf("%+v after %+v", d, failed)
	}
	pair, _, _ := strings.Cut(d.Cookie, ";")
	if got := e.Decide(get("Cookie: "+pair), "", noon); got.Variant != "canary" || got.Reason != ByAssigned || e.Fallback(got).Cookie != "" {
		t.Errorf("the next decision: %+v", got)
	}
}

// TestReleases: everything that is a new release ends every assignment; a mere change of weights, rules or variants ends
// none.
func TestReleases(t *testing.T) {
	for _, config := range []Config{stickyShop(), inMemory()} {
		for _, test := range []struct {
			name   string
			change func(c *Config)
			keeps  bool
		}{
			{"nothing", func(c *Config) {}, true},
			{"weights", func(c *Config) { c.Variants[1].Weight = "10%" }, true},
			{"rules", func(c *Config) { c.Rules = nil }, true},
			{"another variant", func(c *Config) { c.Variants = append(c.Variants, Variant{Name: "blue", Weight: "5%"}) }, true},
			{"terms", func(c *Config) { c.Sticky.TTL = "rollout" }, true},
			{"the variant is gone", func(c *Config) { c.Variants[1].Name = "blue"; c.Rules = nil }, false},
			{"revision", func(c *Config) { c.Revision = "v2" }, false},
			{"salt", func(c *Config) { c.Salt = "autumn" }, false},
		} {
			live := NewLive()
			b := &browserAt{engine: compile(t, config, live, Host{}), now: noon}
			b.asks("X-User: " + low)
			changed := config
			changed.Variants = append([]Variant(nil), config.Variants...)
			test.change(&changed)
			b.engine = compile(t, changed, live, Host{})
			if got := strings.HasSuffix(b.asks("X-User: "+low), "by assigned"); got != test.keeps {
				t.Errorf("%s, %s: the client keeps his variant: %v", config.Sticky.Mode, test.name, got)
			}
		}
	}
}

func TestEpochs(t *testing.T) {
	config := stickyShop()
	config.Sticky.BaselineTTL = "rollout"
	config.Sticky.TTL = ""
	config.Sticky.Drain = "10m"
	config.Revision = "v2"
	config.Variants[1].Weight = ""
	config.Plan.Steps = []Step{{Weight: "50%", Manual: true}}
	live := NewLive()
	e := compile(t, config, live, Host{})
	onCanary := &browserAt{engine: e, now: noon}
	onStable := &browserAt{engine: e, now: noon}
	both := func(what, canary, stable string) {
		t.Helper()
		onCanary.expect(t, what, canary, "X-User: "+low)
		onStable.expect(t, what, stable, "X-User: "+high)
	}
	both("at first", "canary by split*", "stable by split*")
	old := onCanary.cookies["rollout_shop"]
	both("then", "canary by assigned", "stable by assigned")

	beginEpoch(e, false, noon)
	both("after a rollback everybody is released", "canary by split*", "stable by split*")
	onCanary.cookies["rollout_shop"] = old
	onCanary.expect(t, "an old cookie does not come back", "canary by split*", "X-User: "+low)

	beginEpoch(e, true, noon)
	onCanary.engine = compile(t, config, live, Host{}) // the epoch outlives a reload
	onStable.engine = onCanary.engine
	both("after a promotion the baseline is drained", "canary by split*", "stable by assigned")
	onStable.now = noon.Add(10*time.Minute - time.Millisecond)
	onStable.expect(t, "to the end", "stable by assigned", "X-User: "+high)
	onStable.now = noon.Add(10 * time.Minute)
	onStable.expect(t, "after that", "canary by split*", "X-User: "+high)

	config.Revision = "v3" // has an epoch of its own
	onStable.engine = compile(t, config, live, Host{})
	onStable.expect(t, "a new revision", "stable by split*", "X-User: "+high)
	beginEpoch(onStable.engine, false, noon)
	onStable.engine = e
	onStable.expect(t, "the old one has not the same epochs", "stable by split*", "X-User: "+high)
	onCanary.engine = e
	onCanary.cookies["rollout_shop"] = old
	onCanary.expect(t, "nor does its old cookie come back after another's rollback", "canary by split*", "X-User: "+low)
}

func TestEndedRolloutsAssignNobody(t *testing.T) {
	for _, config := range []Config{stickyShop(), inMemory()} {
		config.Ends = "2026-11-21T13:00:00Z"
		live := NewLive()
		b := &browserAt{engine: compile(t, config, live, Host{}), now: noon.Add(time.Hour)}
		b.expect(t, "a choice of the canary", "stable by rolled_back", "X-User: "+low)
		b.expect(t, "of the baseline", "stable by split", "X-User: "+high)
		if n := live.assignments(1).Len(); n > 0 {
			t.Errorf("%d clients are remembered", n)
		}
		b.now = noon
		b.asks("X-User: " + low)
		b.now = noon.Add(time.Hour)
		b.expect(t, "who was assigned before", "stable by rolled_back", "X-User: "+low)
	}
}

// TestTheCookieIsTheKey: without a key line the id in the cookie is the key, and stays it, whatever becomes of the
// assignment.
func TestTheCookieIsTheKey(t *testing.T) {
	config := stickyShop()
	config.Key = nil
	config.Sticky.BaselineTTL = "1m"
	config.Sticky.TTL = "1m"
	config.Rules = append(config.Rules, Rule{Name: "some", Use: "stable", Percent: "50%", When: `header("X-Some").exists()`})
	e := compile(t, config, nil, Host{})
	seen := map[string]int{}
	for client := 0; client < 60; client++ {
		b := &browserAt{engine: e, now: noon}
		if client%2 == 1 { // who comes through the rule first, taken by it or not, has the same id afterwards
			first := b.asks("X-Some: 1")
			if second := b.asks("X-Some: 1"); strings.HasPrefix(first, "stable by rule") != strings.HasPrefix(second, "stable by rule") {
				t.Errorf("the rule changes its mind: %s, %s", first, second)
			}
		}
		first, _, _ := strings.Cut(b.asks(), " ")
		seen[first]++
		for i := 0; i < 5; i++ {
			b.now = b.now.Add(time.Minute)
			b.expect(t, "a minute later", first+" by split*")
		}
	}
	if seen["stable"] < 10 || seen["canary"] < 10 {
		t.Errorf("of 60 clients: %v", seen)
	}
	b := &browserAt{engine: e, now: noon}
	if b.asks("X-Version: v2"); b.asks("X-Version: v2") != "canary by rule" {
		t.Error("a request by a rule gets another cookie")
	}
}

func TestTheClientIsTheKey(t *testing.T) {
	config := inMemory()
	config.Key = nil
	config.Sticky.Client = []string{`header("X-Client")`}
	config.Sticky.TTL = "1s"
	config.Sticky.BaselineTTL = "1s"
	e := compile(t, config, nil, Host{})
	for i := 0; i < 40; i++ {
		b := &browserAt{engine: e, now: noon}
		header := fmt.Sprintf("X-Client: %d", i)
		first := b.asks(header)
		for k := 0; k < 3; k++ {
			b.now = b.now.Add(time.Second)
			b.expect(t, header, first, header)
		}
	}
	b := &browserAt{engine: e, now: noon}
	seen := map[string]bool{}
	for i := 0; i < 200; i++ {
		seen[b.asks()] = true
	}
	if len(seen) != 2 || !seen["stable by split"] || !seen["canary by split"] {
		t.Errorf("clients who do not say who they are: %v", seen)
	}
}

func TestCookiesOverTLS(t *testing.T) {
	b := &browserAt{engine: compile(t, stickyShop(), nil, Host{}), now: noon, secure: true}
	b.expect(t, "the first request", "canary by split*", "X-User: "+low)
	if len(b.cookies["__Host-rollout_shop"]) == 0 || len(b.cookies) != 1 {
		t.Errorf("cookies %v", b.cookies)
	}
	b.expect(t, "the next", "canary by assigned")
	b.secure = false
	b.expect(t, "the same cookie in plain text", "stable by base")
}
