//go:build !race

package core

import (
	"fmt"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/balance"
)

const clients = 100_000

// clientRequests are requests of 100,000 clients who tell who they are in a cookie.
func clientRequests() []*http.Request {
	requests := make([]*http.Request, clients)
	for i := range requests {
		requests[i] = get("Cookie: lang=nb; uid=client-" + strconv.Itoa(i))
	}
	return requests
}

// owners returns the index of the variant that every request gets by the split.
func owners(t *testing.T, e *Engine, requests []*http.Request) []int {
	t.Helper()
	list := make([]int, len(requests))
	for i, r := range requests {
		d := e.Decide(r, "", noon)
		if d.Reason != BySplit || d.Variant != e.Variants()[d.Index] {
			t.Fatalf("client %d: %+v", i, d)
		}
		list[i] = d.Index
	}
	return list
}

func variants(weights ...string) []Variant {
	list := make([]Variant, len(weights))
	for i, weight := range weights {
		list[i] = Variant{Name: "v" + strconv.Itoa(i), Weight: weight}
	}
	return list
}

// TestClientsFollowTheWeights: with two to five variants every client is where the line of slots puts it, and the shares
// of 100,000 clients are within five standard deviations of the weights.
func TestClientsFollowTheWeights(t *testing.T) {
	requests := clientRequests()
	for _, weights := range [][]string{
		{"", "5%"}, {"50%", "50%"}, {"", "0"}, {"", "100%"}, {"", "10%", "20%"}, {"", "0.25%", "0.5%", "99%"}, {"", "1", "2", "3", "4"},
	} {
		config := Config{Name: "shares", Variants: variants(weights...), Key: []string{`cookie("uid")`}}
		e := compile(t, config, nil, Host{})
		salt := balance.NewSalt("shares")
		counts := make([]int, len(weights))
		for i, owner := range owners(t, e, requests) {
			counts[owner]++
			slot := balance.Slot(salt, "client-"+strconv.Itoa(i))
			if want := balance.Owner(current(e).line, slot); owner != want {
				t.Fatalf("%v: client %d with slot %d is with %d, want %d", weights, i, slot, owner, want)
			}
		}
		for i, weight := range e.Weights() {
			share := float64(weight) / float64(balance.Full)
			if diff := float64(counts[i]) - clients*share; diff*diff > 25*clients*share*(1-share) {
				t.Errorf("%v: %d of %d clients are with variant %d", weights, counts[i], clients, i)
			}
		}
	}
}

// TestStepsMoveTheDifference: a candidate that grows takes clients from the baseline only and gives none back, beside
// any number of other variants, whether its weight is set or declared.
func TestStepsMoveTheDifference(t *testing.T) {
	requests := clientRequests()
	for _, others := range [][]string{nil, {"10%"}, {"0.3%", "20%", "5%"}} {
		configure := func(step string) Config {
			return Config{Name: "steps", Variants: variants(append([]string{"", step}, others...)...), Key: []string{`cookie("uid")`}}
		}
		live := inForce(t, configure("0"), nil, Host{})
		before := owners(t, live, requests)
		for _, step := range []string{"0.002", "1", "10", "12.345678", "50", "70"} {
			if err := weigh(live, "v1", step); err != nil {
				t.Fatal(err)
			}
			after := owners(t, live, requests)
			declared := owners(t, compile(t, configure(step), nil, Host{}), requests)
			for i := range after {
				if after[i] != declared[i] {
					t.Fatalf("beside %v, client %d: %d if %s%% are set, %d if they are declared", others, i, after[i], step, declared[i])
				}
				if after[i] != before[i] && (before[i] != 0 || after[i] != 1) {
					t.Fatalf("beside %v, client %d moves from %d to %d in the step to %s%%", others, i, before[i], after[i], step)
				}
			}
			before = after
		}
	}
}

// TestRulesTakeTheirShares: the clients of a rule's percentage are those of its own line, whatever the split does with
// them, and a larger percentage keeps all that a smaller one has.
func TestRulesTakeTheirShares(t *testing.T) {
	requests := clientRequests()
	taken := make([]bool, clients)
	for _, percent := range []string{"0.01", "5", "20", "100"} {
		e := compile(t, Config{
			Name: "rules", Variants: variants("", "30%"), Key: []string{`cookie("uid")`},
			Rules: []Rule{{Name: "some", Use: "v1", Percent: percent, When: "true"}},
		}, nil, Host{})
		share, err := balance.ParseWeight(percent)
		if err != nil {
			t.Fatal(err)
		}
		salt := balance.NewSalt("rules/some")
		for i, r := range requests {
			byRule := e.Decide(r, "", noon).Reason == ByRule
			if want := balance.Slot(salt, "client-"+strconv.Itoa(i)) < share.Slots(); byRule != want {
				t.Fatalf("%s%%: client %d is taken: %v, want %v", percent, i, byRule, want)
			}
			if taken[i] && !byRule {
				t.Fatalf("%s%%: client %d is not taken any more", percent, i)
			}
			taken[i] = byRule
		}
	}
}

