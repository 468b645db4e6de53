package core

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// obvious is the twin of Pools: it knows nothing of sets, and looks at every upstream for every question.
type obvious struct {
	upstreams []Upstream
	otherwise []string // of the subsets by zone and tier
	down      []bool
	tried     []int
}

// answer is who may serve, the variant that does, and whether the chosen one failed.
type answer struct {
	serving []int
	variant int
	failed  bool
}

// choose returns the upstreams with weight that a variant has and that have the wanted values of some keys.
func (o *obvious) choose(variant int, wanted []string, keys []bool) []int {
	var list []int
	for i, u := range o.upstreams {
		in := u.Weight > 0 && u.Metadata["version"] == fmt.Sprint(variant)
		for k, name := range []string{"zone", "tier"} {
			in = in && (!keys[k] || u.Metadata[name] == wanted[k])
		}
		if in {
			list = append(list, i)
		}
	}
	return list
}

func (o *obvious) left(list []int) []int {
	var left []int
	for _, i := range list {
		in := !o.down[i]
		for _, t := range o.tried {
			in = in && t != i
		}
		if in {
			left = append(left, i)
		}
	}
	return left
}

// serve follows docs/balancing.md.
func (o *obvious) serve(variant int, wanted []string) answer {
	exist := 0
	for _, u := range o.upstreams {
		if u.Metadata["version"] == fmt.Sprint(variant) {
			exist++
		}
	}
	keys := []bool{false, false}
	if len(o.choose(variant, wanted, keys)) == 0 {
		return o.instead(variant, wanted, exist == 0)
	}
	for k := range wanted {
		if wanted[k] == "" {
			continue
		}
		keys[k] = true
		if len(o.choose(variant, wanted, keys)) > 0 {
			continue
		}
		keys[k] = false
		if o.otherwise[k] == "none" {
			return answer{variant: variant}
		}
		if o.otherwise[k] == "baseline" && variant != 0 {
			return o.instead(variant, wanted, false)
		}
	}
	last := len(keys) - 1 // of the keys that still narrow
	for {
		if left := o.left(o.choose(variant, wanted, keys)); len(left) > 0 {
			return answer{serving: left, variant: variant}
		}
		for last >= 0 && !keys[last] {
			last--
		}
		if last < 0 {
			return o.instead(variant, wanted, true)
		}
		if o.otherwise[last] == "none" {
			return answer{variant: variant, failed: true}
		}
		if o.otherwise[last] == "baseline" && variant != 0 {
			return o.instead(variant, wanted, true)
		}
		keys[last] = false
	}
}

func (o *obvious) instead(variant int, wanted []string, failed bool) answer {
	if variant == 0 {
		return answer{failed: failed}
	}
	a := o.serve(0, wanted)
	a.failed = failed
	return a
}

// TestPickIsTheObviousOne holds picks from random pools to the twin: each is one of those that may serve, and none of
// them is left out.
func TestPickIsTheObviousOne(t *testing.T) {
	const seed = 41
	random := rand.New(rand.NewSource(seed))
	policies := []string{"baseline", "any", "none"}
	values := []string{"", "a", "b"}
	for round := 0; round < 150; round++ {
		o := &obvious{otherwise: []string{policies[random.Intn(3)], policies[random.Intn(3)]}}
		for i := 0; i < 1+random.Intn(8); i++ {
			metadata := map[string]string{"version": fmt.Sprint(random.Intn(2))}
			for _, key := range []string{"zone", "tier"} {
				if value := values[random.Intn(3)]; value != "" {
					metadata[key] = value
				}
			}
			u := balance.Upstream{Name: fmt.Sprint(i), Weight: random.Intn(4), Metadata: metadata}
			o.upstreams = append(o.upstreams, Upstream{Upstream: u, Variant: -1})
			o.down = append(o.down, random.Intn(3) == 0)
			if random.Intn(8) == 0 {
				o.tried = append(o.tried, i)
			}
		}
		config := Config{
			Name:      "shop",
			Variants:  []Variant{{Name: "stable", Where: map[string]any{"version": "0"}}, {Name: "canary", Where: map[string]any{"version": "1"}}},
			Upstreams: []any{"a version=0 zone=a tier=a", "b version=1"}, // others are found
			Subsets: []Subset{
				{Key: "zone", Value: `header("X-Zone")`, Otherwise: o.otherwise[0]},
				{Key: "tier", Value: `header("X-Tier")`, Otherwise: o.otherwise[1]},
			},
		}
		p := compile(t, config, nil, Host{}).Balancer().Pools(o.upstreams, nil)
		variant := random.Intn(2)
		wanted := []string{values[random.Intn(3)], values[random.Intn(3)]}
		want := o.serve(variant, wanted)
		in := &expr.Input{Request: get("X-Zone: "+wanted[0], "X-Tier: "+wanted[1])}
		left := map[int]bool{}
		for _, i := range want.serving {
			left[i] = true
		}
		for n := 0; n < 100; n++ {
			got := p.Pick(variant, in, func(i int) bool { return !o.down[i] }, o.tried)
			allowed := got.Upstream == -1 && len(want.serving) == 0 && got.Problem != ""
			for _, i := range want.serving {
				allowed = allowed || got.Upstream == i && got.Problem == ""
			}
			if !allowed || got.Variant != want.variant || got.Failed != want.failed {
				t.Fatalf("seed %d, round %d: %v of variant %d from %v, %v down, %v tried, otherwise %v: got %v, want %v",
					seed, round, wanted, variant, o.upstreams, o.down, o.tried, o.otherwise, got, want)
			}
			delete(left, got.Upstream)
		}
		if len(left) > 0 {
			t.Fatalf("seed %d, round %d: %v of variant %d from %v, %v down, %v tried, otherwise %v: 100 picks left out some of %v",
				seed, round, wanted, variant, o.upstreams, o.down, o.tried, o.otherwise, want)
		}
	}
}
