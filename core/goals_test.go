package core

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

func withGoals() Config {
	return Config{
		Name:     "shop",
		Variants: []Variant{{Name: "stable"}, {Name: "canary", Weight: "50%"}},
		Key:      []string{`cookie("uid")`},
		Rules:    []Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Goals:    []Goal{{Name: "paid", When: `path() == "/thanks"`}, {Name: "read", When: `path().hasPrefix("/blog") || path() == "/thanks"`}},
	}
}

// visits sends a request of a client, which is answered with a status, and returns the variant.
func visits(e *Engine, client, path string, status int) string {
	r, _ := http.NewRequest(http.MethodGet, "http://shop.example"+path, nil)
	r.Header.Set("Cookie", "uid="+client)
	d := Decide(e, r, "10.0.0.1", time.Now())
	Report(d, &Outcome{Status: status})
	return d.Variant
}

func TestClientsWhoReachAGoalAreCounted(t *testing.T) {
	for _, remember := range []bool{false, true} {
		live := NewLive()
		e := inForce(t, withGoals(), live, Host{Remember: remember})
		shown := map[string]int64{}
		paid := map[string]int64{}
		for i := 0; i < 200; i++ {
			client := fmt.Sprint("u", i)
			variant := visits(e, client, "/", 200)
			shown[variant]++
			visits(e, client, "/cart", 200)
			if i%5 == 0 {
				visits(e, client, "/thanks", 200)
				visits(e, client, "/thanks", 302)
				paid[variant]++
			}
			if i%5 == 1 {
				visits(e, client, "/thanks", 402) // a refusal is no success
				visits(e, client, "/thanks", 502)
			}
		}
		list, has := live.Results()
		if !has || len(list) != 1 {
			t.Fatal(list, has)
		}
		r := list[0]
		if r.Clients != 200 || r.Mixed != 0 || len(r.Goals) != 2 || !r.Believe {
			t.Fatalf("%+v", r)
		}
		for _, g := range r.Goals {
			for _, v := range g.Variants {
				if v.Clients != shown[v.Name] || v.Reached != paid[v.Name] {
					t.Errorf("%s: %+v, want %d of %d", g.Name, v, paid[v.Name], shown[v.Name])
				}
			}
		}
	}
}

// TestAPeriodIsTheSameInAllGateways holds compiled and interpreted gateways to one name of a period, by which they know what
// to merge: interpreted, fmt does not see the methods of our types.
func TestAPeriodIsTheSameInAllGateways(t *testing.T) {
	live := NewLive()
	e := inForce(t, withGoals(), live, Host{})
	visits(e, "u1", "/", 200)
	const want = "11c38dc9e1d6a52b"
	if got := live.findings.sample.Period().Division; got != want {
		t.Errorf("the period is called %q, want %q", got, want)
	}
}

func TestRulesShowNobodyAVariantByChance(t *testing.T) {
	live := NewLive()
	e := inForce(t, withGoals(), live, Host{})
	r, _ := http.NewRequest(http.MethodGet, "http://shop.example/thanks", nil)
	r.Header.Set("Cookie", "uid=tester")
	r.Header.Set("X-Version", "v2")
	d := Decide(e, r, "", time.Now())
	Report(d, &Outcome{Status: 200})
	r.Header.Del("X-Version")
	r.Header.Del("Cookie")
	Decide(e, r, "", time.Now()) // nothing identifies him
	if list, _ := live.Results(); list[0].Clients != 0 {
		t.Errorf("%+v", list[0])
	}
}

func TestOtherWeightsBeginAnotherPeriod(t *testing.T) {
	live := NewLive()
	e := inForce(t, withGoals(), live, Host{})
	for i := 0; i < 50; i++ {
		visits(e, fmt.Sprint(i), "/thanks", 200)
	}
	if err := weigh(e, "canary", "20%"); err != nil {
		t.Fatal(err)
	}
	visits(e, "alice", "/", 200)
	list, _ := live.Results()
	if len(list) != 2 || list[0].Clients != 1 || list[1].Clients != 50 {
		t.Fatalf("%+v", list)
	}
	if err := weigh(e, "canary", "0%"); err != nil {
		t.Fatal(err)
	}
	visits(e, "bob", "/", 200)
	if list, _ := live.Results(); len(list) != 2 || list[0].Clients != 1 {
		t.Errorf("nobody shares the clients: %+v", list)
	}
}

// exchangeNow does what every minute does.
func exchangeNow(e *Engine) {
	current(e)
	p := &pursuit{engine: e, live: e.live}
	p.exchangeFindings(context.Background())
}

// Two gateways see some of the same clients, and one that starts later knows what both saw.
func TestGatewaysMergeWhatTheySaw(t *testing.T) {
	shared := store.NewMemory()
	host := Host{Store: shared, StoreName: "shared"}
	lives := []*Live{NewLive(), NewLive()}
	for n, live := range lives {
		e := inForce(t, withGoals(), live, host)
		for i := n * 30; i < n*30+60; i++ {
			path := "/"
			if i%2 == n {
				path = "/thanks"
			}
			visits(e, fmt.Sprint(i), path, 200)
		}
		exchangeNow(e)
	}
	late := NewLive()
	e := inForce(t, withGoals(), late, host)
	exchangeNow(e)
	list, _ := late.Results()
	reached := int64(0)
	for _, v := range list[0].Goals[0].Variants {
		reached += v.Reached
	}
	if list[0].Clients != 90 || reached != 60 {
		t.Errorf("%d clients, %d reached: want 90 and 60", list[0].Clients, reached)
	}
	visits(e, "1000", "/", 200)
	if err := weigh(e, "canary", "30%"); err != nil {
		t.Fatal(err)
	}
	visits(e, "1", "/", 200)
	exchangeNow(e)
	later := NewLive()
	exchangeNow(inForce(t, withGoals(), later, host))
	if list, _ := later.Results(); len(list) != 2 || list[1].Clients != 91 {
		t.Errorf("the period before is forgotten: %+v", list)
	}
}

