package balance

import (
	"math/rand"
	"testing"
)

// parsed returns upstreams from their texts.
func parsed(t testing.TB, texts ...string) []Upstream {
	t.Helper()
	list := make([]Upstream, 0, len(texts))
	for _, text := range texts {
		u, err := ParseUpstream(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	return list
}

func all(upstreams []Upstream) []int {
	members := make([]int, len(upstreams))
	for i := range upstreams {
		members[i] = i
	}
	return members
}

// TestNarrowing holds subsets of random pools to those that one finds by looking at every upstream.
func TestNarrowing(t *testing.T) {
	const seed = 5
	random := rand.New(rand.NewSource(seed))
	keys := []string{"version", "zone", "tier"}
	values := []string{"", "", "a", "b", "c"} // a key is often absent
	for round := 0; round < 40; round++ {
		upstreams := make([]Upstream, random.Intn(10))
		var members []int
		for i := range upstreams {
			upstreams[i].Weight = random.Intn(3)
			upstreams[i].Metadata = map[string]string{}
			for _, key := range keys {
				if value := values[random.Intn(len(values))]; value != "" {
					upstreams[i].Metadata[key] = value
				}
			}
			if random.Intn(4) > 0 {
				members = append(members, i)
			}
		}
		whole := NewPool(upstreams, members, keys, nil).Whole()
		for ask := 0; ask < 20; ask++ {
			wanted := []string{values[random.Intn(5)], values[random.Intn(5)], values[random.Intn(5)]}
			got, want := whole, members
			for k, value := range wanted {
				if value == "" {
					continue
				}
				var narrower []int
				weight := 0
				for _, i := range want {
					if upstreams[i].Metadata[keys[k]] == value {
						narrower = append(narrower, i)
						weight += upstreams[i].Weight
					}
				}
				subset := Narrow(got, k, value)
				if (subset == nil) != (weight == 0) {
					t.Fatalf("seed %d, %v of %v: %v by %s=%s is %v, of weight %d", seed, members, upstreams, wanted, keys[k], value, subset, weight)
				}
				if subset == nil {
					break
				}
				got = subset
				want = narrower
			}
			if len(got.members) != len(want) {
				t.Fatalf("seed %d, %v of %v: %v are %v, want %v", seed, members, upstreams, wanted, got.members, want)
			}
			for n, i := range want {
				if got.members[n] != i || got.weights[n] != upstreams[i].Weight {
					t.Fatalf("seed %d, %v of %v: %v are %v, want %v", seed, members, upstreams, wanted, got.members, want)
				}
			}
		}
	}
}

// TestSubsetsTakeTurns: each subset has a schedule of its own.
func TestSubsetsTakeTurns(t *testing.T) {
	upstreams := parsed(t, "a weight=2 version=v1 zone=eu", "b version=v2", "c version=v2 weight=3 zone=eu", "d", "e version=v1 weight=0")
	whole := NewPool(upstreams, all(upstreams), []string{"version", "zone"}, nil).Whole()
	v2 := Narrow(whole, 0, "v2")
	for _, test := range []struct {
		name string
		set  *Set
		want string
	}{
		{"all", whole, "cabcadc"},
		{"v2", v2, "cbcc"},
		{"eu", Narrow(whole, 1, "eu"), "cacac"},
		{"v2 in eu", Narrow(v2, 1, "eu"), "cccc"},
		{"v1", Narrow(whole, 0, "v1"), "aa"},
	} {
		if got := letters(picks(t, fromStart(test.set), len(test.want))); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	for _, value := range []string{"", "v3", "V2", "v2 ", "weight"} {
		if Narrow(whole, 0, value) != nil {
			t.Errorf("somebody has version=%q", value)
		}
	}
	if Narrow(Narrow(whole, 0, "v2"), 1, "us") != nil || Narrow(whole, 1, "us") != nil {
		t.Error("somebody is in us")
	}
}

// TestPoolsThatStay: a pool made anew from the same upstreams is the one that was there, so the turn passes on; any
// other is new.
func TestPoolsThatStay(t *testing.T) {
	keys := []string{"version"}
	texts := []string{"a weight=2 version=v1", "b version=v2", "c"}
	upstreams := parsed(t, texts...)
	first := NewPool(upstreams, all(upstreams), keys, nil)
	again := parsed(t, texts...)
	if NewPool(again, all(again), []string{"version"}, first) != first {
		t.Error("the same upstreams are another pool")
	}
	for _, texts := range [][]string{
		{"a weight=3 version=v1", "b version=v2", "c"},
		{"a weight=2 version=v2", "b version=v2", "c"},
		{"a weight=2 version=v1", "b version=v2", "d"},
		{"a weight=2 version=v1", "c", "b version=v2"},
		{"a weight=2 version=v1", "b version=v2"},
		{"a weight=2 version=v1", "b version=v2", "c", "d"},
	} {
		other := parsed(t, texts...)
		if NewPool(other, all(other), keys, first) == first {
			t.Errorf("%v are the same pool", texts)
		}
	}
	if NewPool(upstreams, []int{0, 2}, keys, first) == first || NewPool(upstreams, all(upstreams), []string{"zone"}, first) == first {
		t.Error("other members, or keys, are the same pool")
	}
}

// TestTooManyMembers: an enormous pool, which no configuration can have, but DNS might, is cut off.
func TestTooManyMembers(t *testing.T) {
	upstreams := make([]Upstream, 1)
	upstreams[0].Weight = 1
	members := make([]int, MaxUpstreams+5)
	if got := len(NewPool(upstreams, members, nil, nil).Whole().members); got != MaxUpstreams {
		t.Errorf("%d members", got)
	}
}
