package core

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAssignmentsWhileThingsChange: clients come while weights, epochs, engines and the size of the memory change. What
// is decided stays a decision, and nobody is assigned to a canary of an epoch that is over.
func TestAssignmentsWhileThingsChange(t *testing.T) {
	for _, config := range []Config{stickyShop(), inMemory()} {
		live := NewLive()
		config.Sticky.Capacity = 0
		if config.Sticky.Mode == "memory" {
			config.Sticky.Capacity = 100
		}
		e := inForce(t, config, live, Host{})
		var clients, changes sync.WaitGroup
		over := make(chan struct{})
		changes.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				_ = weigh(e, "canary", strconv.Itoa(i%100))
				beginEpoch(e, i%3 == 0, noon.Add(time.Duration(i)*time.Millisecond))
				other := compile(t, config, live, Host{})
				if other.assigner.memory != nil {
					other.assigner.memory.Resize(50 + i%100)
				}
			}
		})
		for client := range 8 {
			clients.Go(func() {
				b := &browserAt{engine: e, now: noon}
				for i := range 400 {
					got := b.asks("X-User: " + strconv.Itoa(client*1000+i%50))
					if !strings.HasPrefix(got, "stable by ") && !strings.HasPrefix(got, "canary by ") {
						t.Errorf("%s: %s", config.Sticky.Mode, got)
					}
				}
			})
		}
		clients.Wait()
		close(over)
		changes.Wait()
		if faults := live.Faults(); faults > 0 {
			t.Errorf("%s: %d decisions broke", config.Sticky.Mode, faults)
		}

		// A rollback, at last: the weight first, and then the epoch.
		if err := weigh(e, "canary", "0"); err != nil {
			t.Fatal(err)
		}
		beginEpoch(e, false, noon)
		for client := range 8000 {
			if got := (&browserAt{engine: e, now: noon}).asks("X-User: " + strconv.Itoa(client)); !strings.HasPrefix(got, "stable by ") {
				t.Fatalf("%s: after a rollback client %d is on %s", config.Sticky.Mode, client, got)
			}
		}
	}
}
