package core

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Pools hold the upstreams of every variant. They may be used from many goroutines at once.
type Pools struct {
	balancer *Balancer
	pools    []*balance.Pool // by variant; nil if it has none
	wholes   []*balance.Set  // by variant all members; nil if it has no pool, or none with a weight
	engine   *Engine         // that is told of what breaks; nil for a balancer that stands alone

	names    []string     // of all upstreams
	observed atomic.Value // *availability; nothing where the host does not tell
}

// pool returns the pool of a named variant, or nil. Nil pools have none.
func (p *Pools) pool(variant string) *balance.Pool {
	if p != nil {
		for i, m := range p.balancer.variants {
			if m.name == variant {
				return p.pools[i]
			}
		}
	}
	return nil
}

// Pick is who serves a request.
type Pick struct {
	// Upstream is the upstream's position. -1: there is none, see Problem.
	Upstream int

	// Variant is the index of the variant that serves: the one that was chosen, or the base in its place. Then the
	// decision is [Engine.Fallback]'s.
	Variant int

	// Failed tells that the chosen variant failed: it has upstreams for the request, and none of them is left. That is to
	// be reported once, with the decision that chose it. A request that asks for what the variant does not have is no
	// failure, and neither are upstreams that were drained.
	Failed bool

	// Problem says why nobody serves, for the log: the client gets a 503. Unless Failed, that says nothing about the
	// variant, and is to be reported as if the client had gone. Empty with an Upstream of -1: the gateway reaches the
	// variant in a way of its own. It holds nothing that a client sent.
	Problem string
}

// Next returns the upstream whose turn it is for a request of a variant, available or not, or -1 if only [Pools.Pick]
// can tell who serves. If it is not available, Pick goes on from there. The two together do what Pick does alone: where
// this is interpreted, asking a function whether an upstream is available costs more than the rest.
func Next(p *Pools, variant int, r *http.Request, address string) int {
	set := p.wholes[variant]
	if set == nil {
		return -1
	}
	if len(p.balancer.keys) > 0 {
		return nextNarrowed(p, variant, r, address)
	}
	return balance.Next(set)
}

// Only returns the set whose turns serve every request of a variant; nil if requests can ask for less, or only [Pools.Pick]
// can tell who serves. [Next] is [balance.Next] of it: a host may keep it, where a call less matters.
func (p *Pools) Only(variant int) *balance.Set {
	if len(p.balancer.keys) > 0 {
		return nil
	}
	return p.wholes[variant]
}

func nextNarrowed(p *Pools, variant int, r *http.Request, address string) int {
	set := narrowed(p, variant, &expr.Input{Request: r, Address: address})
	if set == nil {
		return -1
	}
	return balance.Next(set)
}

// narrowed returns the upstreams of a variant that a request asks for; nil if there are none with a weight.
func narrowed(p *Pools, variant int, in *expr.Input) *balance.Set {
	set := p.wholes[variant]
	for key := range p.balancer.values {
		if set == nil {
			return nil
		}
		if text := asked(p, key, in); text != "" {
			set = balance.Narrow(set, key, text)
		}
	}
	return set
}

// asked returns the value of a subset's key that a request asks for. If finding out breaks, it asks for none.
func asked(p *Pools, key int, in *expr.Input) string {
	defer unasked(p.engine)
	return expr.Read(p.balancer.values[key], in)
}

// unasked ends a panic of the function that defers it, and leaves it to the gateway where there is no engine.
func unasked(e *Engine) {
	fault := recover()
	if fault == nil {
		return
	}
	if e == nil {
		panic(fault)
	}
	e.live.faults.Add(1)
	if shouldLog(&e.live.faultSeen, time.Now()) {
		e.log.Error("a subset broke, any upstream of the variant serves", "rollout", e.name, "panic", fmt.Sprint(fault))
	}
}

