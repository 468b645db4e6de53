package core

import (
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Availability is what a host knows of the upstreams of [Pools].
type Availability interface {
	// Available reports whether an upstream can get a request now, by its position.
	Available(upstream int) bool
}

// availability holds an Availability, so that all of them can be stored in one place.
type availability struct{ of Availability }

// Observe has explanations tell which upstreams are available. Without it all of them are.
func (p *Pools) Observe(told Availability) {
	of := told // or it would follow the parameter, interpreted
	p.observed.Store(&availability{of: of})
}

// available reports whether an upstream can get a request, as far as that is known.
func (p *Pools) available(upstream int) bool {
	known, _ := p.observed.Load().(*availability)
	return known == nil || known.of.Available(upstream)
}

// poolsNow returns the pools that requests are served from, or, before there are any, those that are declared; nil if no
// variant has one.
func (e *Engine) poolsNow() *Pools {
	if e.balancer == nil {
		return nil
	}
	if p, _ := e.live.pools.Load().(*Pools); p != nil && p.engine == e {
		return p
	}
	p := e.balancer.Pools(e.balancer.Upstreams(), nil)
	p.engine = e
	return p
}

// maxUpstreamsShown is how many upstreams an explanation names at most.
const maxUpstreamsShown = 100

// What comes of looking for an upstream of a variant.
type service int

const (
	serves  service = iota
	yields          // the base serves
	refuses         // nobody may
)

// serve says which upstreams may serve a decided request, and who does if none can.
func (s *examination) serve(d *Decision) {
	base := s.phase.base
	if d.Index != base.Index && s.engine.fallback[s.request.Method] && !s.engine.host.LeadsOnly {
		s.x.Fallback = base.Variant
	}
	p := s.engine.poolsNow()
	if p == nil {
		return
	}
	found := s.serveFrom(p, d.Index)
	if found == yields && d.Index != base.Index {
		s.note("%s has no upstream that could serve the request, so %s serves (fallback)", d.Variant, base.Variant)
		s.x.Fallback = ""
		s.x.Subsets = nil
		s.x.Upstreams = nil
		found = s.serveFrom(p, base.Index)
	}
	if found != serves {
		s.x.Fallback = ""
		s.note("no upstream can serve the request: the client gets a 503")
	}
}

// serveFrom finds the upstreams of a variant that may serve the request, as [Pools.Pick] does.
func (s *examination) serveFrom(p *Pools, variant int) service {
	if p.pools[variant] == nil {
		return serves // in a way of the gateway's own
	}
	if p.wholes[variant] == nil {
		return yields
	}
	sets := []*balance.Set{p.wholes[variant]} // each narrower than the one before
	ends := []service{yields}                 // what comes of it if nobody in the set is available
	for key, name := range p.balancer.keys {
		text, _ := expr.ExplainKey(p.balancer.values[key], s.in, s.assumed)
		x := SubsetExplained{Key: name, Value: text, Absent: text == ""}
		end := s.otherwise(p, key, variant)
		if text != "" {
			set := balance.Narrow(sets[len(sets)-1], key, text)
			x.None = set == nil
			if set != nil {
				sets = append(sets, set)
				ends = append(ends, end)
			}
		}
		s.x.Subsets = append(s.x.Subsets, x)
		if x.None && end != serves {
			return end
		}
	}
	for n := len(sets) - 1; n >= 0; n-- {
		if s.list(p, sets[n]) {
			return serves
		}
		if ends[n] != serves {
			return ends[n]
		}
	}
	return yields
}

// otherwise returns what a subset says for a request that gets nobody by it; serves: others of the variant do.
func (s *examination) otherwise(p *Pools, key, variant int) service {
	switch p.balancer.otherwise[key] {
	case OtherwiseNone:
		return refuses
	case OtherwiseBaseline:
		if variant != s.phase.base.Index {
			return yields
		}
	}
	return serves
}

// list shows the members of a set, and reports whether one is available.
func (s *examination) list(p *Pools, set *balance.Set) bool {
	found := false
	s.x.Upstreams = nil
	weights := set.Weights()
	for n, i := range set.Members() {
		if weights[n] == 0 {
			continue
		}
		is := p.available(i)
		found = found || is
		if len(s.x.Upstreams) < maxUpstreamsShown {
			s.x.Upstreams = append(s.x.Upstreams, UpstreamExplained{Name: p.names[i], Weight: weights[n], Unavailable: !is})
		}
	}
	return found
}
