package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/mirror"
)

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
				timeout 1m
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
