package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core/mirror"
)

// mirrored is a real server with a rollout whose stable variant serves, and whose canary gets copies as settings say, which
// are JSON.
func mirrored(t *testing.T, stable, canary script, settings string) (server *httptest.Server, done chan any, name string) {
	t.Helper()
	if !strings.Contains(settings, `"timeout"`) {
		settings += `, "timeout": "1m"` // longer than a busy machine needs
	}
	h, name := scriptedRollout(t, stable, canary, `"rules": [], "mirrors": [{"target": "canary"`+settings+`}]`)
	work(t, h)
	server, done = serveReal(t, h)
	return server, done, name
}

// work does the background work of a rollout until the test ends.
func work(t *testing.T, h *Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		h.engine.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	atWork(t, h.Name)
}

// atWork waits until copies are sent.
func atWork(t *testing.T, name string) {
	t.Helper()
	eventually(t, "copies are sent", func() bool { return len(liveOf(t, name).MirrorLedgers()) > 0 })
}

// mirrorCounted waits until as many copies, and no others, have come to their ends.
func mirrorCounted(t *testing.T, name, mirrorName string, want map[string]int64) {
	t.Helper()
	var got map[string]int64
	defer func() {
		if t.Failed() {
			t.Logf("the copies were %v", got)
		}
	}()
	eventually(t, fmt.Sprintf("the copies were %v", want), func() bool {
		got = nil
		for _, l := range liveOf(t, name).MirrorLedgers() {
			if l.Name() == mirrorName {
				got = l.Counts.Tally()
			}
		}
		for outcome, n := range want {
			if got[outcome] < n {
				return false
			}
		}
		return true
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the copies were %v, want %v", got, want)
	}
}

// report returns what a mirror's copies taught.
func report(t *testing.T, name string) mirror.Report {
	t.Helper()
	reports, _ := liveOf(t, name).Mirrors()
	if len(reports) != 1 {
		t.Fatalf("there are %d reports", len(reports))
	}
	return reports[0]
}

// fetch sends a request to a server and returns the answer.
func fetch(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(content)}
}

// TestUnpleasantMirrors: the client is answered before anything lets go of the copy.
func TestUnpleasantMirrors(t *testing.T) {
	for name, test := range map[string]struct {
		canary script // once it is released
		want   map[string]int64
	}{
		"hangs": {func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		}, map[string]int64{"sent": 1, "timed_out": 1, "compared": 1, "different": 1}},
		"hangs in the middle": {func(w http.ResponseWriter, r *http.Request) error {
			_, _ = io.WriteString(w, "hel")
			<-r.Context().Done()
			return r.Context().Err()
		}, map[string]int64{"sent": 1, "timed_out": 1, "compared": 1, "different": 1}},
		"does not notice that its time is over": {func(w http.ResponseWriter, _ *http.Request) error {
			for {
				time.Sleep(100 * time.Millisecond)
				if _, err := w.Write([]byte("x")); err != nil {
					panic(http.ErrAbortHandler)
				}
			}
		}, map[string]int64{"sent": 1, "timed_out": 1, "compared": 1, "different": 1}},
		"breaks": {func(http.ResponseWriter, *http.Request) error {
			panic("the canary")
		}, map[string]int64{"sent": 1, "failed": 1, "compared": 1, "different": 1}},
		"fails": {func(http.ResponseWriter, *http.Request) error {
			return errBroken
		}, map[string]int64{"sent": 1, "failed": 1, "compared": 1, "different": 1}},
		"finds nothing": {func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusNotFound, errors.New("nothing"))
		}, map[string]int64{"sent": 1, "answered": 1, "compared": 1, "different": 1}},
		"answers 100 MB": {func(w http.ResponseWriter, _ *http.Request) error {
			part := make([]byte, 1<<20)
			for range 100 {
				if _, err := w.Write(part); err != nil {
					return err
				}
			}
			t.Error("100 MB were read")
			return nil
		}, map[string]int64{"sent": 1, "answered": 1, "answers_cut": 1, "compared": 1, "different": 1}},
		"answers alike": {hello, map[string]int64{"sent": 1, "answered": 1, "compared": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			timeout := "1m" // longer than a busy machine needs
			if test.want["timed_out"] > 0 {
				timeout = "2s"
			}
			server, _, rollout := mirrored(t, hello, func(w http.ResponseWriter, r *http.Request) error {
				<-release
				return test.canary(w, r)
			}, `, "timeout": "`+timeout+`", "compare": ["status", "body"]`)
			if got := fetch(t, http.MethodGet, server.URL, ""); got.status != http.StatusOK || got.body != "hello" {
				t.Errorf("the client gets %d %q", got.status, got.body)
			}
			close(release)
			mirrorCounted(t, rollout, "canary", test.want)
		})
	}
}

