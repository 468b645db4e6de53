package core

import (
	"fmt"
	"strings"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// BalancerConfig is a balancer that stands alone, without a rollout, over upstreams that its gateway knows.
type BalancerConfig struct {
	// Upstreams gives upstreams weights and metadata, as [Config.Upstreams] does. Those that are not here have weight 1
	// and no metadata.
	Upstreams []any

	// Subsets are as in [Config.Subsets].
	Subsets []Subset

	// Baseline selects the upstreams that serve where a subset says "baseline", as [Variant.Where] does. Empty: all.
	Baseline map[string]any
}

// CompileBalancer reads and checks a balancer that stands alone. All requests are for the variant [Balancer.Last].
func CompileBalancer(config BalancerConfig, host Host) (*Balancer, []Problem) {
	c := &checker{host: host}
	b := newBalancer(c.upstreams("upstreams", config.Upstreams, -1))
	if len(config.Baseline) > 0 {
		b.variants = append(b.variants, members{name: "baseline", pooled: true, where: c.where("baseline", config.Baseline, b.upstreams)})
	}
	b.variants = append(b.variants, members{name: "all", pooled: true})
	c.subsets(config.Subsets, b)
	c.misspeltWeights(b)
	return b, c.problems
}

// balancer reads the upstreams, which variant has which, and the subsets; nil if no variant has a pool.
func (c *checker) balancer(config Config) *Balancer {
	shared := c.upstreams("upstreams", config.Upstreams, -1)
	b := newBalancer(shared)
	pools, sharing := 0, 0
	for at, i := range inOrder(len(config.Variants), func(i int) int { return config.Variants[i].Order }) {
		v := config.Variants[i]
		path := fmt.Sprintf("variants[%d]", i)
		b.upstreams = append(b.upstreams, c.upstreams(path+".upstreams", v.Upstreams, at)...)
		m := members{name: v.Name, own: len(v.Upstreams) > 0}
		m.pooled = !c.host.Handles[v.Name] && (m.own || len(config.Upstreams) > 0)
		if m.own && c.host.Handles[v.Name] {
			c.fail(path+".upstreams", "the variant is served by a block, and has upstreams: one of them is enough")
		}
		switch {
		case len(v.Where) == 0:
		case c.host.Handles[v.Name]:
			c.fail(path+".where", "where chooses upstreams of the shared pool, and the variant is served by a block: one of them is enough")
		case m.own:
			c.fail(path+".where", "where chooses upstreams of the shared pool, and the variant has its own: one of them is enough")
		case len(config.Upstreams) == 0:
			c.fail(path+".where", "where chooses upstreams of the shared pool, and there is none: list them under upstreams")
		default:
			m.where = c.where(path+".where", v.Where, shared)
		}
		if m.pooled {
			pools++
		}
		if m.pooled && !m.own {
			sharing++
		}
		b.variants = append(b.variants, m)
	}
	if len(config.Upstreams) > 0 && sharing == 0 && len(config.Variants) > 0 {
		c.fail("upstreams", "no variant uses the shared pool: each is served in a way of its own")
	}
	if len(config.Subsets) > 0 && pools == 0 {
		c.fail("subsets", "a subset narrows a pool of upstreams, and no variant has one")
	}
	c.subsets(config.Subsets, b)
	c.misspeltWeights(b)
	if pools == 0 {
		return nil
	}
	return b
}

func newBalancer(shared []Upstream) *Balancer {
	b := &Balancer{upstreams: shared, shared: make(map[string]Upstream, len(shared))}
	for _, u := range shared {
		b.shared[u.Name] = u
	}
	return b
}

// where reads pairs that select upstreams of the shared pool, and makes sure that they select some.
func (c *checker) where(path string, table map[string]any, shared []Upstream) map[string]string {
	before := len(c.problems)
	where := c.pairs(path, table)
	for _, key := range sortedKeys(table) {
		if len(c.problems) == before && c.hasKey(path+"."+key, key, shared) {
			c.hasValue(path+"."+key, key, where[key], shared)
		}
	}
	if len(c.problems) > before || c.incomplete {
		return where
	}
	for _, u := range shared {
		if has(u.Metadata, where) {
			return where
		}
	}
	c.fail(path, "no upstream has all of these together")
	return where
}

// hasKey makes sure that some upstream has a key.
func (c *checker) hasKey(path, key string, upstreams []Upstream) bool {
	keys := map[string]string{}
	for _, u := range upstreams {
		for k := range u.Metadata {
			keys[k] = k
		}
	}
	if keys[key] == "" && !c.incomplete {
		c.fail(path, "no upstream has %s among its metadata%s", key, alternatives(key, keys))
	}
	return keys[key] != ""
}

// hasValue makes sure that some upstream has a value for a key.
func (c *checker) hasValue(path, key, value string, upstreams []Upstream) {
	values := map[string]string{}
	for _, u := range upstreams {
		if v := u.Metadata[key]; v != "" {
			values[v] = v
		}
	}
	if values[value] == "" && !c.incomplete {
		c.fail(path, "no upstream has %s=%s%s", key, value, alternatives(value, values))
	}
}

// alternatives ends a message about a word that nothing has with those that there are.
func alternatives(word string, known map[string]string) string {
	words := keysOf(known)
	if hint := expr.Suggest(word, words); hint != "" || len(words) == 0 {
		return hint
	}
	if len(words) > 10 {
		words = append(words[:10:10], "...")
	}
	return "; there are " + strings.Join(words, ", ")
}

func (c *checker) subsets(subsets []Subset, b *Balancer) {
	if len(subsets) > balance.MaxKeys {
		c.fail("subsets", "%d subsets are too many: %d at most", len(subsets), balance.MaxKeys)
		return
	}
	seen := map[string]bool{}
	for _, i := range inOrder(len(subsets), func(i int) int { return subsets[i].Order }) {
		s := subsets[i]
		path := fmt.Sprintf("subsets[%d]", i)
		c.rest(path+".", s.Rest, []string{"key", "value", "otherwise", "order"})
		switch {
		case s.Key == "":
			c.fail(path+".key", "which key of the upstreams' metadata must equal the value? Name one such as version")
		case seen[s.Key]:
			c.fail(path+".key", "there are two subsets by %s: one is enough", s.Key)
		case len(b.upstreams) > 0:
			c.hasKey(path+".key", s.Key, b.upstreams)
		}
		seen[s.Key] = true
		b.keys = append(b.keys, s.Key)
		b.values = append(b.values, c.subsetValue(path+".value", s.Value))
		b.otherwise = append(b.otherwise, c.otherwise(path+".otherwise", s.Otherwise))
	}
}

func (c *checker) subsetValue(path, source string) *expr.Key {
	value, problems := expr.ParseKey([]string{source}, c.exprHost())
	for i := range problems {
		for _, problem := range problems[i] {
			c.fail(path, "%v", problem)
		}
	}
	if value != nil && value.Random() {
		c.fail(path, "random() is nothing that an upstream could have: name a value such as %s", `header("X-Version")`)
	}
	return value
}

func (c *checker) otherwise(path, text string) Otherwise {
	switch o := Otherwise(text); o {
	case OtherwiseBaseline, OtherwiseAny, OtherwiseNone:
		return o
	case "":
		return OtherwiseBaseline
	}
	c.fail(path, "%q is none of baseline, any and none%s", text, expr.Suggest(text, []string{"baseline", "any", "none"}))
	return OtherwiseBaseline
}

// misspeltWeights reports metadata that were meant as a weight: they look like it, and nothing asks for them.
func (c *checker) misspeltWeights(b *Balancer) {
	used := map[string]bool{}
	for _, key := range b.keys {
		used[key] = true
	}
	for _, m := range b.variants {
		for key := range m.where {
			used[key] = true
		}
	}
	for _, u := range b.upstreams {
		for _, key := range keysOf(u.Metadata) {
			if hint := expr.Suggest(key, []string{"weight"}); hint != "" && !used[key] {
				c.fail(u.Path, "%s=%s selects nothing%s", key, u.Metadata[key], hint)
			}
			used[key] = true // once is enough
		}
	}
}
