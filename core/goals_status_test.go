package core

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// withStatusGoals has goals that the status decides, beside one that wants a success.
func withStatusGoals() Config {
	config := withGoals()
	config.Goals = []Goal{
		{Name: "paid", When: `path() == "/orders"`},
		{Name: "ordered", When: `method() == "POST" && path() == "/orders" && status() == 201`},
		{Name: "refused", When: `status() >= 400`},
		{Name: "asked", When: `path() == "/orders" || status() == 204`},
	}
	return config
}

// met names the goals that the clients of a rollout reached.
func met(t *testing.T, live *Live) string {
	t.Helper()
	list, has := live.Results()
	if !has || len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	var names []string
	for _, g := range list[0].Goals {
		for _, v := range g.Variants {
			if v.Reached > 0 {
				names = append(names, g.Name)
			}
		}
	}
	return strings.Join(names, " ")
}

// TestStatusDecides: goals that ask for the status are reached by those that they ask for, whatever becomes of the request
// before it is answered, and by no answer that the client did not get.
func TestStatusDecides(t *testing.T) {
	for _, test := range []struct {
		method, path string
		outcome      Outcome
		want         string
	}{
		{"POST", "/orders", Outcome{Status: 201}, "paid ordered asked"},
		{"POST", "/orders", Outcome{Status: 200}, "paid asked"},
		{"GET", "/orders", Outcome{Status: 201}, "paid asked"},
		{"POST", "/cart", Outcome{Status: 201}, ""},
		{"GET", "/", Outcome{Status: 204}, "asked"},
		{"GET", "/", Outcome{Status: 101}, ""},
		{"POST", "/orders", Outcome{Status: 402}, "refused asked"},
		{"POST", "/orders", Outcome{Status: 503}, "refused asked"},
		{"POST", "/orders", Outcome{Status: 502, Failed: true}, "refused asked"}, // the gateway's own
		{"POST", "/orders", Outcome{Status: 201, Failed: true, Broken: true}, ""},
		{"POST", "/orders", Outcome{Status: 503, Failed: true, Broken: true}, ""},
		{"POST", "/orders", Outcome{Status: 502, Replaced: true}, ""},
		{"POST", "/orders", Outcome{Status: 499, Gone: true}, ""},
		{"POST", "/orders", Outcome{Failed: true}, ""},
	} {
		live := NewLive()
		e := inForce(t, withStatusGoals(), live, Host{})
		r, _ := http.NewRequest(test.method, "http://shop.example"+test.path, nil)
		r.Header.Set("Cookie", "uid=ada")
		d := Decide(e, r, "10.0.0.1", time.Now())
		r.Method = "DELETE" // as handlers do
		r.URL.Path = "/elsewhere"
		Report(d, &test.outcome)
		if got := met(t, live); got != test.want {
			t.Errorf("%s %s %+v: reached %q, want %q", test.method, test.path, test.outcome, got, test.want)
		}
	}
}

// TestOnlyWhatMayBeReachedAsksTheStatus: all else is told by Succeeded.
func TestOnlyWhatMayBeReachedAsksTheStatus(t *testing.T) {
	config := withStatusGoals()
	config.Goals = config.Goals[:2]
	live := NewLive()
	e := inForce(t, config, live, Host{})
	for target, want := range map[string]bool{"POST /orders": true, "GET /orders": false, "POST /": false} {
		method, path, _ := strings.Cut(target, " ")
		r, _ := http.NewRequest(method, "http://shop.example"+path, nil)
		r.Header.Set("Cookie", "uid=ada")
		d := Decide(e, r, "10.0.0.1", time.Now())
		if d.AsksStatus != want || !e.AsksStatus() {
			t.Errorf("%s: %v, %v", target, d.AsksStatus, e.AsksStatus())
		}
		if !want {
			Succeeded(d, time.Millisecond)
		}
	}
	if got := met(t, live); got != "paid" {
		t.Errorf("reached %q", got)
	}
	if inForce(t, withGoals(), NewLive(), Host{}).AsksStatus() || inForce(t, checkout(), NewLive(), Host{}).AsksStatus() {
		t.Error("there is nothing that asks for the status")
	}
}