// TestClientWhoHasItAll: a client who closes the connection once he was answered in full was answered in full, even if the
// handlers learn of it before they are done. One who leaves before was not.
func TestClientWhoHasItAll(t *testing.T) {
	for name, test := range map[string]struct {
		more int // bytes, after those that he reads
		want map[string]int64
	}{
		"all":  {0, map[string]int64{"sent": 1, "answered": 1, "compared": 1}},
		"part": {100_000_000, map[string]int64{"sent": 1, "answered": 1, "uncompared": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			server, done, rollout := mirrored(t, func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Content-Length", strconv.Itoa(len("hello")+test.more))
				_ = hello(w, r)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				for range test.more / 100_000 {
					_, _ = w.Write(make([]byte, 100_000))
				}
				return nil
			}, hello, `, "compare": ["status"]`)
			response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(response.Body, make([]byte, 5)); err != nil {
				t.Error(err)
			}
			_ = response.Body.Close()
			<-done
			mirrorCounted(t, rollout, "canary", test.want)
		})
	}
}

// TestMirrorLeavesNothingBehind: copies leave neither goroutines nor memory.
func TestMirrorLeavesNothingBehind(t *testing.T) { mirrorLeavesNothingBehind(t, 2_000) }

func mirrorLeavesNothingBehind(t *testing.T, copies int) {
	t.Helper()
	h, name := scriptedRollout(t, hello, hello, `"rules": [], "mirrors": [{"target": "canary", "compare": ["status", "body"], "control": "baseline"}]`)
	work(t, h)
	send := func(n int) {
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for range n / 4 {
					if w := ask(h, request(http.MethodGet)); w.Body.String() != "hello" {
						t.Errorf("answered with %q", w.Body)
					}
				}
			})
		}
		clients.Wait()
		eventually(t, "no copies are under way", func() bool { return len(h.sender.running) == 0 })
	}
	send(1000)
	goroutines, held := footprint()
	send(copies)
	eventually(t, "the goroutines end", func() bool { n, _ := footprint(); return n <= goroutines+10 })
	if _, after := footprint(); after > held+8<<20 {
		t.Errorf("%d KiB are held, and %d KiB were before", after>>10, held>>10)
	}
	l := liveOf(t, name).MirrorLedgers()[0]
	eventually(t, "all are accounted for", func() bool {
		counted := l.Counts.Tally()
		return counted["answered"]+counted["dropped_concurrency"] == int64(1000+copies) && counted["compared"] == counted["answered"]
	})
	if different := l.Counts.Different.Load(); different > 0 {
		t.Errorf("%d answers differ", different)
	}
}

// TestCopiesHaveTheirOwn variables, placeholders, URL and headers: handlers change all of them, of both requests at once.
func TestCopiesHaveTheirOwn(t *testing.T) {
	name := unique("own")
	variant := func(variant string) string {
		return `
			variant ` + variant + ` {
				vars by ` + variant + `
				uri strip_prefix /shop
				request_header X-Who {who}
				header X-Preset "{http.response.header.X-Preset}"
				handle /answer* {
					respond "{http.vars.area} {http.request.uri} {http.request.orig_uri} {http.request.header.X-Who} {http.request.cookie.id} {http.vars.client_ip}"
				}
			}`
	}
	g := start(t, `
		map {http.request.header.X-User} {who} {
			default "user {http.request.header.X-User}"
		}
		vars area north
		rollout `+name+` {
			`+variant("stable")+`
			`+variant("canary")+`
			mirror canary {
				concurrency 1000
				timeout 1m
				compare status body header Content-Type
			}
		}`)
	atWork(t, name)
	var clients sync.WaitGroup
	for i := range 200 {
		clients.Go(func() {
			got := g.get(t, fmt.Sprintf("/shop/answer?n=%d", i), fmt.Sprintf("X-User: %d", i), fmt.Sprintf("Cookie: id=%d", i))
			want := fmt.Sprintf("north /answer?n=%d /shop/answer?n=%[1]d user %[1]d %[1]d 127.0.0.1", i)
			if got.body != want {
				t.Errorf("the client gets %q, want %q", got.body, want)
			}
		})
	}
	clients.Wait()
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 200, "answered": 200, "compared": 200})
	if found := report(t, name); found.Mismatch != 0 || len(found.Pairs) > 0 {
		t.Errorf("the report is %+v", found)
	}
	if got := g.get(t, "/elsewhere"); got.status != http.StatusOK || got.body != "" {
		t.Errorf("what no variant answers is answered with %d %q", got.status, got.body)
	}
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 201, "answered": 200, "failed": 1, "compared": 201, "different": 1})
}

// footprint returns how many goroutines there are, and how much memory is held.
func footprint() (goroutines int, held uint64) {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return runtime.NumGoroutine(), stats.HeapAlloc
}
