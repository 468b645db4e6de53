package core

import (
	"fmt"
	"net/http"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Balancer says which of its upstreams may serve a request: which of them a variant has, and which of those the values
// of the request select. It does not change. docs/balancing.md tells its rules in words.
type Balancer struct {
	upstreams []Upstream
	variants  []members
	subsets   []subset
	keys      []string // of the subsets
}

// Upstream is an upstream as the configuration declares it.
type Upstream struct {
	balance.Upstream

	// Variant is the index of the variant whose own upstream it is; -1 if it belongs to the shared pool.
	Variant int

	// Path is its place in the configuration, such as "upstreams[2]".
	Path string
}

// members says which upstreams a variant has.
type members struct {
	name   string
	pooled bool              // false: the gateway reaches the variant in a way of its own
	own    bool              // its own upstreams, else those of the shared pool
	where  map[string]string // that have all of these pairs
}

// subset narrows a variant's pool by one key of the metadata.
type subset struct {
	key       string
	value     *expr.Key
	otherwise Otherwise
}

// Otherwise says who serves where no upstream has the value that a request asks for.
type Otherwise string

const (
	OtherwiseBaseline Otherwise = "baseline" // the baseline's upstreams
	OtherwiseAny      Otherwise = "any"      // any upstream of the variant: the key does not narrow
	OtherwiseNone     Otherwise = "none"     // nobody: the client gets a 503
)

// Upstreams returns what the configuration declares, in its order: first the shared pool, then the variants' own. A
// gateway that finds addresses itself (in DNS, say) puts these in the place of what it found them by: copies with other
// names, and perhaps other weights.
func (b *Balancer) Upstreams() []Upstream { return append([]Upstream(nil), b.upstreams...) }

// Upstream returns what the configuration declares for an address: if nothing, one of weight 1 without metadata. For
// gateways that learn of addresses elsewhere, and find only metadata here.
func (b *Balancer) Upstream(address string) Upstream {
	for _, u := range b.upstreams {
		if u.Name == address {
			return u
		}
	}
	return Upstream{Upstream: balance.Upstream{Name: address, Weight: 1}, Variant: -1}
}

// Pools returns the pools of all variants over these upstreams, which need not be those that the configuration declares.
// Picks are positions among them. previous is what was picked from until now, or nil: a variant whose upstreams did not
// change keeps its pool, and with it whose turn it is.
func (b *Balancer) Pools(upstreams []Upstream, previous *Pools) *Pools {
	plain := make([]balance.Upstream, 0, len(upstreams))
	for _, u := range upstreams {
		plain = append(plain, u.Upstream)
	}
	p := &Pools{balancer: b, pools: make([]*balance.Pool, len(b.variants)), plain: make([]*balance.Set, len(b.variants))}
	for v := range b.variants {
		if b.variants[v].pooled {
			p.pools[v] = balance.NewPool(plain, b.members(v, upstreams), b.keys)
			if len(b.subsets) == 0 && !p.pools[v].Whole().Drained() {
				p.plain[v] = p.pools[v].Whole()
			}
		}
	}
	return p
}

// members returns the positions of a variant's upstreams.
func (b *Balancer) members(variant int, upstreams []Upstream) []int {
	m := b.variants[variant]
	var list []int
	for i, u := range upstreams {
		in := u.Variant == -1 && !m.own || u.Variant == variant && m.own
		for key, value := range m.where {
			in = in && u.Metadata[key] == value
		}
		if in {
			list = append(list, i)
		}
	}
	return list
}

// Pools hold the upstreams of every variant. They may be used from many goroutines at once.
type Pools struct {
	balancer *Balancer
	pools    []*balance.Pool // of every variant; nil if it has none
	plain    []*balance.Set  // of every variant the only set of its pool; nil if there is none, or are several
}

// Pick is which upstream serves a request.
type Pick struct {
	// Upstream is its position. -1: see Problem.
	Upstream int

	// Variant is the index of the variant that serves: the one that was asked for, or 0, the baseline, in its place.
	Variant int

	// Failed tells that the variant that was asked for failed: it has upstreams for the request, and none of them is
	// available. Whoever asked for something that it does not have is no failure, and neither are upstreams that were
	// drained.
	Failed bool

	// Problem says why nobody serves and the client must get a 503. If it is empty and Upstream is -1, the variant has
	// no pool: the gateway reaches it in a way of its own.
	Problem string
}

// Pick chooses the upstream for a request that a variant is to serve. available reports whether an upstream can get a
// request now; it is asked for as few as possible; nil means all. tried are the upstreams that failed to serve this
// request already.
func (p *Pools) Pick(variant int, in *expr.Input, available func(i int) bool, tried []int) Pick {
	pool := p.pools[variant]
	if pool == nil {
		return Pick{Upstream: -1, Variant: variant}
	}
	set := pool.Whole()
	if set.Drained() {
		return p.baseline(variant, in, available, tried, Pick{Problem: fmt.Sprintf("all upstreams of variant %q are drained", p.balancer.variants[variant].name)})
	}
	var narrowed []narrowing
	for k, subset := range p.balancer.subsets {
		value := expr.Read(subset.value, in)
		if value == "" {
			continue
		}
		inner := set.Narrow(k, value)
		if inner != nil {
			narrowed = append(narrowed, narrowing{set: set, otherwise: p.otherwise(k, variant)})
			set = inner
			continue
		}
		nobody := Pick{Problem: fmt.Sprintf("no upstream of variant %q has the %s that the request asks for", p.balancer.variants[variant].name, subset.key)}
		switch p.otherwise(k, variant) {
		case OtherwiseBaseline:
			return p.baseline(variant, in, available, tried, nobody)
		case OtherwiseNone:
			nobody.Upstream = -1
			nobody.Variant = variant
			return nobody
		}
	}
	nobody := Pick{Failed: true, Problem: fmt.Sprintf("no upstream of variant %q that may serve the request is available", p.balancer.variants[variant].name)}
	for {
		if i := set.Pick(available, tried); i >= 0 {
			return Pick{Upstream: i, Variant: variant}
		}
		last := len(narrowed) - 1
		if last < 0 || narrowed[last].otherwise == OtherwiseBaseline {
			return p.baseline(variant, in, available, tried, nobody)
		}
		if narrowed[last].otherwise == OtherwiseNone {
			nobody.Upstream = -1
			nobody.Variant = variant
			return nobody
		}
		set = narrowed[last].set
		narrowed = narrowed[:last]
	}
}

// narrowing is a step from a set to a subset of it.
type narrowing struct {
	set       *balance.Set // before
	otherwise Otherwise
}

// otherwise returns what applies to a key in a variant: the baseline's own baseline is any of its upstreams.
func (p *Pools) otherwise(key, variant int) Otherwise {
	policy := p.balancer.subsets[key].otherwise
	if policy == OtherwiseBaseline && variant == 0 {
		return OtherwiseAny
	}
	return policy
}

// baseline picks as if the baseline had been chosen.
func (p *Pools) baseline(variant int, in *expr.Input, available func(i int) bool, tried []int, nobody Pick) Pick {
	if variant == 0 {
		nobody.Upstream = -1
		return nobody
	}
	pick := p.Pick(0, in, available, tried)
	pick.Failed = nobody.Failed
	return pick
}

// Pools returns the pools of the engine's variants, as [Balancer.Pools] does, with what the rollout used until now as
// previous, whichever engine that was for. The engine must have a [Engine.Balancer].
func (e *Engine) Pools(upstreams []Upstream) *Pools {
	previous, _ := e.live.pools.Load().(*Pools)
	pools := e.balancer.Pools(upstreams, previous)
	e.live.pools.Store(pools)
	return pools
}

// Next returns the upstream whose turn it is for a request that a variant is to serve, or -1 if only [Pools.Pick] can
// tell. The caller finds out whether it is available; if it is not, Pick goes on from there. This is Pick for healthy
// pools where it is interpreted, in which a func-valued argument costs more than all else.
func Next(p *Pools, variant int, r *http.Request, address string) int {
	set := p.plain[variant]
	if set == nil {
		return nextNarrowed(p, variant, r, address)
	}
	return balance.Next(set)
}

func nextNarrowed(p *Pools, variant int, r *http.Request, address string) int {
	if p.pools[variant] == nil {
		return -1
	}
	pick := p.Pick(variant, &expr.Input{Request: r, Address: address}, nil, nil)
	if pick.Variant != variant {
		return -1
	}
	return pick.Upstream
}
