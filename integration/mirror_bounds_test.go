package integration

import (
	"flag"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// never is a time-out that no test waits for.
const never = "10m"

var boundJourneys = []journey{
	{
		name:    "a body that is too long",
		rollout: mirrored("long", gateway.Mirror{To: "canary", Methods: []string{"POST"}, MaxBody: "1KiB"}),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Keep()
			for _, length := range []int{1024, 1025, 100_000} {
				for _, declared := range []int64{int64(length), -1} {
					req := p.request(t, "POST", make([]byte, length))
					req.ContentLength = declared
					if echo, _ := ask(t, p.g.Client(), req); echo.Length != int64(length) {
						t.Errorf("the baseline got %d bytes of %d", echo.Length, length)
					}
				}
			}
			p.counted(t, "canary", "body_too_long", 4)
			for _, e := range p.arrived(t, p.backend("canary"), 2) {
				if e.Length != 1024 {
					t.Errorf("copied: %d bytes", e.Length)
				}
			}
		},
	},
	{
		name:    "no more copies at a time than allowed",
		rollout: mirrored("crowd", gateway.Mirror{To: "canary", Concurrency: 2, Timeout: never}),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Answer(backend.Hang)
			for range 10 {
				p.get(t, "")
			}
			p.counted(t, "canary", "dropped_concurrency", 8)
			gateway.Eventually(t, "two copies are under way", func() bool { return p.backend("canary").Count("") == 2 })
			// What was under way ends, and there is room again.
			p.backend("canary").Stop(t)
			p.counted(t, "canary", "failed", 2)
			p.backend("canary").Answer(nil)
			p.backend("canary").Resume(t)
			p.get(t, "")
			p.counted(t, "canary", "answered", 1)
		},
	},
	{
		name:    "a copy that takes too long",
		rollout: mirrored("late", gateway.Mirror{To: "canary", Timeout: "5s"}),
		run: func(t *testing.T, p *pilot) {
			left := make(chan struct{}, 1)
			p.backend("canary").Answer(func(w http.ResponseWriter, r *http.Request) {
				backend.Hang(w, r)
				left <- struct{}{}
			})
			p.get(t, "")
			receive(t, left, "the canary's notice that nobody waits")
			p.counted(t, "canary", "timed_out", 1)
		},
	},
	// Whatever waited for one of these targets would never come back: their time-out is longer than any test's.
	bad("hangs", backend.Hang, nil),
	bad("drips", backend.Drip, nil),
	bad("floods", backend.Flood, map[string]int64{"sent": 50, "answered": 50, "answers_cut": 50}),
	{
		name:    "a target that refuses connections",
		rollout: mirrored("refuses", gateway.Mirror{To: "canary", Compare: []string{"status", "body"}}),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Stop(t)
			for range 50 {
				p.get(t, "")
			}
			p.counted(t, "canary", "failed", 50)
		},
	},
}

// bad is a journey with a target that answers so. Clients get their answers all the same, and at once.
func bad(name string, answer http.HandlerFunc, want map[string]int64) journey {
	return journey{
		name: "a target that " + name,
		rollout: mirrored(name,
			gateway.Mirror{To: "canary", Compare: []string{"status", "body"}, Timeout: never, Concurrency: 4}),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Answer(answer)
			for i := range 50 {
				p.get(t, "")
				if want != nil { // all are to be sent, so there has to be room
					p.sent(t, "canary", int64(i+1))
				}
			}
			for what, n := range want {
				p.counted(t, "canary", what, n)
			}
			if want == nil {
				p.counted(t, "canary", "dropped_concurrency", 46)
			}
		},
	}
}

// memoryScenario uploads more at the same time than mirrors may keep.
var memoryScenario = scenario{
	name: "a thousand large uploads at a time, with bounded memory",
	site: weighed(counted(mirrored("uploads", gateway.Mirror{To: "canary", Methods: []string{"POST"}, MaxBody: "4MiB", Concurrency: 16, Timeout: never}))),
	run: func(t *testing.T, g *gateway.Gateway) {
		p := &pilot{g: g, rollout: g.Site.Rollouts[0]}
		// No upload ends before all have begun, and the canary answers none: so nothing that is kept can be let go early.
		const clients, length = 1000, 2 * mebibyte
		var begun sync.WaitGroup
		begun.Add(clients)
		p.backend("canary").Answer(backend.Hang)
		stable := p.backend("stable")
		echo, connecting := stable.As("/"), make(chan struct{}, 20) // a thousand at once are more than a busy machine connects in time
		stable.Answer(func(w http.ResponseWriter, r *http.Request) {
			<-connecting
			echo(w, r)
		})
		before := g.PeakMemory(t)
		upload := func() error {
			half := sync.OnceFunc(func() { begun.Done(); begun.Wait() })
			req, err := http.NewRequest(http.MethodPost, g.URL(p.path()), &halting{length: length, half: half})
			if err != nil {
				return err
			}
			req.ContentLength = -1
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 4 * time.Minute}).Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return statusError(resp.StatusCode)
			}
			_, _, err = backend.Sum(resp.Body)
			return err
		}
		failed := make(chan error, clients)
		for range clients {
			connecting <- struct{}{}
			go func() { failed <- upload() }()
		}
		for range clients {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		r := p.report(t, "canary")
		if dropped := r.Counts["dropped_concurrency"]; dropped != clients-16 {
			t.Errorf("%d uploads were not copied for want of room, want %d: %v", dropped, clients-16, r.Counts)
		}
		// All bodies together are 2 GB, of which mirrors may keep 32; the gateway's own connections take some of each.
		grown := g.PeakMemory(t) - before
		t.Logf("the process grew by %d MiB", grown/mebibyte)
		if grown > 600*mebibyte {
			t.Errorf("the process grew by %d MiB", grown/mebibyte)
		}
	},
}

var copies = flag.Int("copies", 10_000, "how many requests are copied before it is looked at what that leaves behind")

// goroutineScenario sees whether copies leave anything behind.
var goroutineScenario = scenario{
	name: "many copies leave nothing behind",
	site: weighed(counted(mirrored("many", gateway.Mirror{To: "canary", Compare: []string{"status", "body"}}))),
	run: func(t *testing.T, g *gateway.Gateway) {
		p := &pilot{g: g, rollout: g.Site.Rollouts[0]}
		some := func(n int) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range n / 8 {
						if _, err := visit(g.Client(), g.URL(p.path()), ""); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
		some(1000)
		goroutines, heap := g.Goroutines(t), g.Heap(t)
		some(*copies)
		gateway.Eventually(t, "no copy is under way", func() bool {
			return g.Goroutines(t) <= goroutines+200 // of connections that are kept, two each
		})
		// Latencies of a thousand answers and a hundred pairs are kept, whatever comes.
		if now := g.Heap(t); now > heap+16*mebibyte {
			t.Errorf("%d bytes are in use, and were %d", now, heap)
		}
		t.Logf("after %d copies %v, %d goroutines, of which there were %d, %d KiB in use, of which there were %d", *copies, p.report(t, "canary").Counts, g.Goroutines(t), goroutines, g.Heap(t)>>10, heap>>10)
	},
}

// halting is a body that is held up in its middle.
type halting struct {
	length, read int
	half         func()
}

func (h *halting) Read(p []byte) (int, error) {
	if h.read >= h.length/2 {
		h.half()
	}
	n := min(len(p), h.length-h.read)
	h.read += n
	if h.read == h.length {
		return n, io.EOF
	}
	return n, nil
}
