package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// vectors is docs/assignment-vectors.json, which an implementation apart from the engine wrote.
type vectors struct {
	Splits []struct {
		Salt     string
		Variants []weighted
		Key      string
		Variant  string
	}
	Rules []struct {
		Salt, Rule, Percent, Key string
		In                       bool
	}
	Refused []struct {
		Variants []weighted
		Why      string
	}
}

type weighted struct{ Name, Weight string }

// isAddress says whether a bad weight could be a host's name where a Caddyfile has both in one place.
func isAddress(s weighted) bool {
	return s.Weight != "" && !strings.ContainsAny(s.Weight, "%,") && !plainNumber.MatchString(s.Weight)
}

var plainNumber = regexp.MustCompile(`^[0-9.]+$`)

// onVectors is one key of the vectors, to be sent to a rollout under a path of its own.
type onVectors struct{ path, key, want string }

var vectorScenario = scenario{
	name: "keys land where the published vectors say",
	site: site(split("50%")),
	run: func(t *testing.T, g *gateway.Gateway) {
		data, err := os.ReadFile("../docs/assignment-vectors.json")
		if err != nil {
			t.Fatal(err)
		}
		var v vectors
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		rollouts, keys := v.site()
		if len(keys) < 300 {
			t.Fatalf("only %d vectors", len(keys))
		}
		g.Reload(t, site(rollouts...))
		for _, k := range keys {
			name, err := visit(g.Client(), g.URL(first(asQuery(k.path)(k.key))), "")
			if err != nil || name != k.want {
				t.Errorf("%s with key %q is on %q (%v), want %s", k.path, k.key, name, err, k.want)
			}
		}
		t.Logf("%d vectors on %d rollouts", len(keys), len(rollouts))

		for _, refused := range v.Refused {
			if slices.ContainsFunc(refused.Variants, isAddress) {
				continue
			}
			r := gateway.Rollout{Name: "refused", Key: []string{`ip()`}}
			for i, variant := range refused.Variants {
				r.Variants = append(r.Variants, gateway.Variant{Name: position(i), Weight: variant.Weight})
			}
			if g.Load(site(r)) == nil {
				t.Errorf("weights %v were accepted: %s", refused.Variants, refused.Why)
			}
		}
	},
}

// site makes one rollout of each salt and weights, and of each salt and percentage of a rule. Variants
// are named by their position: names do not matter to a split.
func (v vectors) site() (rollouts []gateway.Rollout, keys []onVectors) {
	known := make(map[string]int)
	place := func(id string, r gateway.Rollout) string {
		i, ok := known[id]
		if !ok {
			i = len(rollouts)
			known[id] = i
			r.Name = fmt.Sprintf("r%d", i)
			r.Path = fmt.Sprintf("/%d/*", i)
			r.Key = []string{`query("u")`}
			rollouts = append(rollouts, r)
		}
		return fmt.Sprintf("/%d/", i)
	}
	for _, s := range v.Splits {
		r := gateway.Rollout{Salt: s.Salt}
		want := ""
		for i, variant := range s.Variants {
			r.Variants = append(r.Variants, gateway.Variant{Name: position(i), Weight: variant.Weight})
			if variant.Name == s.Variant {
				want = position(i)
			}
		}
		keys = append(keys, onVectors{place(fmt.Sprint(s.Salt, s.Variants), r), s.Key, want})
	}
	for _, s := range v.Rules {
		if !configurable.MatchString(s.Rule) {
			// No host takes the name, but a rule's line is the line of a split with this salt.
			r := gateway.Rollout{
				Salt:     s.Salt + "/" + s.Rule,
				Variants: []gateway.Variant{{Name: position(0)}, {Name: position(1), Weight: s.Percent}},
			}
			keys = append(keys, onVectors{place(fmt.Sprint("line", s.Salt, s.Rule, s.Percent), r), s.Key, position(in(s.In))})
			continue
		}
		r := gateway.Rollout{
			Salt:     s.Salt,
			Variants: []gateway.Variant{{Name: position(0)}, {Name: position(1)}},
			Rules:    []gateway.Rule{{Name: s.Rule, Use: position(1), Percent: s.Percent, When: `true`}},
		}
		keys = append(keys, onVectors{place(fmt.Sprint("rule", s.Salt, s.Rule, s.Percent), r), s.Key, position(in(s.In))})
	}
	return rollouts, keys
}

// configurable is what names of rules may look like.
var configurable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// in is the position of the variant that a rule's percentage gives.
func in(taken bool) int {
	if taken {
		return 1
	}
	return 0
}

func position(i int) string { return fmt.Sprintf("v%d", i) }

func first(path, _ string) string { return path }
