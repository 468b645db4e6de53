package core

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// BalancerConfig is a balancer that stands alone, without a rollout: its upstreams are one variant, which has a baseline
// if some of them are one. See the fields of the same names in [Config].
type BalancerConfig struct {
	Upstreams []any
	Subsets   []Subset

	// Baseline selects the upstreams that serve where a subset says "baseline", as [Variant.Where] does. Empty: all.
	Baseline map[string]any
}

// CompileBalancer reads and checks a balancer that stands alone. Requests are for its last variant: see [Balancer.Last].
func CompileBalancer(config BalancerConfig, host Host) (*Balancer, []Problem) {
	c := &checker{host: host}
	b := &Balancer{upstreams: c.upstreams("upstreams", config.Upstreams, -1)}
	if len(config.Baseline) > 0 {
		b.variants = append(b.variants, members{name: "baseline", pooled: true, where: c.where("baseline", config.Baseline, b.upstreams)})
	}
	b.variants = append(b.variants, members{name: "all", pooled: true})
	c.subsets(config.Subsets, b)
	return b, c.problems
}

// Last returns the index of the last variant.
func (b *Balancer) Last() int { return len(b.variants) - 1 }

// balancer reads the upstreams, who has which, and the subsets; nil if no variant has a pool.
func (c *checker) balancer(config Config) *Balancer {
	b := &Balancer{upstreams: c.upstreams("upstreams", config.Upstreams, -1)}
	pooled, shared := false, false
	for at, i := range inOrder(len(config.Variants), func(i int) int { return config.Variants[i].Order }) {
		v := config.Variants[i]
		path := fmt.Sprintf("variants[%d]", i)
		own := c.upstreams(path+".upstreams", v.Upstreams, at)
		b.upstreams = append(b.upstreams, own...)
		m := members{name: v.Name, own: len(own) > 0}
		switch {
		case c.host.Handles[v.Name]:
			if len(v.Where) > 0 || len(v.Upstreams) > 0 {
				c.fail(path, "the variant has a block that serves it, and upstreams: one of them is enough")
			}
		case len(v.Where) > 0 && len(v.Upstreams) > 0:
			c.fail(path+".where", "where chooses among the rollout's upstreams, and the variant has its own: one of them is enough")
		case len(v.Where) > 0 && len(config.Upstreams) == 0:
			c.fail(path+".where", "where chooses among the rollout's upstreams, and there are none: list them under upstreams")
		case len(v.Where) > 0:
			m.where = c.where(path+".where", v.Where, b.upstreams)
			m.pooled = true
		default:
			m.pooled = len(v.Upstreams) > 0 || len(config.Upstreams) > 0
		}
		pooled = pooled || m.pooled
		shared = shared || m.pooled && !m.own
		b.variants = append(b.variants, m)
	}
	if len(config.Upstreams) > 0 && !shared && len(config.Variants) > 0 {
		c.fail("upstreams", "no variant uses the shared pool: each is served in another way")
	}
	if len(config.Subsets) > 0 && !pooled {
		c.fail("subsets", "subsets narrow pools of upstreams, and no variant has one")
	}
	c.subsets(config.Subsets, b)
	if !pooled {
		return nil
	}
	return b
}

// upstreams reads a list of upstreams.
func (c *checker) upstreams(path string, items []any, variant int) []Upstream {
	if len(items) > balance.MaxUpstreams {
		c.fail(path, "%d upstreams are too many: %d at most", len(items), balance.MaxUpstreams)
		return nil
	}
	list := make([]Upstream, 0, len(items))
	first := map[string]int{}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		u := c.upstream(at, item)
		if u.Name == "" {
			continue
		}
		if n, isThere := first[u.Name]; isThere {
			c.fail(at, "%s stands at %s[%d] already: give it a larger weight there", u.Name, path, n)
			continue
		}
		first[u.Name] = i
		if c.host.Address != nil {
			if err := c.host.Address(u.Name); err != nil {
				c.fail(at, "%v", err)
			}
		}
		list = append(list, Upstream{Upstream: u, Variant: variant, Path: at})
	}
	return list
}

