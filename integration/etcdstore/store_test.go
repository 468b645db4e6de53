package etcdstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/store/storetest"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// each runs a test with every etcd there is.
func each(t *testing.T, test func(t *testing.T, program string)) {
	t.Helper()
	for name, program := range Programs(t) {
		t.Run(name, func(t *testing.T) { test(t, program) })
	}
}

// open returns the store of a gateway. A member may take long to answer where nothing else is said: on a busy machine it does.
func open(t *testing.T, c *Cluster, settings store.EtcdSettings) *store.Etcd {
	t.Helper()
	settings.Timeout = cmp.Or(settings.Timeout, 20*time.Second)
	if settings.Endpoints == nil {
		settings.Endpoints = c.Endpoints()
	}
	if c.TLS != nil {
		settings.TLS = func() (*tls.Config, error) { return c.TLS, nil }
	}
	e, err := store.NewEtcd(settings)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// swapped replaces a document, and tries again while the store is away.
func swapped(t *testing.T, s store.Store, name, content string) store.Document {
	t.Helper()
	var d store.Document
	gateway.Eventually(t, "written: "+content, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
		defer cancel()
		now, err := s.Load(ctx, name)
		if err != nil {
			t.Logf("loading: %v", err)
			return false
		}
		version := now.Version
		if string(now.Content) != content { // or an attempt that seemed to fail did not
			version, err = s.Swap(ctx, name, now.Version, []byte(content))
		}
		if err != nil {
			t.Logf("writing: %v", err)
			return false
		}
		d = store.Document{Version: version, Content: []byte(content)}
		return true
	})
	return d
}

// watch remembers the last version seen, as a gateway that watches again whenever the store is away.
type watch struct {
	last atomic.Value // string, the version
	lost atomic.Int64 // how often the store was away
}

