package core

import (
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Balancer says which upstreams may serve a request: which of them a variant has, and which of those the request asks
// for. It does not change, and knows nothing of who is available: that is for [Pools.Pick]. docs/balancing.md tells its
// rules in words.
type Balancer struct {
	upstreams []Upstream
	shared    map[string]Upstream // the shared pool by address
	variants  []members

	// Of the subsets, in their order.
	keys      []string
	values    []*expr.Key
	otherwise []Otherwise
}

// Upstream is an upstream as the configuration declares it.
type Upstream struct {
	balance.Upstream

	// Variant is the index of the variant whose own upstream it is; -1 if it is one of the shared pool.
	Variant int

	// Path is its place in the configuration, such as "upstreams[2]".
	Path string
}

// members says which upstreams a variant has.
type members struct {
	name   string
	pooled bool              // false: the gateway reaches the variant in a way of its own
	own    bool              // its own upstreams, else those of the shared pool
	where  map[string]string // which have all of these pairs
}

// Otherwise says who serves a request that asks for a value that no upstream of the variant has.
type Otherwise string

const (
	OtherwiseBaseline Otherwise = "baseline" // the baseline, as if it had been chosen; in the baseline itself, any
	OtherwiseAny      Otherwise = "any"      // any upstream of the variant: this key does not narrow
	OtherwiseNone     Otherwise = "none"     // nobody: the client gets a 503
)

// Upstreams returns what the configuration declares: the shared pool, and then the variants' own, each in its order. A
// gateway that finds addresses by itself, in DNS or elsewhere, gives to [Balancer.Pools] copies with the names, and the
// weights, that it found.
func (b *Balancer) Upstreams() []Upstream { return append([]Upstream(nil), b.upstreams...) }

// Upstream returns what the shared pool declares for an address; if nothing, an upstream of weight 1 without metadata. It
// is for gateways that have their upstreams from elsewhere, and only look up here what they are worth.
func (b *Balancer) Upstream(address string) Upstream {
	if u, isDeclared := b.shared[address]; isDeclared {
		return u
	}
	return Upstream{Upstream: balance.Upstream{Name: address, Weight: 1}, Variant: -1}
}

// Last returns the index of the last variant, which serves all requests of a balancer that stands alone.
func (b *Balancer) Last() int { return len(b.variants) - 1 }

// Pools returns the pools of all variants over these upstreams: picks are positions among them. They need not be those
// that are declared, but they must not be changed afterwards. previous is what was picked from until now, or nil: pools
// that are the same as before go on where they are.
func (b *Balancer) Pools(upstreams []Upstream, previous *Pools) *Pools {
	plain := make([]balance.Upstream, 0, len(upstreams))
	names := make([]string, 0, len(upstreams))
	for _, u := range upstreams {
		plain = append(plain, u.Upstream)
		names = append(names, u.Name)
	}
	p := &Pools{balancer: b, pools: make([]*balance.Pool, len(b.variants)), wholes: make([]*balance.Set, len(b.variants)), names: names}
	for i, m := range b.variants {
		if !m.pooled {
			continue
		}
		pool := balance.NewPool(plain, m.among(upstreams, i), b.keys, previous.pool(m.name))
		p.pools[i] = pool
		if whole := pool.Whole(); !whole.Drained() {
			p.wholes[i] = whole
		}
	}
	return p
}

// among returns the positions of the upstreams that a variant has.
func (m members) among(upstreams []Upstream, variant int) []int {
	owner := -1
	if m.own {
		owner = variant
	}
	list := []int{}
	for i, u := range upstreams {
		if u.Variant == owner && has(u.Metadata, m.where) {
			list = append(list, i)
		}
	}
	return list
}

// has reports whether metadata have all of these pairs.
func has(metadata, pairs map[string]string) bool {
	for key, value := range pairs {
		if metadata[key] != value {
			return false
		}
	}
	return true
}

// Balancer returns what chooses the upstreams of variants that have pools; nil if none has.
func (e *Engine) Balancer() *Balancer { return e.balancer }

// Pools returns the pools of the engine's variants, as [Balancer.Pools] does; previous is what was last used for the
// rollout, by whichever configuration. Only for engines with a [Engine.Balancer].
func (e *Engine) Pools(upstreams []Upstream) *Pools {
	previous, _ := e.live.pools.Load().(*Pools)
	pools := e.balancer.Pools(upstreams, previous)
	pools.engine = e
	e.live.pools.Store(pools)
	return pools
}