// TestDecisionsAgreeWithTheirSlowTwin: rules, percentages, keys and split together decide as one would on paper.
func TestDecisionsAgreeWithTheirSlowTwin(t *testing.T) {
	const seed = 23
	random := rand.New(rand.NewSource(seed))
	for n := 0; n < 300; n++ {
		config := randomConfig(random)
		e := compile(t, config, nil, Host{})
		for i := 0; i < 40; i++ {
			var headers []string
			for _, name := range []string{"X-A", "X-B", "X-User"} {
				if random.Intn(3) > 0 {
					headers = append(headers, name+": "+string("uvwUVW"[random.Intn(6)]))
				}
			}
			if random.Intn(3) > 0 {
				headers = append(headers, "Cookie: uidx=1; uid="+strconv.Itoa(random.Intn(1000)))
			}
			r := get(headers...)
			if got, want := e.Decide(r, "", noon), onPaper(e, config, r); got.Variant != want.Variant || got.Reason != want.Reason || got.Rule != want.Rule {
				t.Fatalf("seed %d, configuration %d, %q: %+v, want %+v of\n%+v", seed, n, headers, got, want, config)
			}
		}
	}
}

// randomConfig returns a rollout with rules that compare two headers with few texts.
func randomConfig(random *rand.Rand) Config {
	config := Config{Name: fmt.Sprintf("r%d", random.Intn(10)), Variants: variants("", "20%", "30%")}
	config.Key = [][]string{{`cookie("uid")`}, {`header("X-User")`, `cookie("uid")`}, {`header("X-User").lower()`}}[random.Intn(3)]
	for i := random.Intn(6); i > 0; i-- {
		config.Rules = append(config.Rules, Rule{
			Name: fmt.Sprintf("rule%d", i), Use: "v" + strconv.Itoa(random.Intn(3)),
			Percent: []string{"", "", "40%"}[random.Intn(3)],
			When:    `header("X-` + string("AB"[random.Intn(2)]) + `") == "` + string("uvw"[random.Intn(3)]) + `"`,
		})
	}
	return config
}

// onPaper decides by reading the configuration.
func onPaper(e *Engine, config Config, r *http.Request) Decision {
	key := ""
	for _, source := range config.Key {
		if key != "" {
			break
		}
		key = r.Header.Get("X-User")
		if strings.HasSuffix(source, ".lower()") {
			key = strings.ToLower(key)
		}
		if source == `cookie("uid")` {
			key = ""
			if cookie, err := r.Cookie("uid"); err == nil {
				key = cookie.Value
			}
		}
	}
	for i, rule := range config.Rules {
		name, value := rule.When[len(`header("`):len(`header("X-A`)], rule.When[len(rule.When)-2:len(rule.When)-1]
		if r.Header.Get(name) != value {
			continue
		}
		if rule.Percent != "" {
			share, err := balance.ParseWeight(rule.Percent)
			if err != nil {
				panic(err)
			}
			if key == "" || balance.Slot(balance.NewSalt(config.Name+"/"+rule.Name), key) >= share.Slots() {
				continue
			}
		}
		return Decision{Variant: config.Rules[i].Use, Reason: ByRule, Rule: rule.Name}
	}
	if key == "" {
		return Decision{Variant: "v0", Reason: ByBase}
	}
	owner := balance.Owner(current(e).line, balance.Slot(balance.NewSalt(config.Name), key))
	return Decision{Variant: config.Variants[owner].Name, Reason: BySplit}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	config := checkout()
	config.Key = []string{`cookie("uid")`, `header("X-User").lower()`, `ip()`}
	config.Rules = append(config.Rules,
		Rule{Name: "phones", Use: "blue", Percent: "1%", When: `header("User-Agent").contains("iPhone") && cookie("group") == "test"`},
		Rule{Name: "office", Use: "blue", When: `ip().in("10.0.0.0/8", "2001:db8::/32") || ip() == "192.0.2.200"`},
		Rule{Name: "build", Use: "blue", When: `header("X-Build") >= 1200 || query("v") == "2" || header("X-Tags").has("beta")`},
		Rule{Name: "paths", Use: "blue", When: `path().hasPrefix("/api/") && method() != "GET" || header("X-Region").matches("^(no|se)$")`},
		Rule{Name: "many", Use: "blue", When: `header("X-Tenant").in("a", "b", "c")`},
	)
	over := config
	over.Ends = "2026-01-01T00:00:00Z"
	e, ended := compile(t, config, nil, Host{}), compile(t, over, nil, Host{})
	for _, headers := range [][]string{
		{"Cookie: uid=3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11"},
		{"Cookie: theme=\"dark\"; uid=1", "X-Version: v3", "X-Region: eu", "X-Build: 12a", "X-Tags: alpha, gamma", "User-Agent: iPhone"},
		{"X-User: ada"},
		{"X-Version: v2"},
		nil,
	} {
		r := get(headers...)
		d := e.Decide(r, "192.0.2.1", noon)
		if n := testing.AllocsPerRun(100, func() { e.Decide(r, "192.0.2.1", noon) }); n != 0 {
			t.Errorf("deciding %q by %s allocates %v times", headers, d.Reason, n)
		}
		if n := testing.AllocsPerRun(100, func() { ended.Decide(r, "192.0.2.1", noon) }); n != 0 {
			t.Errorf("deciding %q after the end allocates %v times", headers, n)
		}
	}
}

func TestReportDoesNotAllocate(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	d := e.Decide(get("X-Version: v2"), "", noon)
	if n := testing.AllocsPerRun(100, func() { e.Report(d, Outcome{Status: 200}) }); n != 0 {
		t.Errorf("reporting allocates %v times", n)
	}
}

// TestAnnounceAllocatesOnce: the field that the upstream gets.
func TestAnnounceAllocatesOnce(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	r := get("X-Version: v2")
	d := e.Decide(r, "", noon)
	if n := testing.AllocsPerRun(100, func() { e.Announce(d, r) }); n > 1 {
		t.Errorf("announcing allocates %v times, want 1", n)
	}
}