// upstream reads one, a text or a table. What is wrong with it is reported, and its name may be empty then.
func (c *checker) upstream(path string, item any) balance.Upstream {
	if text, isText := item.(string); isText {
		u, err := balance.ParseUpstream(text)
		if err != nil {
			c.fail(path, "%v", err)
		}
		return u
	}
	table, isTable := item.(map[string]any)
	if !isTable {
		c.fail(path, "%v is not an upstream: write a text such as %q, or a table with address, weight and metadata", item, "10.0.0.1:8080 weight=9 version=v1")
		return balance.Upstream{}
	}
	u := balance.Upstream{Weight: 1}
	rest := map[string]any{}
	for key, value := range table {
		switch strings.ToLower(key) { // as Traefik's decoder reads keys
		case "address":
			u.Name, _ = value.(string)
		case "weight":
			u.Weight = c.weight(path+".weight", value)
		case "metadata":
			pairs, isTable := value.(map[string]any)
			if !isTable {
				c.fail(path+".metadata", "%v is not a table such as {version: v1}", value)
			}
			u.Metadata = c.pairs(path+".metadata", pairs)
		default:
			rest[key] = value
		}
	}
	c.rest(path+".", rest, []string{"address", "weight", "metadata"})
	if len(strings.Fields(u.Name)) != 1 {
		c.fail(path+".address", "%q is not an address: in a table, weight and metadata have keys of their own", u.Name)
	}
	return u
}

// weight reads a weight, which decoders deliver as a number of any kind or as a text.
func (c *checker) weight(path string, value any) int {
	number, isNumber := value.(float64)
	if !isNumber {
		n, err := strconv.Atoi(fmt.Sprint(value))
		number = float64(n)
		if err != nil {
			number = -1
		}
	}
	if number != math.Trunc(number) || number < 0 || number > balance.MaxWeight {
		c.fail(path, "%q is not the weight of an upstream: a whole number from 0, which drains it, to %d", fmt.Sprint(value), balance.MaxWeight)
		return 0
	}
	return int(number)
}

// pairs reads metadata.
func (c *checker) pairs(path string, table map[string]any) map[string]string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	pairs := map[string]string{}
	for _, key := range keys {
		text, isText := table[key].(string)
		_, isTable := table[key].(map[string]any)
		switch {
		case isTable:
			c.fail(path+"."+key, "the key has a dot, which begins a new level in a label: write upstreams as texts, such as %q, or a key without dots", "10.0.0.1:8080 my.key=v1")
		case !isText:
			c.fail(path+"."+key, "%v is not a text: put it in quotes", table[key])
		default:
			if err := balance.CheckPair(key, text); err != nil {
				c.fail(path+"."+key, "%v", err)
			}
		}
		pairs[key] = text
	}
	return pairs
}

// where reads a selector and makes sure that it selects something.
func (c *checker) where(path string, table map[string]any, upstreams []Upstream) map[string]string {
	before := len(c.problems)
	where := c.pairs(path, table)
	if len(c.problems) > before {
		return where
	}
	for _, u := range upstreams {
		fits := u.Variant == -1
		for key, value := range where {
			fits = fits && u.Metadata[key] == value
		}
		if fits {
			return where
		}
	}
	c.fail(path, "no upstream has these metadata")
	return where
}

func (c *checker) subsets(subsets []Subset, b *Balancer) {
	if len(subsets) > balance.MaxKeys {
		c.fail("subsets", "%d subsets are too many: %d at most", len(subsets), balance.MaxKeys)
		return
	}
	for _, i := range inOrder(len(subsets), func(i int) int { return subsets[i].Order }) {
		s := subsets[i]
		path := fmt.Sprintf("subsets[%d]", i)
		c.rest(path+".", s.Rest, []string{"key", "value", "otherwise", "order"})
		compiled := subset{key: s.Key, otherwise: OtherwiseBaseline}
		value, problems := expr.ParseKey([]string{s.Value}, c.exprHost())
		for _, problem := range problems[0] {
			c.fail(path+".value", "%v", problem)
		}
		compiled.value = value
		switch Otherwise(s.Otherwise) {
		case OtherwiseBaseline, OtherwiseAny, OtherwiseNone:
			compiled.otherwise = Otherwise(s.Otherwise)
		case "":
		default:
			c.fail(path+".otherwise", "unknown value %q%s: there are baseline, any and none", s.Otherwise, expr.Suggest(s.Otherwise, []string{"baseline", "any", "none"}))
		}
		b.subsets = append(b.subsets, compiled)
		b.keys = append(b.keys, s.Key)
	}
}
