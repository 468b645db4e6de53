package core

import (
	"context"
	"strings"
	"testing"
)

// TestExplainGoals: what is said to be reached is what Decide has the client reach, and what keeps him from it is named.
func TestExplainGoals(t *testing.T) {
	cookie := withGoals()
	cookie.Name = "cookie"
	cookie.Key = nil
	cookie.Sticky = Sticky{Mode: "cookie", Secret: []string{testSecret}}
	memory := withGoals()
	memory.Name = "memory"
	memory.Key = nil
	memory.Sticky = Sticky{Mode: "memory", Client: []string{`header("X-User")`}}
	alone := withGoals()
	alone.Name = "alone"
	alone.Variants[1].Weight = "0%"
	engines := map[string]*Engine{}
	for _, config := range []Config{withGoals(), cookie, memory, alone} {
		config := config
		engines[config.Name] = inForce(t, config, NewLive(), Host{})
	}
	first, _ := (&Question{URL: "http://shop.example/"}).request(context.Background())
	given, _, _ := strings.Cut(engines["cookie"].Decide(first, "", noon).Cookie, ";")
	for _, test := range []struct {
		rollout, path string
		headers       []string
		status, met   string
	}{
		{"shop", "/thanks", []string{"Cookie: uid=ada"}, GoalsCounted, "paid read"},
		{"shop", "/blog/1", []string{"Cookie: uid=ada"}, GoalsCounted, "read"},
		{"shop", "/", []string{"Cookie: uid=ada"}, GoalsCounted, ""},
		{"shop", "/thanks", []string{"Cookie: uid=ada", "X-Version: v2"}, GoalsChosen, "paid read"},
		{"shop", "/thanks", nil, GoalsChosen, "paid read"}, // the base: without a key nothing is divided
		{"alone", "/thanks", []string{"Cookie: uid=ada"}, GoalsAlone, "paid read"},
		{"memory", "/thanks", []string{"X-User: ada"}, GoalsCounted, "paid read"},
		{"cookie", "/thanks", nil, GoalsNoClient, "paid read"},
		{"cookie", "/thanks", []string{"Cookie: " + given}, GoalsCounted, "paid read"},
	} {
		what := test.rollout + test.path + " " + strings.Join(test.headers, ", ")
		e := engines[test.rollout]
		q := with(test.headers...)
		q.URL = "http://shop.example" + test.path
		x := explained(t, e, q)
		if x.Goals == nil || len(x.Goals.List) != 2 {
			t.Errorf("%s: %+v", what, x.Goals)
			continue
		}
		met := []string{}
		bits := uint16(0)
		for i, g := range x.Goals.List {
			if len(g.Condition) == 0 {
				t.Errorf("%s: goal %s has no parts", what, g.Name)
			}
			if g.Met {
				met = append(met, g.Name)
				bits |= 1 << uint(i)
			}
		}
		if got := strings.Join(met, " "); x.Goals.Status != test.status || got != test.met {
			t.Errorf("%s: %s, met %q, want %s and %q", what, x.Goals.Status, got, test.status, test.met)
		}
		if x.Goals.Status != GoalsCounted {
			bits = 0
		}
		r, err := q.request(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		d := e.Decide(r, "192.0.2.1", noon)
		reached := uint16(0)
		if d.reached != nil {
			reached = d.reached.goals
		}
		if reached != bits {
			t.Errorf("%s: explained as goals %b, decided %b", what, bits, reached)
		}
	}
	if x := explained(t, compile(t, checkout(), nil, Host{}), with()); x.Goals != nil {
		t.Errorf("without goals: %+v", x.Goals)
	}
	config := withGoals()
	config.Goals = []Goal{{Name: "half", When: `random() < 0.5`}}
	if x := explained(t, compile(t, config, nil, Host{}), with("Cookie: uid=ada")); x.Random {
		t.Error("a goal of chance makes the decision one of chance")
	}
}
