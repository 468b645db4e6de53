package mirror

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// endless is a body of so many bytes.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return n, nil
}

// TestMemoryOfUploads: with 1,000 uploads at once that never end before the last has begun, no more is kept than
// the bounds allow. What the servers and clients of this test take themselves is measured without a mirror.
func TestMemoryOfUploads(t *testing.T) {
	const (
		uploads = 1000
		before  = DefaultMaxBody - 100 // what each has sent when memory is measured: all of it is kept
		after   = 200 << 10            // what follows, without a length that was told
	)
	measure := func(concurrency int) (held uint64, ledger *Ledger) {
		var arrived sync.WaitGroup
		arrived.Add(uploads)
		release := make(chan bool)
		stable := listen(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, before)
			arrived.Done()
			<-release
			_, _ = io.Copy(io.Discard, r.Body)
		})
		target, _ := recorder(t)
		settings := posting(everything(t, target))
		settings.Concurrency = concurrency
		settings.Compare = &Comparison{Body: true}
		m := New(shop, []Settings{settings}, started(t))
		front := gateway(t, m, stable)
		var failures atomic.Int64
		var clients sync.WaitGroup
		transport := &http.Transport{}
		for range uploads {
			clients.Go(func() {
				half, gate := &endless{before}, &gated{release: release, source: &endless{after}}
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, front.URL, io.MultiReader(half, gate))
				if err == nil {
					var response *http.Response
					response, err = transport.RoundTrip(r)
					if err == nil {
						response.Body.Close()
					}
				}
				if err != nil {
					failures.Add(1)
				}
			})
		}
		arrived.Wait()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		close(release)
		clients.Wait()
		transport.CloseIdleConnections()
		if failures.Load() > 0 {
			t.Errorf("%d uploads failed", failures.Load())
		}
		return stats.HeapAlloc, m.mirrors[0].ledger
	}
	without, _ := measure(0)
	with, ledger := measure(DefaultConcurrency)
	counted(t, ledger, map[string]int64{"dropped_concurrency": uploads - DefaultConcurrency, "body_too_long": DefaultConcurrency})
	// A slice that grows has up to twice the room that it needs, and the rest of this process breathes: 64 times 64 KiB is 4
	// MiB. To keep all uploads would take 62 MiB.
	if with > without+24<<20 {
		t.Errorf("%d KiB are held, and %d KiB without a mirror", with>>10, without>>10)
	}
	t.Logf("%d KiB are held, and %d KiB without a mirror", with>>10, without>>10)
}

// gated is a body that begins when it is released.
type gated struct {
	release chan bool
	source  io.Reader
}

func (g *gated) Read(p []byte) (int, error) {
	<-g.release
	return g.source.Read(p)
}

// TestNothingIsLeftBehind: many copies leave neither goroutines nor slots behind.
func TestNothingIsLeftBehind(t *testing.T) {
	stable, target := listen(t, echo()), listen(t, echo())
	settings := posting(everything(t, target))
	settings.Compare = &Comparison{Status: true, Body: true}
	settings.Control = toward(t, stable)
	m := New(shop, []Settings{settings}, started(t))
	front := gateway(t, m, stable)
	send := func(n int) {
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for i := range n {
					method, content := http.MethodGet, ""
					if i%2 == 0 {
						method, content = http.MethodPost, "hello"
					}
					if status, _ := do(t, method, front.URL, content); status != http.StatusOK {
						t.Errorf("answered with %d", status)
					}
				}
			})
		}
		clients.Wait()
		idle(t, m.mirrors[0].ledger)
	}
	send(50)
	before := runtime.NumGoroutine()
	send(500)
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+10 })
	counts := m.mirrors[0].ledger.Counts.Tally()
	if counts["answered"]+counts["dropped_concurrency"] != 2200 || counts["compared"] != counts["answered"] {
		t.Errorf("counted are %v", counts)
	}
	if share, known := m.mirrors[0].ledger.Mismatch(100); share != 0 || !known {
		t.Errorf("the mismatch is %g, known %v", share, known)
	}
}

// FuzzCompare holds that a document differs from itself in nothing, and that comparing ends in the same fields both ways.
func FuzzCompare(f *testing.F) {
	f.Add(`{"a":[1,2,{"b":null}]}`, `{"a":[2,1.0,{"b":[]}],"c":1e3}`, "$.a", true)
	f.Add(`[[[1],[2]],"x"]`, `["x",[[2],[1]]]`, `$..b`, false)
	f.Fuzz(func(t *testing.T, first, second, ignored string, anyOrder bool) {
		c := &Comparison{JSON: true, AnyOrder: anyOrder}
		if path, err := ParsePath(ignored); err == nil {
			c.Ignore = []Path{path}
		}
		there, back, same := &findings{}, &findings{}, &findings{}
		c.answers(there, answered(200, first), answered(200, second))
		c.answers(back, answered(200, second), answered(200, first))
		if differing(there) != differing(back) {
			t.Errorf("%q there, %q back", differing(there), differing(back))
		}
		value, isJSON := parse([]byte(first))
		if isJSON {
			again, _ := parse([]byte(first))
			compareJSON(same, c, value, again)
		}
		if len(same.list) > 0 {
			t.Errorf("a document differs from itself in %q", differing(same))
		}
	})
}
