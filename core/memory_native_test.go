package core

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// TestMemoryUnderChange: decisions follow the weights while they change, whoever decides at the same time.
func TestMemoryUnderChange(t *testing.T) {
	live := NewLive()
	e, plain := inForce(t, checkout(), live, Host{Remember: true}), compile(t, checkout(), live, Host{})
	const goroutines, rounds = 8, 2000
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range rounds {
				r := get(fmt.Sprintf("Cookie: uid=%d", (g+i)%100))
				if d, _ := recalled(e, r, "", noon); d.Reason != BySplit {
					t.Errorf("client %d: by %s", i, d.Reason)
				}
				if g == 0 && i%100 == 0 {
					e.memory.outdate()
				}
			}
		})
	}
	for i := range rounds {
		if err := weigh(e, "canary", fmt.Sprint(i%90)); err != nil {
			t.Error(err)
		}
		r := get(fmt.Sprintf("Cookie: uid=%d", i%100))
		if d, _ := recalled(e, r, "", noon); alone(*d) != alone(plain.Decide(r, "", noon)) {
			t.Fatalf("a canary of %d%%, client %d: %+v, want %+v", i%90, i%100, *d, plain.Decide(r, "", noon))
		}
	}
	all.Wait()
}

// TestOutdatedFindingsAreNotStored: who found something in an epoch that has ended leaves nothing behind.
func TestOutdatedFindingsAreNotStored(t *testing.T) {
	e := compile(t, checkout(), nil, Host{Remember: true})
	m := e.memory
	epoch := m.epoch.Load()
	m.outdate()
	remember(e, get(), "uid=1", current(e).base, epoch)
	if _, ok := m.places.Load("uid=1"); ok {
		t.Error("it is remembered")
	}
}

// TestRecallAllocates no more than the text that it looks up and the header that it sets.
func TestRecallAllocates(t *testing.T) {
	e := compile(t, checkout(), nil, Host{Remember: true})
	r := get("Cookie: uid=1")
	recalled(e, r, "", noon)
	if n := testing.AllocsPerRun(100, func() { Recall(e, r) }); n != 2 {
		t.Errorf("recalling allocates %v times", n)
	}
}

// TestEndedEnginesRememberNothing: what decides when nobody outdates its memory any more, decides anew.
func TestEndedEnginesRememberNothing(t *testing.T) {
	e := compile(t, checkout(), nil, Host{Remember: true})
	r := get("Cookie: uid=1")
	recalled(e, r, "", noon)
	if places(e) != 1 || len(e.live.memories) != 1 {
		t.Fatalf("%d decisions are remembered by %d engines", places(e), len(e.live.memories))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Run(ctx)
	recalled(e, r, "", noon)
	if places(e) != 0 || len(e.live.memories) != 0 {
		t.Errorf("%d decisions are remembered by %d engines", places(e), len(e.live.memories))
	}
}