func watching(t *testing.T, s store.Store, name string) *watch {
	t.Helper()
	w := &watch{}
	w.last.Store("nothing yet")
	var ended sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	ended.Go(func() {
		for ctx.Err() == nil {
			err := s.Watch(ctx, name, func(d store.Document) { w.last.Store(d.Version) })
			if !errors.Is(err, context.Canceled) {
				w.lost.Add(1)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return w
}

func (w *watch) sees(t *testing.T, version string) {
	t.Helper()
	gateway.Eventually(t, "seen: "+version, func() bool { return w.last.Load() == version })
}

// TestOneMember does what needs only one, and its restart in the end.
func TestOneMember(t *testing.T) {
	each(t, func(t *testing.T, program string) {
		c := Start(t, program, 1, nil)
		t.Run("contract", func(t *testing.T) {
			storetest.Contract(t, func() store.Store { return open(t, c, store.EtcdSettings{Prefix: "/contract"}) })
		})
		t.Run("members", func(t *testing.T) {
			storetest.Members(t, func() store.Members { return open(t, c, store.EtcdSettings{Prefix: "/contract"}) })
		})
		t.Run("races", func(t *testing.T) { races(t, c) })
		t.Run("quick changes", func(t *testing.T) { quickChanges(t, c) })
		t.Run("compaction", func(t *testing.T) { compaction(t, c) })
		t.Run("sizes", func(t *testing.T) { sizes(t, c) })
		t.Run("leaks", func(t *testing.T) { leaks(t, c) })
		t.Run("restart", func(t *testing.T) { restart(t, c) })
	})
}

// races lets eight count: each number is there once.
func races(t *testing.T, c *Cluster) {
	const writers, counts = 8, 20
	var counting sync.WaitGroup
	for range writers {
		e := open(t, c, store.EtcdSettings{})
		counting.Go(func() {
			for done := 0; done < counts; {
				d, err := e.Load(t.Context(), "races")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(d.Content)) // 0 of what is not there
				_, err = e.Swap(t.Context(), "races", d.Version, []byte(strconv.Itoa(n+1)))
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	counting.Wait()
	d, err := open(t, c, store.EtcdSettings{}).Load(t.Context(), "races")
	if err != nil || string(d.Content) != strconv.Itoa(writers*counts) {
		t.Errorf("%d counted to %d each, and together to %s, error %v", writers, counts, d.Content, err)
	}
}

func quickChanges(t *testing.T, c *Cluster) {
	e := open(t, c, store.EtcdSettings{})
	w := watching(t, open(t, c, store.EtcdSettings{}), "quick")
	w.sees(t, "")
	version := ""
	for i := range 100 {
		next, err := e.Swap(t.Context(), "quick", version, []byte(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		version = next
	}
	w.sees(t, version)
	if err := c.Members[0].Post("", "/v3/kv/deleterange", map[string]any{"key": []byte("/grayling/state/quick")}, nil); err != nil {
		t.Fatal(err)
	}
	w.sees(t, "")
	w.sees(t, swapped(t, e, "quick", `"anew"`).Version)
	if lost := w.lost.Load(); lost > 0 {
		t.Errorf("the watch was lost %d times", lost)
	}
}

// compaction changes the document and forgets the change between the moment when the watch reads it and the one when it
// begins to follow it.
func compaction(t *testing.T, c *Cluster) {
	to, err := url.Parse(c.Members[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, c, store.EtcdSettings{})
	first := swapped(t, e, "compaction", "1")
	var watches atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(to)
	forward.FlushInterval = -1
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v3/watch" && watches.Add(1) == 1 {
			version := first.Version
			for i := range 3 {
				next, err := e.Swap(r.Context(), "compaction", version, []byte(strconv.Itoa(10+i)))
				if err != nil {
					t.Error(err)
				}
				version = next
			}
			revision, _, _ := strings.Cut(version, ".")
			if err := c.Members[0].Post("", "/v3/kv/compaction", map[string]any{"revision": revision}, nil); err != nil {
				t.Error(err)
			}
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close) // after the watch's end
	w := watching(t, open(t, c, store.EtcdSettings{Endpoints: []string{proxy.URL}}), "compaction")
	gateway.Eventually(t, "the watch is opened again", func() bool { return watches.Load() == 2 })
	last := swapped(t, e, "compaction", "20")
	w.sees(t, last.Version)
	if watches.Load() != 2 || w.lost.Load() > 0 {
		t.Errorf("%d watches, of which the caller saw %d fail", watches.Load(), w.lost.Load())
	}
}

// sizes: what the cluster does not take is refused for good, not as if it were away.
func sizes(t *testing.T, c *Cluster) {
	e := open(t, c, store.EtcdSettings{})
	version := ""
	for _, size := range []int{1 << 20, 2 << 20, store.MaxContent} {
		next, err := e.Swap(t.Context(), "sizes", version, bytes.Repeat([]byte("1"), size))
		if size == 1<<20 && err != nil || size > 1<<20 && !errors.Is(err, store.ErrDocument) {
			t.Errorf("%d bytes: error %v", size, err)
		}
		if err == nil {
			version = next
		}
	}
	d, err := e.Load(t.Context(), "sizes")
	if err != nil || d.Version != version || len(d.Content) != 1<<20 {
		t.Errorf("read %d bytes, version %q of %q, error %v", len(d.Content), d.Version, version, err)
	}
}

// leaks: of watches that end nothing is left, neither here nor there.
func leaks(t *testing.T, c *Cluster) {
	e := open(t, c, store.EtcdSettings{})
	before := runtime.NumGoroutine()
	const watches = 50
	ctx, cancel := context.WithCancel(t.Context())
	var ended, started sync.WaitGroup
	started.Add(watches)
	for i := range watches {
		ended.Go(func() {
			var once sync.Once
			err := e.Watch(ctx, "leaks"+strconv.Itoa(i), func(store.Document) { once.Do(started.Done) })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("watch %d: %v", i, err)
			}
		})
	}
	started.Wait()
	cancel()
	ended.Wait()
	const idle = 8 * 2 // connections are kept, with two goroutines each
	gateway.Eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+idle })
}

func restart(t *testing.T, c *Cluster) {
	e := open(t, c, store.EtcdSettings{})
	w := watching(t, open(t, c, store.EtcdSettings{}), "restart")
	w.sees(t, swapped(t, e, "restart", "1").Version)
	c.Members[0].Kill()
	gateway.Eventually(t, "the watch ends", func() bool { return w.lost.Load() > 0 })
	if _, err := e.Load(t.Context(), "restart"); err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrDocument) {
		t.Errorf("away: error %v", err)
	}
	c.Members[0].Start(t)
	w.sees(t, swapped(t, e, "restart", "2").Version)
}

// TestThreeMembers kills one after the other: what was written stays, and writing and watching go on. So does writing
// while one hangs. Without a majority both fail, instead of waiting.
func TestThreeMembers(t *testing.T) {
	each(t, func(t *testing.T, program string) {
		t.Parallel()
		impatient := store.EtcdSettings{Timeout: store.DefaultEtcdTimeout} // or who hangs would keep the test
		c := Start(t, program, 3, nil)
		e := open(t, c, impatient)
		w := watching(t, open(t, c, impatient), "checkout")
		for i, m := range c.Members {
			written := swapped(t, e, "checkout", strconv.Itoa(10*i+10))
			m.Kill()
			now := store.Document{}
			gateway.Eventually(t, "the others answer", func() bool {
				d, err := e.Load(t.Context(), "checkout")
				now = d
				return err == nil
			})
			if now.Version != written.Version {
				t.Errorf("without member %d: version %q, want %q", i, now.Version, written.Version)
			}
			w.sees(t, swapped(t, e, "checkout", strconv.Itoa(10*i+11)).Version)
			m.Start(t)
			m.Serves(t)
		}
		resume := c.Members[0].Hang(t)
		for i := range 4 { // each begins with any of the three
			swapped(t, open(t, c, impatient), "checkout", strconv.Itoa(100+i))
		}
		resume()
		c.Members[0].Kill()
		c.Members[1].Kill()
		lost := w.lost.Load()
		gateway.Eventually(t, "the watch at the member that is left ends", func() bool { return w.lost.Load() > lost })
		gateway.Eventually(t, "the member that is left refuses", func() bool {
			_, err := e.Load(t.Context(), "checkout")
			return err != nil && strings.Contains(err.Error(), "no leader")
		})
		if _, err := e.Swap(t.Context(), "checkout", "", []byte("1")); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("without a majority: error %v", err)
		}
		for ; w.lost.Load() > lost; time.Sleep(time.Second) { // before the stream fails, reads do
			lost = w.lost.Load()
		}
		waits := time.Now()
		time.Sleep(10 * time.Second) // in which the store tries again and again
		n, most := w.lost.Load()-lost, 1+int64(time.Since(waits)/(30*time.Second))
		if n > most {
			t.Errorf("while there was no majority it was told %d more times that the store is away, want one in half a minute", n)
		}
		c.Members[0].Start(t)
		w.sees(t, swapped(t, e, "checkout", "9").Version)
	})
}
