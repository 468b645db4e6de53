package store_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// counted counts the requests for a path.
func (f *fakeEtcd) counted(path string) *atomic.Int64 {
	count := &atomic.Int64{}
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			count.Add(1)
		}
		return false
	}
	return count
}

// TestEtcdReportsTogether: what is reported at the same time is written at the same time, under one lease.
func TestEtcdReportsTogether(t *testing.T) {
	fake := newFakeEtcd()
	txns := fake.counted("/v3/kv/txn")
	e := openEtcd(t, fake.serve(t).URL)
	for round := 0; round < 2; round++ {
		var reporting sync.WaitGroup
		send := func(rollout string) {
			defer reporting.Done()
			if err := e.Report(context.Background(), rollout, "m", []byte("1"), time.Minute); err != nil {
				t.Error(err)
			}
		}
		reporting.Add(100)
		for i := 0; i < 100; i++ {
			go send("r" + strings.Repeat("x", i))
		}
		reporting.Wait()
	}
	if n := txns.Load(); n > 4 {
		t.Errorf("200 reports in two moments took %d transactions", n)
	}
	fake.change(func() {
		if len(fake.leases) != 1 || len(fake.keys) != 100 {
			t.Errorf("%d leases of %d keys", len(fake.leases), len(fake.keys))
		}
	})
}

// TestEtcdLeaseLost: a lease that has expired is granted anew, whether that is seen when it is renewed or when it is used.
func TestEtcdLeaseLost(t *testing.T) {
	for _, ttl := range []time.Duration{2 * time.Second, time.Hour} { // due to be renewed, and not
		ttl := ttl
		fake := newFakeEtcd()
		e := openEtcd(t, fake.serve(t).URL)
		for i := 0; i < 2; i++ {
			if err := e.Report(context.Background(), "checkout", "m", []byte("1"), ttl); err != nil {
				t.Errorf("%s: %v", ttl.String(), err)
			}
			list, err := e.Reports(context.Background(), "checkout", 0)
			if err != nil || len(list) != 1 {
				t.Errorf("%s: %d reports, error %v", ttl.String(), len(list), err)
			}
			fake.change(func() { fake.expire() })
		}
		fake.change(func() {
			if len(fake.leases) != 2 {
				t.Errorf("%s: %d leases", ttl.String(), len(fake.leases))
			}
		})
	}
}

// TestEtcdReportsAway: who cannot report is told so, and can as soon as etcd answers.
func TestEtcdReportsAway(t *testing.T) {
	fake := newFakeEtcd()
	e := openEtcd(t, fake.serve(t).URL)
	fake.change(func() {
		fake.before = func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, 503, 14, "etcdserver: no leader")
			return true
		}
	})
	err := e.Report(context.Background(), "checkout", "m", []byte("1"), time.Minute)
	if err == nil || !strings.Contains(err.Error(), "no leader") {
		t.Errorf("error %v", err)
	}
	if _, err := e.Reports(context.Background(), "checkout", 0); err == nil {
		t.Errorf("reports of a store that is away")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Leave(ended, "checkout", "m"); err == nil {
		t.Errorf("somebody without patience waits")
	}
	fake.change(func() { fake.before = nil })
	if err := e.Report(context.Background(), "checkout", "m", []byte("1"), time.Minute); err != nil {
		t.Error(err)
	}
}

// TestEtcdForeignReports: what no member wrote is left out.
func TestEtcdForeignReports(t *testing.T) {
	fake := newFakeEtcd()
	fake.put("/grayling/members/checkout/a", []byte("{"))
	fake.put("/grayling/members/checkout/b%", []byte("1"))
	fake.put("/grayling/members/checkout/c", []byte("1"))
	list, err := openEtcd(t, fake.serve(t).URL).Reports(context.Background(), "checkout", 1)
	if err != nil || len(list) != 1 || list[0].Member != "c" {
		t.Errorf("%v, error %v", list, err)
	}
}

// TestEtcdOneStream: however many documents are watched, there is one stream, and none when nobody watches any more.
func TestEtcdOneStream(t *testing.T) {
	fake := newFakeEtcd()
	streams := fake.counted("/v3/watch")
	e := openEtcd(t, fake.serve(t).URL)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const watches = 30
	var ended sync.WaitGroup
	var seen atomic.Int64
	watch := func(name string) {
		defer ended.Done()
		_ = e.Watch(ctx, name, func(d store.Document) {
			if string(d.Content) == `"`+name+`"` {
				seen.Add(1)
			}
		})
	}
	ended.Add(watches)
	for i := 0; i < watches; i++ {
		go watch("d" + strings.Repeat("x", i))
	}
	for i := 0; i < watches; i++ {
		name := "d" + strings.Repeat("x", i)
		if _, err := e.Swap(context.Background(), name, "", []byte(`"`+name+`"`)); err != nil {
			t.Error(err)
		}
	}
	for began := time.Now(); (seen.Load() < watches || streams.Load() == 0) && time.Since(began) < time.Minute; { // the reads may be faster than the stream
		time.Sleep(time.Millisecond)
	}
	if seen.Load() != watches || streams.Load() != 1 {
		t.Errorf("%d of %d documents were seen, through %d streams", seen.Load(), watches, streams.Load())
	}
	cancel()
	ended.Wait()
	again, stop := context.WithCancel(context.Background())
	defer stop()
	if err := e.Watch(again, "d", func(_ store.Document) { stop() }); err == nil {
		t.Errorf("a watch has ended without a reason")
	}
	// The second stream may be opened before it is known that nobody watches any more, or not.
	if n := streams.Load(); n > 2 {
		t.Errorf("%d streams", n)
	}
}
