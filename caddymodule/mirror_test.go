package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
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
	reports := liveOf(t, name).Mirrors()
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
			server, _, rollout := mirrored(t, hello, func(w http.ResponseWriter, r *http.Request) error {
				<-release
				return test.canary(w, r)
			}, `, "timeout": "2s", "compare": ["status", "body"]`)
			if got := fetch(t, http.MethodGet, server.URL, ""); got.status != http.StatusOK || got.body != "hello" {
				t.Errorf("the client gets %d %q", got.status, got.body)
			}
			close(release)
			mirrorCounted(t, rollout, "canary", test.want)
		})
	}
}

// TestMirrorLeavesNothingBehind: a hundred thousand copies leave neither goroutines nor memory.
func TestMirrorLeavesNothingBehind(t *testing.T) {
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
	send(100_000)
	eventually(t, "the goroutines end", func() bool { n, _ := footprint(); return n <= goroutines+10 })
	if _, after := footprint(); after > held+8<<20 {
		t.Errorf("%d KiB are held, and %d KiB were before", after>>10, held>>10)
	}
	l := liveOf(t, name).MirrorLedgers()[0]
	eventually(t, "all are accounted for", func() bool {
		counted := l.Counts.Tally()
		return counted["answered"]+counted["dropped_concurrency"] == 101_000 && counted["compared"] == counted["answered"]
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

// TestMirroredBodies: a copy has the body that the variant read, also where another variant has to read it again, and none
// is copied that the client did not send to its end.
func TestMirroredBodies(t *testing.T) {
	bodies := make(chan string, 10)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		bodies <- fmt.Sprintf("%s %s %s", r.Method, r.URL, content)
	}))
	defer target.Close()
	begun := make(chan struct{})
	h, name := scriptedRollout(t, func(w http.ResponseWriter, r *http.Request) error {
		content, _ := io.ReadAll(r.Body)
		_, err := w.Write(content)
		return err
	}, func(_ http.ResponseWriter, r *http.Request) error {
		first := make([]byte, 4)
		_, _ = io.ReadFull(r.Body, first)
		if string(first) == "slow" {
			close(begun)
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_ = r.Body.Close() // nobody reads it in the background
		return errBroken
	}, `"fallback_methods": ["POST"], "mirrors": [{"target": "`+target.URL+`/next", "name": "next", "methods": ["POST"], "max_body": "1KiB"}]`)
	work(t, h)
	server, _ := serveReal(t, h)
	if got := fetch(t, http.MethodPost, server.URL+"/a?b=c", "hello world"); got.body != "hello world" {
		t.Errorf("the baseline answers %d %q", got.status, got.body)
	}
	if got := <-bodies; got != "POST /next/a?b=c hello world" {
		t.Errorf("the target is sent %q", got)
	}
	large := strings.Repeat("x", 2000)
	if got := fetch(t, http.MethodPost, server.URL, large); got.body != large {
		t.Errorf("the baseline answers %d", got.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, reader)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			response.Body.Close()
		}
		close(ended)
	}()
	_, _ = writer.Write([]byte("slow"))
	<-begun
	cancel()
	_ = writer.CloseWithError(context.Canceled)
	<-ended
	mirrorCounted(t, name, "next", map[string]int64{"sent": 1, "answered": 1, "body_too_long": 1, "body_incomplete": 1})
}

// TestWhatIsNotMirrored: copies, connections that become something else, and what the target serves itself.
func TestWhatIsNotMirrored(t *testing.T) {
	seen := make(chan http.Header, 10)
	noting := func(w http.ResponseWriter, r *http.Request) error {
		seen <- r.Header.Clone()
		return hello(w, r)
	}
	h, name := scriptedRollout(t, noting, noting, `"rules": [{"name": "qa", "use": "canary", "when": "header(\"X-QA\").exists()"}], "mirrors": [{"target": "canary"}]`)
	work(t, h)
	server, _ := serveReal(t, h)
	for _, headers := range [][]string{
		{"X-Rollout-Mirror: other"}, {"Upgrade: websocket", "Connection: Upgrade"}, {"X-QA: 1"},
	} {
		fetch(t, http.MethodGet, server.URL, "", headers...)
		if original := <-seen; original.Get(mirror.Header) != "" {
			t.Errorf("%v: the variant is told that it serves a copy", headers)
		}
	}
	fetch(t, http.MethodPost, server.URL, "")
	<-seen
	fetch(t, http.MethodGet, server.URL, "", "X-Request-Id: 7")
	marked := 0
	for range 2 {
		header := <-seen
		if header.Get("X-Request-Id") != "7" {
			t.Errorf("the request's id is %q", header.Get("X-Request-Id"))
		}
		if header.Get(mirror.Header) == name && header.Get("X-Rollout-Variant") == "canary" {
			marked++
		}
	}
	if marked != 1 {
		t.Errorf("%d of two requests are marked as copies for the canary", marked)
	}
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 1, "answered": 1, "loop": 1, "upgrade": 1})
	select {
	case header := <-seen:
		t.Errorf("one copy more: %v", header)
	default:
	}
}