// TestStatusOfAFallback: the client has his answer, though not of the variant that chance gave him.
func TestStatusOfAFallback(t *testing.T) {
	for status, want := range map[int]string{200: "", 201: "ordered", 500: "refused"} {
		live := NewLive()
		config := withStatusGoals()
		config.Goals = config.Goals[:3]
		config.Variants[1].Weight = "99.99%"
		e := inForce(t, config, live, Host{})
		r, _ := http.NewRequest(http.MethodPost, "http://shop.example/orders", nil)
		r.Header.Set("Cookie", "uid=ada")
		d := Decide(e, r, "10.0.0.1", time.Now())
		if d.Variant != "canary" {
			t.Fatal("not the canary, which cannot fail then")
		}
		Report(d, &Outcome{Failed: true})
		instead := e.Fallback(*d)
		Report(&instead, &Outcome{Status: status})
		if got := met(t, live); got != want {
			t.Errorf("%d in its place: reached %q, want %q", status, got, want)
		}
		if list, _ := live.Results(); list[0].Goals[0].Variants[1].Clients != 1 {
			t.Errorf("%d in its place: the client is not the canary's: %+v", status, list)
		}
	}
}

// TestWhatBreaksInAGoalBreaksNoDecision: the variant serves, and the client reaches nothing.
func TestWhatBreaksInAGoalBreaksNoDecision(t *testing.T) {
	for _, when := range []string{`placeholder("http.boom").exists()`, `status() == 201 && placeholder("http.boom").exists()`} {
		config := withGoals()
		config.Goals = []Goal{{Name: "paid", When: when}}
		live := NewLive()
		e := inForce(t, config, live, Host{Placeholder: func(_ *http.Request, _ string) (string, bool) { panic("boom") }})
		shown := map[string]bool{}
		for i := 0; i < 40; i++ {
			shown[visits(e, fmt.Sprint(i), "/", 201)] = true
		}
		if len(shown) != 2 || met(t, live) != "" {
			t.Errorf("%s: variants %v, reached %q", when, shown, met(t, live))
		}
	}
}

// TestExplainGoalsOfAnswers: what the status decides is said to be open.
func TestExplainGoalsOfAnswers(t *testing.T) {
	e := inForce(t, withStatusGoals(), NewLive(), Host{})
	for _, test := range []struct{ target, want string }{
		{"POST /orders", "paid:true ordered:open/status refused:open/status asked:true/status"},
		{"GET /orders", "paid:true ordered:false/status refused:open/status asked:true/status"},
		{"GET /", "paid:false ordered:false/status refused:open/status asked:open/status"},
	} {
		q := with("Cookie: uid=ada")
		method, path, _ := strings.Cut(test.target, " ")
		q.Method = method
		q.URL = "http://shop.example" + path
		x, err := e.Explain(context.Background(), q, noon)
		if err != nil || x.Goals == nil || x.Goals.Status != GoalsCounted {
			t.Fatalf("%s: %+v: %v", test.target, x, err)
		}
		var got []string
		for _, g := range x.Goals.List {
			text := g.Name + ":" + g.Condition[0].Result
			if g.ByStatus {
				text += "/status"
			}
			got = append(got, text)
			if g.Met != (g.Condition[0].Result == "true") {
				t.Errorf("%s: %+v", test.target, g)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.target, got, test.want)
		}
	}
}

func TestStatusIsForGoalsAlone(t *testing.T) {
	const want = `status() is known once a request is answered`
	for place, change := range map[string]func(c *Config){
		"rules[0].when: column 18: " + want: func(c *Config) { c.Rules[0].When = `path() == "/" && status() == 201` },
		"key[0]: column 1: " + want:         func(c *Config) { c.Key = []string{`status()`} },
		"mirrors[0].when: column 1: " + want: func(c *Config) {
			c.Mirrors = []Mirror{{Target: "canary", When: `status() < 400`}}
		},
		"plan.checks[0]: column 1: status() is of one answer, and checks ask for figures of many: let the condition of a goal ask for it, and write conversion(\"canary\", \"goal\") here": func(c *Config) {
			c.Variants[1].Weight = ""
			c.Plan = Plan{Steps: []Step{{Weight: "50%", For: "1m"}, {Weight: "100%"}}, Checks: []string{`status() < 400`}}
		},
		"sticky.client[0]: column 1: " + want: func(c *Config) { c.Sticky = Sticky{Mode: "memory", Client: []string{`status()`}} },
		"goals[0].when: column 13: 2010 is no status": func(c *Config) {
			c.Goals[0].When = `status() == 2010`
		},
	} {
		config := withGoals()
		change(&config)
		if _, err := Compile(config, nil, Host{}); err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%v, want %s", err, place)
		}
	}
}
