package core

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/core/expr"
)

func TestPickDoesNotAllocate(t *testing.T) {
	p := declared(t, zones("any"), Host{})
	available := func(i int) bool { return i != 1 && i != 4 } // s2 and c2 are down
	for _, zone := range []string{"", "eu"} {
		r := get("X-Zone: " + zone)
		for variant := range 2 {
			if n := testing.AllocsPerRun(100, func() {
				p.Pick(variant, &expr.Input{Request: r}, available, nil)
				Next(p, variant, r, "")
			}); n != 0 {
				t.Errorf("variant %d in %q: picks allocate %v times", variant, zone, n)
			}
		}
	}
}

// TestPoolsReplacedUnderLoad: while upstreams are found and lost, and configurations come and go, every pick is right for
// the pools that it is made from.
func TestPoolsReplacedUnderLoad(t *testing.T) {
	live := NewLive()
	first := compile(t, zones("none"), live, Host{})
	upstreams := first.Balancer().Upstreams()
	type standing struct {
		pools *Pools
		found []Upstream
	}
	var current atomic.Pointer[standing]
	current.Store(&standing{first.Pools(upstreams), upstreams})
	var picking atomic.Int64
	picking.Store(4)
	var all sync.WaitGroup
	for range picking.Load() {
		all.Go(func() {
			defer picking.Add(-1)
			for range 5000 {
				s := current.Load()
				pick := s.pools.Pick(1, &expr.Input{Request: get("X-Zone: eu")}, nil, nil)
				if pick.Upstream < 0 || s.found[pick.Upstream].Name != "c1" || pick.Failed {
					t.Errorf("%v from %v", pick, s.found)
					return
				}
			}
		})
	}
	for n := 0; picking.Load() > 0; n++ {
		found := upstreams[n%4:] // c1 always stays, at another position each time
		config := zones([]string{"none", "any"}[n%2])
		e := compile(t, config, live, Host{})
		current.Store(&standing{e.Pools(found), found})
	}
	all.Wait()
}
