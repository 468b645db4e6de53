package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdSilentWatch: what a watch does not tell is seen all the same, if later.
func TestEtcdSilentWatch(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/watch" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"result":{"created":true}}`+"\n")
		_ = http.NewResponseController(w).Flush()
		fake.change(func() { fake.put("/grayling/state/a", []byte("2")) })
		<-r.Context().Done()
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	e.RenewEvery(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := e.Watch(ctx, "a", func(d store.Document) {
		if string(d.Content) == "2" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestEtcdFailsForLong: who waits for a stream that goes on failing hears of that again.
func TestEtcdFailsForLong(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, `{"error":"etcdserver: no leader","code":14}`, http.StatusServiceUnavailable)
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	e.RenewEvery(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for waited := 0; waited < 2; {
		began := time.Now()
		if err := e.Watch(ctx, "a", func(_ store.Document) {}); err == nil || ctx.Err() != nil {
			t.Fatalf("after it waited %d times: error %v", waited, err)
		}
		if time.Since(began) > time.Second/2 { // else the first read failed
			waited++
		}
	}
}

// TestEtcdFewConnections: who has many rollouts writes them over a few connections, and keeps those.
func TestEtcdFewConnections(t *testing.T) {
	const most = 7 // the eighth is for a watch
	fake := newFakeEtcd()
	var asked, opened atomic.Int64
	busy := make(chan bool)
	fake.before = func(http.ResponseWriter, *http.Request) bool {
		if asked.Add(1) == most {
			close(busy)
		}
		<-busy
		return false
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(fake.answer))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{server.URL}, Timeout: time.Minute})
	var writing sync.WaitGroup
	for i := range 50 {
		writing.Go(func() {
			if _, err := e.Swap(t.Context(), strconv.Itoa(i), "", []byte("{}")); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if opened.Load() != most || asked.Load() != 50 {
		t.Errorf("%d requests over %d connections, want 50 over %d", asked.Load(), opened.Load(), most)
	}
}
