// Package fleetsim runs many gateways in one process against one etcd: their engines, their clients of the store, and the
// little traffic that gives them something to report are real; only what would serve the requests is not there.
package fleetsim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// size is how large a fleet is.
type size struct {
	gateways, rollouts int
}

// fleet is the gateways, each with all rollouts.
type fleet struct {
	size
	lives   [][]*core.Live   // by rollout and gateway
	engines [][]*core.Engine // likewise

	commands   []int        // how many each rollout got
	unanswered atomic.Int64 // commands
}

// wave is how many gateways start at the same time: a deploy that starts a thousand at once has other troubles.
const wave = 8

// start starts a fleet, wave by wave, and returns when all gateways know all rollouts. endpoint says where the etcd is for a
// gateway.
func start(t *testing.T, s size, endpoint func(gateway int) string) *fleet {
	t.Helper()
	f := &fleet{size: s, lives: make([][]*core.Live, s.rollouts), engines: make([][]*core.Engine, s.rollouts), commands: make([]int, s.rollouts)}
	for r := range s.rollouts {
		f.lives[r] = make([]*core.Live, s.gateways)
		f.engines[r] = make([]*core.Engine, s.gateways)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var starting, running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	next := make(chan int)
	for range wave {
		starting.Go(func() {
			for g := range next {
				f.begin(ctx, t, g, endpoint(g), &running)
			}
		})
	}
	began := time.Now()
	for g := range s.gateways {
		next <- g
		if g > 0 && g%100 == 0 {
			t.Logf("%d have begun after %v", g-wave, time.Since(began).Round(time.Second))
		}
	}
	close(next)
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	running.Go(func() { f.serve(ctx) })
	return f
}

// begin starts a gateway, and returns when it knows its rollouts. Its context is its own, as another process's is: all that is
// derived from one context waits in one queue.
func (f *fleet) begin(fleet context.Context, t *testing.T, g int, endpoint string, running *sync.WaitGroup) {
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(fleet, cancel)
	keeper, err := store.NewEtcd(store.EtcdSettings{Endpoints: []string{endpoint}})
	if err != nil {
		t.Error(err)
		return
	}
	host := core.Host{Store: keeper, StoreName: "the fleet's", Member: fmt.Sprintf("edge-%d", g), Gateway: "simulated",
		Handles: map[string]bool{"stable": true, "canary": true}}
	for r := range f.rollouts {
		live := core.NewLive()
		engine, err := core.Compile(planned(r), live, host)
		if err != nil {
			t.Error(err)
			return
		}
		f.lives[r][g], f.engines[r][g] = live, engine
		running.Go(func() { engine.Run(ctx) })
	}
	end := time.Now().Add(patience)
	for r := range f.rollouts {
		if !f.knows(r, g, 1, 20*time.Millisecond, time.After(time.Until(end))) {
			t.Errorf("gateway %d still does not know rollout %d", g, r)
			return
		}
	}
}

// patience is how long it may take until a gateway knows something.
const patience = 3 * time.Minute

// knows waits until a gateway goes by an event of a rollout, and reports whether it did in time. It does not ask for the status,
// which would be made anew fifty thousand times.
func (f *fleet) knows(r, g int, event int64, again time.Duration, late <-chan time.Time) bool {
	for {
		events, changed := f.lives[r][g].Events(event - 1)
		if len(events) > 0 {
			return true
		}
		select {
		case <-late:
			return false
		case <-changed:
		case <-time.After(again): // what there is already when a gateway begins wakes nobody
		}
	}
}

// planned is a rollout with which nothing happens by itself.
func planned(r int) core.Config {
	return core.Config{
		Name: fmt.Sprintf("service-%d", r), Revision: "v2", Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}}, Key: []string{"random()"},
		Plan: core.Plan{Steps: []core.Step{{Weight: "10%", Manual: true}, {Weight: "50%", Manual: true}, {Weight: "100%"}}},
	}
}

// serve has every gateway get two requests for every rollout, pause for pause.
func (f *fleet) serve(ctx context.Context) {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://shop.example/", nil)
	for ctx.Err() == nil {
		began := time.Now()
		for r := range f.engines {
			for _, e := range f.engines[r] {
				for range 2 {
					e.Report(e.Decide(request, "192.0.2.1", began), core.Outcome{Status: http.StatusOK, Latency: time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond))})
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(*pause - time.Since(began)):
		}
	}
}

// await waits until all gateways go by an event of a rollout, and returns when each of them did.
func (f *fleet) await(t *testing.T, r int, event int64) []time.Time {
	t.Helper()
	when := make([]time.Time, f.gateways)
	var behind atomic.Int64
	var waiting sync.WaitGroup
	for g := range when {
		waiting.Go(func() {
			if !f.knows(r, g, event, 5*time.Second, time.After(patience)) {
				behind.Add(1)
			}
			when[g] = time.Now()
		})
	}
	waiting.Wait()
	if n := behind.Load(); n > 0 {
		t.Fatalf("after %v %d gateways do not know event %d of rollout %d", patience, n, event, r)
	}
	return when
}

// tell pauses a rollout through any gateway, or resumes it if that was done before, and returns how long that took, and how
// long until each gateway went by it. Who is not told whether it was done tries again, as people do.
func (f *fleet) tell(t *testing.T, r int) (commit time.Duration, lags []time.Duration) {
	t.Helper()
	verb := rollout.Pause
	if f.commands[r]%2 == 1 {
		verb = rollout.Resume
	}
	f.commands[r]++
	began := time.Now()
	for {
		_, err := f.lives[r][rand.IntN(f.gateways)].Command(context.Background(), rollout.Command{Verb: verb}, "")
		if err == nil || errors.Is(err, rollout.ErrState) {
			break
		}
		if !errors.Is(err, rollout.ErrAway) || time.Since(began) > patience {
			t.Fatalf("%s: %v", string(verb), err)
		}
		f.unanswered.Add(1)
	}
	written := time.Now()
	for _, when := range f.await(t, r, int64(f.commands[r])+1) {
		lags = append(lags, max(0, when.Sub(written)))
	}
	return written.Sub(began), lags
}