// contested is a store in which somebody else is faster now and then.
type contested struct {
	store.Store
	faster func()
}

func (c *contested) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if faster := c.faster; faster != nil {
		c.faster = nil
		faster()
	}
	return c.Store.Swap(ctx, name, version, content)
}

func TestWhoIsFasterLosesNothing(t *testing.T) {
	shared := store.NewMemory()
	fast := inForce(t, withGoals(), NewLive(), Host{Store: shared, StoreName: "shared"})
	visits(fast, "alice", "/thanks", 200)
	slow := inForce(t, withGoals(), NewLive(), Host{StoreName: "shared", Store: &contested{Store: shared, faster: func() { exchangeNow(fast) }}})
	visits(slow, "bob", "/thanks", 200)
	exchangeNow(slow)
	late := NewLive()
	exchangeNow(inForce(t, withGoals(), late, Host{Store: shared, StoreName: "shared"}))
	if list, _ := late.Results(); list[0].Clients != 2 {
		t.Errorf("%d clients are kept, want 2", list[0].Clients)
	}
}

// Somebody still has the weights of before when others are ahead: what he counts joins what is over, and theirs goes on.
func TestWhoIsBehindReplacesNothing(t *testing.T) {
	shared := store.NewMemory()
	host := Host{Store: shared, StoreName: "shared"}
	old := inForce(t, withGoals(), NewLive(), host)
	visits(old, "alice", "/thanks", 200)
	changed := withGoals()
	changed.Variants[1].Weight = "20%"
	visits(old, "bob", "/thanks", 200)
	fresh := inForce(t, changed, NewLive(), host)
	visits(fresh, "carol", "/thanks", 200)
	exchangeNow(fresh)
	exchangeNow(old)
	late := NewLive()
	exchangeNow(inForce(t, changed, late, host))
	list, _ := late.Results()
	if len(list) != 2 || list[0].Clients != 1 || list[1].Clients != 2 {
		t.Errorf("%+v", list)
	}
}

func TestWhatIsCountedOtherwiseIsCountedAnew(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"another goal":      func(c *Config) { c.Goals[0].When = `path() == "/paid"` },
		"another key":       func(c *Config) { c.Key = []string{`cookie("uid")`, `header("X-User")`} },
		"another salt":      func(c *Config) { c.Salt = "s" },
		"another revision":  func(c *Config) { c.Revision = "v3" },
		"nothing that does": func(c *Config) { c.Rules = nil },
	} {
		live := NewLive()
		visits(inForce(t, withGoals(), live, Host{}), "alice", "/thanks", 200)
		config := withGoals()
		change(&config)
		e := inForce(t, config, live, Host{})
		visits(e, "bob", "/", 200)
		list, _ := live.Results()
		if same := len(list) == 1 && list[0].Clients == 2; same != (what == "nothing that does") {
			t.Errorf("%s: %+v", what, list)
		}
	}
}

func TestDamagedFindingsAreForgotten(t *testing.T) {
	for _, content := range []string{`{}`, `[]`, `{"sample":{"format":9},"past":[{"period":{"variants":["a"]},"clients":[1,2]}]}`, `{"past":[{"clients":[1],"period":{"variants":["a"]},"sampled":0}]}`} {
		shared := store.NewMemory()
		if _, err := shared.Swap(context.Background(), findingsDocument("shop"), "", []byte(content)); err != nil {
			t.Fatal(err)
		}
		live := NewLive()
		e := inForce(t, withGoals(), live, Host{Store: shared, StoreName: "x"})
		visits(e, "alice", "/thanks", 200)
		exchangeNow(e)
		if list, _ := live.Results(); len(list) != 1 || list[0].Clients != 1 {
			t.Errorf("%s: %+v", content, list)
		}
	}
}

func TestGoalsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Goals[1].Name = "paid" }, `goals[1].name: there are two goals "paid"`},
		{func(c *Config) { c.Goals[0].Name = "p p" }, `goals[0].name`},
		{func(c *Config) { c.Goals[0].When = "" }, `goals[0].when`},
		{func(c *Config) { c.Goals[0].When = `pth() == "/"` }, `goals[0].when: column 1: unknown function "pth" (did you mean "path"?)`},
		{func(c *Config) { c.Goals[0].Rest = map[string]any{"whenn": ""} }, `goals[0].whenn: unknown key (did you mean "when"?)`},
		{func(c *Config) { c.Key = nil }, `goals: each client counts once`},
		{func(c *Config) { c.Key = []string{`cookie("uid")`, "random()"} }, `goals: each client counts once`},
		{func(c *Config) { c.Observe = "off" }, `goals: what fails reaches no goal`},
		{func(c *Config) { c.Variants = c.Variants[:1]; c.Rules = nil }, `goals: they compare 2 to 64 variants, and there are 1`},
	} {
		config := withGoals()
		c.change(&config)
		_, err := Compile(config, nil, Host{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