// Pick chooses the upstream for a request of a variant. available reports whether an upstream can get a request now; it
// is asked for as few as possible, and nil means that all can. tried are the upstreams that failed to serve this request
// already; a gateway that tries another one makes sure that the request can be sent again.
func (p *Pools) Pick(variant int, in *expr.Input, available func(i int) bool, tried []int) Pick {
	if set := narrowed(p, variant, in); set != nil {
		if i := set.Pick(available, tried); i >= 0 {
			return Pick{Upstream: i, Variant: variant}
		}
	}
	return p.pickOtherwise(variant, in, available, tried)
}

// pickOtherwise is Pick where the upstreams that the request asks for do not exist or are not available.
func (p *Pools) pickOtherwise(variant int, in *expr.Input, available func(i int) bool, tried []int) Pick {
	if p.pools[variant] == nil {
		return Pick{Upstream: -1, Variant: variant}
	}
	if p.wholes[variant] == nil {
		none := Pick{Upstream: -1, Variant: variant, Failed: p.pools[variant].Whole().Empty()}
		none.Problem = "all upstreams" + p.of(variant) + " are drained"
		if none.Failed {
			none.Problem = "there are no upstreams" + p.of(variant)
		}
		return p.fallback(none, in, available, tried)
	}
	sets := []*balance.Set{p.wholes[variant]} // each narrower than the one before
	var keys []int                            // by which they were narrowed
	for key := range p.balancer.values {
		text := asked(p, key, in)
		if text == "" {
			continue
		}
		if set := balance.Narrow(sets[len(sets)-1], key, text); set != nil {
			sets = append(sets, set)
			keys = append(keys, key)
			continue
		}
		none := Pick{Upstream: -1, Variant: variant}
		none.Problem = fmt.Sprintf("no upstream%s has the %s that the request asks for", p.of(variant), p.balancer.keys[key])
		if done, pick := p.otherwise(key, none, in, available, tried); done {
			return pick
		}
	}
	none := Pick{Upstream: -1, Variant: variant, Failed: true}
	none.Problem = "no upstream" + p.of(variant) + " that may serve the request is available"
	for n := len(sets) - 1; ; n-- {
		if i := sets[n].Pick(available, tried); i >= 0 {
			return Pick{Upstream: i, Variant: variant}
		}
		if n == 0 {
			return p.fallback(none, in, available, tried)
		}
		if done, pick := p.otherwise(keys[n-1], none, in, available, tried); done {
			return pick
		}
	}
}

// otherwise does what a subset says for a request that gets nobody by it, and reports whether that settles it.
func (p *Pools) otherwise(key int, none Pick, in *expr.Input, available func(i int) bool, tried []int) (bool, Pick) {
	switch p.balancer.otherwise[key] {
	case OtherwiseNone:
		return true, none
	case OtherwiseBaseline:
		if none.Variant != p.base() {
			return true, p.fallback(none, in, available, tried)
		}
	}
	return false, none
}

// fallback picks as if the base had been chosen.
func (p *Pools) fallback(none Pick, in *expr.Input, available func(i int) bool, tried []int) Pick {
	base := p.base()
	if none.Variant == base {
		return none
	}
	pick := p.Pick(base, in, available, tried)
	pick.Failed = none.Failed
	if pick.Problem != "" {
		pick.Problem = none.Problem + ", and " + pick.Problem
	}
	return pick
}

// base returns the index of the variant that serves in the place of others: the baseline, or who was promoted.
func (p *Pools) base() int {
	if p.engine == nil {
		return 0
	}
	return current(p.engine).base.Index
}

// of names a variant in a message, where there is more than one.
func (p *Pools) of(variant int) string {
	if len(p.balancer.variants) == 1 {
		return ""
	}
	return fmt.Sprintf(" of variant %q", p.balancer.variants[variant].name)
}

// Repeats reports whether a request that an upstream did not answer may be sent to another one, by its method. The host
// must make sure that it can be sent again.
func (e *Engine) Repeats(r *http.Request) bool { return e.fallback[r.Method] }
