package core

import (
	"fmt"
	"sync"
	"testing"
)

func weightsOf(e *Engine) string {
	text := ""
	for i, w := range e.Weights() {
		text += e.variants[i] + " " + w.String() + "; "
	}
	return text
}

func TestSetWeight(t *testing.T) {
	live := NewLive()
	e := inForce(t, checkout(), live, Host{})
	if got := weightsOf(e); got != "stable 85%; canary 10%; blue 5%; " {
		t.Fatalf("declared: %s", got)
	}
	for _, test := range []struct{ variant, weight, want string }{
		{"canary", "5x", `weight: not a command: not a weight: "5x" (write a percentage such as 5, 5% or 0.25%, with at most six decimals)`},
		{"canary", "95.5%", `weight: not a command: 95.5% for "canary" would make 100.5% together, and 100% is all there is`},
		{"stable", "50%", `weight: not a command: "stable" is the baseline, which takes what the others leave: set their weights`},
		{"canry", "50%", `weight: not a command: unknown variant "canry" (did you mean "canary"?)`},
		{"purple", "50%", `weight: not a command: unknown variant "purple": there are stable, canary, blue`},
	} {
		if err := weigh(e, test.variant, test.weight); err == nil || err.Error() != test.want {
			t.Errorf("%s %s: %v, want %s", test.variant, test.weight, err, test.want)
		}
	}
	if got := decided(e, "Cookie: uid=bob"); got != "stable by split" { // slot 21776
		t.Fatalf("bob: %s", got)
	}
	if err := weigh(e, "canary", "40%"); err != nil {
		t.Fatal(err)
	}
	if err := weigh(e, "blue", "0"); err != nil {
		t.Fatal(err)
	}
	if got := decided(e, "Cookie: uid=bob") + "; " + weightsOf(e); got != "canary by split; stable 60%; canary 40%; blue 0%; " {
		t.Errorf("bob: %s", got)
	}
}

// TestWeightsThatWereSetBelongToADeclaration: they outlive a new engine of an equal configuration, and edits of what
// they do not depend on; another declaration does not see them, whether it stays or is drawn back.
func TestWeightsThatWereSetBelongToADeclaration(t *testing.T) {
	live := NewLive()
	first := inForce(t, checkout(), live, Host{})
	if err := weigh(first, "canary", "40%"); err != nil {
		t.Fatal(err)
	}
	const declared, set = "stable 85%; canary 10%; blue 5%; ", "stable 55%; canary 40%; blue 5%; "
	for name, test := range map[string]struct {
		change func(c *Config)
		want   string
	}{
		"nothing":     {func(c *Config) {}, set},
		"rules":       {func(c *Config) { c.Rules = nil }, set},
		"key":         {func(c *Config) { c.Key = []string{"ip()"} }, set},
		"same weight": {func(c *Config) { c.Variants[1].Weight = "10.0" }, set},
		"weights":     {func(c *Config) { c.Variants[1].Weight = "11%" }, "stable 84%; canary 11%; blue 5%; "},
		"salt":        {func(c *Config) { c.Salt = "other" }, declared},
		"revision":    {func(c *Config) { c.Revision = "v3" }, declared},
	} {
		config := checkout()
		test.change(&config)
		if got := weightsOf(compile(t, config, live, Host{})); got != test.want {
			t.Errorf("%s changed: %s, want %s", name, got, test.want)
		}
		if got := weightsOf(first); got != set {
			t.Errorf("%s changed elsewhere: the first engine has %s, want %s", name, got, set)
		}
	}
}

// TestWeightsThatAreSetAtTheSameTime: one does not undo another.
func TestWeightsThatAreSetAtTheSameTime(t *testing.T) {
	e := inForce(t, checkout(), &Live{}, Host{})
	for round := 1; round <= 40; round++ {
		var group sync.WaitGroup
		for _, variant := range []string{"canary", "blue"} {
			variant, round := variant, round
			group.Add(1)
			go func() {
				defer group.Done()
				for i := 1; i <= round; i++ {
					if err := weigh(e, variant, fmt.Sprint(i)); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		group.Wait()
		if got, want := weightsOf(e), fmt.Sprintf("stable %d%%; canary %d%%; blue %d%%; ", 100-2*round, round, round); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestCountersOutliveAnEngine(t *testing.T) {
	live := NewLive()
	for i := 0; i < 3; i++ {
		e := compile(t, checkout(), live, Host{})
		e.Report(e.Decide(get("X-Version: v2"), "", noon), Outcome{Status: 200})
	}
	if got := live.Counts()["canary"].Success; got != 3 {
		t.Errorf("%d requests counted, want 3", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	live := NewLive()
	e := inForce(t, checkout(), live, Host{})
	var group sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		worker := worker
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 50; i++ {
				r := get(fmt.Sprintf("Cookie: uid=%d-%d", worker, i), "X-Region: eu")
				d := e.Decide(r, "192.0.2.1", noon)
				e.Announce(d, r)
				e.Report(d, Outcome{Status: 200})
				if err := weigh(e, "canary", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
				live.Counts()
				live.Reasons()
			}
		}()
	}
	group.Wait()
	var sum int64
	for _, c := range live.Counts() {
		sum += c.Success
	}
	if sum != 200 {
		t.Errorf("%d requests counted, want 200", sum)
	}
}