// TestMirroredRules: what a rule sent to one variant is copied to another. The answers are not the baseline's, and not
// compared.
func TestMirroredRules(t *testing.T) {
	name := unique("ruled")
	next := startBackend(t, "next")
	g := start(t, `
		rollout `+name+` {
			variant stable {
				respond "stable"
			}
			variant canary {
				respond "canary"
			}
			variant next `+next.address+`
			rule qa canary `+"`header(\"X-QA\") == \"1\"`"+`
			mirror next {
				compare body
			}
		}`)
	atWork(t, name)
	if got := g.get(t, "/", "X-QA: 1"); got.body != "canary" {
		t.Errorf("the rule sends to %q", got.body)
	}
	mirrorCounted(t, name, "next", map[string]int64{"sent": 1, "answered": 1})
	if got := g.get(t, "/"); got.body != "stable" {
		t.Errorf("the base is %q", got.body)
	}
	mirrorCounted(t, name, "next", map[string]int64{"sent": 2, "answered": 2, "compared": 1, "different": 1})
}

// TestMirrorsStayInTheirVariant: a copy for a variant of the shared pool whose upstreams are away goes to nobody, and one
// that takes too long takes no upstream away from the clients.
func TestMirrorsStayInTheirVariant(t *testing.T) {
	name := unique("pooled")
	stable := startBackend(t, "stable")
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(mirror.Header) != "" {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, "canary")
	}))
	defer canary.Close()
	gone := startBackend(t, "gone")
	gone.Close()
	g := start(t, `
		rollout `+name+` {
			variant stable where version=1
			variant canary where version=2
			variant gone where version=3
			upstreams {
				`+stable.address+` version=1
				`+canary.Listener.Addr().String()+` version=2
				`+gone.address+` version=3
				proxy {
					fail_duration 1h
					lb_retries 2
				}
			}
			rule qa canary `+"`header(\"X-QA\") == \"1\"`"+`
			mirror canary {
				timeout 500ms
			}
			mirror gone
		}`)
	atWork(t, name)
	for range 3 {
		if got := g.get(t, "/"); got.body != "stable" {
			t.Errorf("the base is %q", got.body)
		}
	}
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 3, "timed_out": 3})
	mirrorCounted(t, name, "gone", map[string]int64{"sent": 3, "failed": 3})
	if n := stable.requests.Load(); n != 3 {
		t.Errorf("the baseline's upstream got %d requests of 3 clients", n)
	}
	if got := g.get(t, "/", "X-QA: 1"); got.body != "canary" {
		t.Errorf("a client of the canary gets %q", got.body)
	}
}

// TestMirrorNoise: what differs between two answers of the baseline is no difference of the canary's.
func TestMirrorNoise(t *testing.T) {
	counting := func(w http.ResponseWriter, r *http.Request) error {
		_, err := fmt.Fprintf(w, `{"id": %q, "price": %d}`, unique("id"), map[bool]int{false: 5, true: 6}[r.Header.Get("X-Rollout-Variant") == "canary"])
		return err
	}
	server, _, name := mirrored(t, counting, counting, `, "compare": ["json"], "control": "baseline", "concurrency": 100`)
	for range 30 {
		fetch(t, http.MethodGet, server.URL+"/?token=secret", "")
	}
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 30, "answered": 30, "compared": 30, "different": 30})
	found := report(t, name)
	if len(found.Fields) != 2 || found.Mismatch != 1 || !found.Controlled {
		t.Fatalf("the report is %+v", found)
	}
	for _, field := range found.Fields {
		if field.Above != (field.Name == "$.price") {
			t.Errorf("%+v", field)
		}
	}
	if text := fmt.Sprintf("%+v", found.Pairs); len(found.Pairs) != 30 || strings.Contains(text, "secret") {
		t.Errorf("the pairs are %s", text)
	}
}

// TestMirrorMetrics: every outcome is there from the start.
func TestMirrorMetrics(t *testing.T) {
	name := unique("metrics")
	g := start(t, `
		rollout `+name+` {
			variant stable {
				respond "stable"
			}
			variant canary {
				respond "canary"
			}
			mirror canary {
				compare body
			}
		}`)
	atWork(t, name)
	var before map[string]float64
	eventually(t, "the mirror is shown", func() bool {
		before = scrape(t, name)
		_, isShown := before["mirror_mismatch_ratio canary"]
		return isShown
	})
	shown := 0
	for metric := range before {
		if strings.HasPrefix(metric, "mirror_") {
			shown++
		}
	}
	if shown != 9+3+1 {
		t.Errorf("%d series of mirrors are shown: %v", shown, before)
	}
	g.get(t, "/")
	mirrorCounted(t, name, "canary", map[string]int64{"sent": 1, "answered": 1, "compared": 1, "different": 1})
	got := scrape(t, name)
	for metric, want := range map[string]float64{
		"mirror_requests_total answered canary": 1, "mirror_comparisons_total different canary": 1,
		"mirror_comparisons_total same canary": 0, "mirror_mismatch_ratio canary": 1,
	} {
		if value, isShown := got[metric]; !isShown || value != want {
			t.Errorf("%s is %g, want %g", metric, value, want)
		}
	}
	status, _ := liveOf(t, name).Status()
	if status.Counts["mirror_canary_answered"] != 1 {
		t.Errorf("the status counts %v", status.Counts)
	}
}

// footprint returns how many goroutines there are, and how much memory is held.
func footprint() (goroutines int, held uint64) {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return runtime.NumGoroutine(), stats.HeapAlloc
}
