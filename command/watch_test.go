package command

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// watching is a watch that runs.
type watching struct {
	out, complaints output
	code            chan int
	interrupt       context.CancelFunc
}

func (g *gateway) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	t.Setenv("GRAYLING_SERVER", g.url)
	t.Setenv("GRAYLING_TOKEN", token)
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{code: make(chan int, 1), interrupt: cancel}
	go func() { w.code <- executeInto(ctx, &w.out, &w.complaints, append([]string{"watch"}, args...)...) }()
	t.Cleanup(cancel)
	return w
}

// shows waits until the watch has printed something.
func (w *watching) shows(t *testing.T, part string) {
	t.Helper()
	eventually(t, "watch shows "+part, func() bool { return strings.Contains(w.out.String(), part) })
}

// ends waits for the watch to end with an exit code.
func (w *watching) ends(t *testing.T, code int, part string) {
	t.Helper()
	if got := <-w.code; got != code || !strings.Contains(w.complaints.String(), part) {
		t.Errorf("exit code %d, want %d with %q: %s%s", got, code, part, w.out.String(), w.complaints.String())
	}
}

func TestWatch(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	w := g.watch(t, "checkout")
	w.shows(t, "checkout: progressing, step 1/3, canary 10% (version 1)\n")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Pause})
	w.shows(t, "  paused  paused, step 1  pause\n")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Resume})
	w.shows(t, "  resumed  progressing, step 1  resume\n")
	if got := strings.Count(w.out.String(), "\n"); got != 3 {
		t.Errorf("%d lines, want 3:\n%s", got, w.out.String())
	}
	w.interrupt()
	w.ends(t, 0, "")
}

func TestWatchUntil(t *testing.T) {
	for _, c := range []struct {
		until string
		verb  rollout.Command
		code  int
		part  string
	}{
		{"promoted", rollout.Command{Verb: rollout.Promote, Full: true}, 0, ""},
		{"paused", rollout.Command{Verb: rollout.Pause}, 0, ""},
		{"rolled_back", rollout.Command{Verb: rollout.Abort}, 0, ""},
		{"promoted", rollout.Command{Verb: rollout.Abort}, exitRolledBack, "Error: checkout is rolled back\n"},
		{"paused", rollout.Command{Verb: rollout.Abort}, exitRolledBack, "Error: checkout is rolled back\n"},
	} {
		g := newGateway(t)
		g.release(t, "checkout", "v2")
		w := g.watch(t, "checkout", "--until", c.until)
		w.shows(t, "version 1")
		g.command(t, "checkout", c.verb)
		w.ends(t, c.code, c.part)
		g.watch(t, "checkout", "--until", c.until).ends(t, c.code, c.part) // it has been so before
	}
}

func TestWatchOneRevision(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v1")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Abort})
	w := g.watch(t, "checkout", "--until", "promoted", "--revision", "v2")
	w.shows(t, "checkout: rolled_back")
	g.release(t, "checkout", "v2")
	w.shows(t, "started  progressing, step 1")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Promote, Full: true})
	w.ends(t, 0, "")
}

func TestWatchForSomeTime(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	g.watch(t, "checkout", "--until", "promoted", "--within", "50ms").ends(t, exitTime, "Error: checkout is not promoted within 50ms\n")
	w := g.watch(t, "checkout", "--until", "promoted")
	w.shows(t, "version 1")
	w.interrupt()
	w.ends(t, exitRefused, "interrupted before checkout was promoted")
}

func TestWatchForPrograms(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	w := g.watch(t, "checkout", "--json")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Pause})
	eventually(t, "the watch has begun", func() bool {
		if !strings.Contains(w.out.String(), "\n") { // it may have begun behind that event
			g.command(t, "checkout", rollout.Command{Verb: rollout.Resume})
			g.command(t, "checkout", rollout.Command{Verb: rollout.Pause})
		}
		return strings.Contains(w.out.String(), "\n")
	})
	for line := range strings.Lines(w.out.String()) {
		if !strings.HasPrefix(line, `{"id":`) || !strings.HasSuffix(line, "}\n") {
			t.Errorf("the line %q is no event", line)
		}
	}
}

func TestWatchNobody(t *testing.T) {
	g := newGateway(t)
	g.talk(t, exitRefused, []string{`no rollout "checkout" runs`}, "watch", "checkout")
	g.talk(t, exitUnreachable, []string{"cannot be reached"}, "watch", "checkout", "--server", "http://127.0.0.1:1")
}

// TestWatchOverRestarts breaks the stream off, has the gateway refuse for a moment, and goes on behind the event that
// was seen last.
func TestWatchOverRestarts(t *testing.T) {
	var streams atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/events"):
			fmt.Fprint(w, `{"name": "checkout", "state": "progressing", "version": "1"}`)
		case r.Header.Get("Accept") == "":
			fmt.Fprint(w, `{"events": [{"id": 1, "event": "started"}]}`)
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			n := streams.Add(1)
			if n == 2 {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			state := "progressing"
			if n == 3 {
				state = "promoted"
			}
			fmt.Fprintf(w, ":\n\nid: %d\nevent: x\ndata: {\"id\": %d, \"event\": \"behind_%s\", \"state\": %q}\n\n", n+1, n+1, r.Header.Get("Last-Event-ID"), state)
		}
	}))
	t.Cleanup(server.Close)
	g := &gateway{url: server.URL}
	w := g.watch(t, "checkout", "--until", "promoted")
	w.ends(t, 0, "answers 502 Bad Gateway: is that where the gateway is controlled?: trying again\n")
	if got := w.out.String(); !strings.Contains(got, "behind_1") || !strings.Contains(got, "behind_2") || streams.Load() != 3 {
		t.Errorf("%d streams: %s", streams.Load(), got)
	}
}

func TestWatchOfOddEvents(t *testing.T) {
	for _, c := range []struct{ kind, body, part string }{
		{"application/json", "{}", "the answer is no stream of events"},
		{"text/event-stream", "data: {\n\n", "the event is not what a gateway says of a rollout"},
		{"text/event-stream", "data: " + strings.Repeat("x", 2<<20) + "\n\n", "token too long"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") == "" {
				fmt.Fprint(w, `{}`)
				return
			}
			w.Header().Set("Content-Type", c.kind)
			fmt.Fprint(w, c.body)
		}))
		g := &gateway{url: server.URL}
		w := g.watch(t, "checkout")
		eventually(t, "watch says "+c.part, func() bool { return strings.Contains(w.complaints.String(), c.part) })
		w.interrupt()
		w.ends(t, 0, "")
		server.Close()
	}
}
