package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdWatchesRolloutsAlone: what has a name that begins with a dot is in no stream.
func TestEtcdWatchesRolloutsAlone(t *testing.T) {
	fake := newFakeEtcd()
	asked := make(chan fakeRequest, 100)
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/watch" {
			return false
		}
		var request fakeRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		asked <- request
		http.Error(w, "no", http.StatusBadRequest)
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = openEtcd(t, fake.serve(t).URL).Watch(ctx, "a", func(_ store.Document) {})
	request := <-asked
	for key, want := range map[string]bool{
		"/grayling/state/0": true, "/grayling/state/Shop": true, "/grayling/state/z.y": true,
		"/grayling/state/.findings.shop": false, "/grayling/state/.cookie_secret": false, "/grayling/members/a": false,
	} {
		if got := in(key, request.Create.Key, request.Create.RangeEnd); got != want {
			t.Errorf("%s is watched: %t", key, got)
		}
	}
}

// TestEtcdOutageOfManyWatches: while the store is away, many who watch cost no more than one: each hears of it once, and they
// watch again all the same. When it is back all of them hear what there is.
func TestEtcdOutageOfManyWatches(t *testing.T) {
	const watches, attempts = 30, 2
	fake := newFakeEtcd()
	var asked, streams atomic.Int64
	back := make(chan struct{})
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v3/watch" {
			streams.Add(1)
		}
		if await.Closed(back) {
			return false
		}
		asked.Add(1)
		http.Error(w, `{"error":"etcdserver: no leader","code":14}`, http.StatusServiceUnavailable)
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var told, failed atomic.Int64
	var ended sync.WaitGroup
	watch := func(name string) {
		defer ended.Done()
		seen := false
		for ctx.Err() == nil {
			err := e.Watch(ctx, name, func(_ store.Document) {
				if !seen {
					told.Add(1)
				}
				seen = true
			})
			if ctx.Err() == nil && err != nil {
				failed.Add(1)
			}
		}
	}
	ended.Add(watches)
	for i := 0; i < watches; i++ {
		go watch(fmt.Sprintf("d%d", i))
	}
	heard := int64(-1)
	for ctx.Err() == nil && (heard < watches || failed.Load() > heard) { // until all wait; before the stream fails, reads do
		heard = failed.Load()
		time.Sleep(time.Second)
	}
	before := asked.Load()
	for ctx.Err() == nil && asked.Load() < before+attempts {
		time.Sleep(10 * time.Millisecond)
	}
	if n := failed.Load() - heard; n > 0 || told.Load() > 0 {
		t.Errorf("%d who watch heard of %d more failures, and of %d documents", watches, n, told.Load())
	}
	close(back)
	for ctx.Err() == nil && told.Load() < watches {
		time.Sleep(10 * time.Millisecond)
	}
	if told.Load() != watches || streams.Load() > 2 {
		t.Errorf("%d of %d heard that it is back, through %d streams", told.Load(), watches, streams.Load())
	}
	cancel()
	ended.Wait()
}
