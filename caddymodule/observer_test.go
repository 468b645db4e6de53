package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var errPlain = errors.New("plain")

// TestOutcomes: what a variant does, what the engine is told, and what the client sees.
func TestOutcomes(t *testing.T) {
	respond := func(status int) script {
		return func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(status)
			return nil
		}
	}
	fail := func(err error) script { return func(http.ResponseWriter, *http.Request) error { return err } }
	write := func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") }
	const success, failure, neutral = "canary 1/0/0", "canary 0/1/0", "canary 0/0/1"

	for _, test := range []struct {
		name   string
		canary script
		want   string
		status int // 0: the response is broken off
	}{
		{"200 by writing", func(w http.ResponseWriter, _ *http.Request) error { write(w); return nil }, success, 200},
		{"200", respond(200), success, 200},
		{"304", respond(304), success, 304},
		{"404", respond(404), success, 404},
		{"500", respond(500), failure, 500},
		{"503", respond(503), failure, 503},
		{"499", respond(499), neutral, 499},
		{"nothing", fail(nil), success, 200},
		{"200 by flushing", func(w http.ResponseWriter, _ *http.Request) error {
			err := http.NewResponseController(w).Flush()
			write(w)
			return err
		}, success, 200},
		{"200 by copying", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("body"))
			return err
		}, success, 200},
		{"a second status is no news", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			w.WriteHeader(500)
			return nil
		}, success, 200},
		{"200 after early hints", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(200)
			return nil
		}, success, 200},
		{"500 after early hints", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(500)
			return nil
		}, failure, 500},
		{"an error after early hints", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			return caddyhttp.Error(502, errPlain)
		}, failure, 502},
		{"error 502", fail(caddyhttp.Error(502, errPlain)), failure, 502},
		{"error 404", fail(caddyhttp.Error(404, errPlain)), success, 404},
		{"error 499", fail(caddyhttp.Error(499, context.Canceled)), neutral, 499},
		{"error without a status", fail(caddyhttp.HandlerError{Err: errPlain}), failure, 500},
		{"a wrapped error 503", fail(fmt.Errorf("wrapped: %w", caddyhttp.Error(503, errPlain))), failure, 503},
		{"a wrapped error 403", fail(fmt.Errorf("wrapped: %w", caddyhttp.Error(403, errPlain))), success, 403},
		{"a plain error", fail(errPlain), failure, 500},
		{"an error after the header", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			return errPlain
		}, failure, 200},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) error {
			write(w)
			panic(http.ErrAbortHandler)
		}, failure, 0},
		{"broken off before the header", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }, failure, 0},
		{"an event stream that is broken off", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			write(w)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, success, 200},
		{"an event stream in capitals", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "Text/Event-Stream")
			write(w)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, success, 200},
		{"an event stream that fails", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(503)
			return nil
		}, failure, 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, name := scriptedRollout(t, nil, test.canary, `"fallback_methods": ["none"], "announce": {"response": "X-Served-By"}`)
			server, done := serveReal(t, h)
			response, err := http.Get(server.URL)
			result, _ := (<-done).(error)
			status := 0
			if err == nil {
				status = response.StatusCode
				if _, err := io.Copy(io.Discard, response.Body); err != nil && result == nil {
					t.Errorf("the body: %v", err)
				}
				response.Body.Close()
				if got := response.Header["X-Served-By"]; !slices.Equal(got, []string{"canary"}) {
					t.Errorf("the client is told %q", got)
				}
			}
			if test.status != status && (test.status != 0 || !errors.Is(result, http.ErrAbortHandler)) {
				t.Errorf("status %d, want %d (the handler returned %v)", status, test.status, result)
			}
			if got := counts(liveOf(t, name)); got != test.want {
				t.Errorf("counted %s, want %s", got, test.want)
			}
			if got := reasons(liveOf(t, name)); got != "rule 1" {
				t.Errorf("decisions: %s, want rule 1", got)
			}
		})
	}
}

// TestClientGone: a client that went away says nothing about the variant, unless it got its answer before.
func TestClientGone(t *testing.T) {
	for _, test := range []struct {
		name   string
		canary script
		want   string
	}{
		{"error", func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(502, context.Canceled) }, "canary 0/0/1"},
		{"error after the header", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			return errPlain
		}, "canary 0/0/1"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, "canary 0/0/1"},
		{"nothing written", func(http.ResponseWriter, *http.Request) error { return nil }, "canary 0/0/1"},
		{"answered", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			return nil
		}, "canary 1/0/0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, name := scriptedRollout(t, nil, test.canary, "")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			w := httptest.NewRecorder()
			func() {
				defer func() { _ = recover() }()
				_ = h.ServeHTTP(w, prepare(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), w), notFound)
			}()
			if got := counts(liveOf(t, name)); got != test.want {
				t.Errorf("counted %s, want %s", got, test.want)
			}
		})
	}
}

// TestPanicsPassThrough: whoever recovers is not the rollout.
func TestPanicsPassThrough(t *testing.T) {
	for _, fault := range []any{http.ErrAbortHandler, errPlain, "text"} {
		h, name := scriptedRollout(t, nil, func(http.ResponseWriter, *http.Request) error { panic(fault) }, "")
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if got := recover(); got != fault {
					t.Errorf("panicked with %v, want %v", got, fault)
				}
			}()
			_ = h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound)
		}()
		if got := counts(liveOf(t, name)); got != "canary 0/1/0" {
			t.Errorf("counted %s", got)
		}
	}
}

// TestConnect: a tunnel counts when it opens.
func TestConnect(t *testing.T) {
	h, name := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(200)
		panic(http.ErrAbortHandler)
	}, "")
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }()
		_ = h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodConnect, "http://shop.example", nil), w), notFound)
	}()
	if got := counts(liveOf(t, name)); got != "canary 1/0/0" {
		t.Errorf("counted %s", got)
	}
}

// TestStreams: a stream counts when its header is sent, and what is flushed arrives while it lasts.
func TestStreams(t *testing.T) {
	end := make(chan struct{})
	takeOver := func(w http.ResponseWriter, greeting string) error {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer connection.Close()
		if _, err := buffer.WriteString(greeting + "hello\n"); err != nil || buffer.Flush() != nil {
			return err
		}
		<-end
		return errPlain // too late to matter
	}
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	for _, test := range []struct {
		name   string
		canary script
		status int
	}{
		{"event stream", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "hello\n")
			err := http.NewResponseController(w).Flush()
			<-end
			return err
		}, 200},
		{"upgraded", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return takeOver(w, "")
		}, 101},
		{"taken over", func(w http.ResponseWriter, _ *http.Request) error { return takeOver(w, switching) }, 101},
	} {
		t.Run(test.name, func(t *testing.T) {
			end = make(chan struct{})
			h, name := scriptedRollout(t, nil, test.canary, "")
			server, done := serveReal(t, h)
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			request.Header.Set("Connection", "Upgrade")
			request.Header.Set("Upgrade", "echo")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				close(end)
				t.Fatal(err)
			}
			line, err := bufio.NewReader(response.Body).ReadString('\n')
			if err != nil || line != "hello\n" || response.StatusCode != test.status {
				t.Errorf("status %d, got %q: %v", response.StatusCode, line, err)
			}
			if got := counts(liveOf(t, name)); got != "canary 1/0/0" {
				t.Errorf("counted %s while the stream lasts", got)
			}
			close(end)
			<-done
			response.Body.Close()
			if got := counts(liveOf(t, name)); got != "canary 1/0/0" {
				t.Errorf("counted %s in the end", got)
			}
		})
	}
}

// TestLatencyIsTheTimeToTheFirstByte: what comes after it does not count.
func TestLatencyIsTheTimeToTheFirstByte(t *testing.T) {
	var begin time.Time
	var first time.Duration
	for name, canary := range map[string]script{
		"200": func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			first = time.Since(begin)
			time.Sleep(20 * time.Millisecond)
			return nil
		},
		"an error after the header": func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			first = time.Since(begin)
			time.Sleep(20 * time.Millisecond)
			return errPlain
		},
		"early hints are not the response": func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			time.Sleep(20 * time.Millisecond)
			w.WriteHeader(200)
			first = time.Since(begin)
			if first < 20*time.Millisecond {
				t.Errorf("%v", first)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, rollout := scriptedRollout(t, nil, canary, "")
			w := httptest.NewRecorder()
			r := prepare(httptest.NewRequest(http.MethodGet, "/", nil), w)
			begin = time.Now()
			_ = h.ServeHTTP(w, r, notFound)
			got := liveOf(t, rollout).Counts()["canary"].Latency
			if got <= 0 || got > first {
				t.Errorf("latency %v, and the first byte came within %v", got, first)
			}
			if strings.HasPrefix(name, "early") && got < 20*time.Millisecond {
				t.Errorf("latency %v was taken from the early hints", got)
			}
		})
	}
}

// copier is a response that knows how it was written to.
type copier struct {
	*httptest.ResponseRecorder
	copied bool
}

func (c *copier) ReadFrom(r io.Reader) (int64, error) {
	c.copied = true
	return io.Copy(c.ResponseRecorder, r)
}

// TestCopyingStaysWithTheServer: it may have the kernel copy.
func TestCopyingStaysWithTheServer(t *testing.T) {
	h, _ := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("body")})
		return err
	}, "")
	w := &copier{ResponseRecorder: httptest.NewRecorder()}
	if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound); err != nil {
		t.Fatal(err)
	}
	if !w.copied || w.Body.String() != "body" {
		t.Errorf("copied by the server: %v, body %q", w.copied, w.Body)
	}
}

// TestClientIsToldOnce: our header wins over an upstream's, and is not in the way of informational responses.
func TestClientIsToldOnce(t *testing.T) {
	h, _ := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Add("X-Served-By", "upstream")
		w.Header().Add("X-Served-By", "another")
		w.WriteHeader(200)
		return nil
	}, `"announce": {"response": "x-served-by"}`)
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound); err != nil {
		t.Fatal(err)
	}
	if got := w.Result().Header["X-Served-By"]; !slices.Equal(got, []string{"canary"}) {
		t.Errorf("the client is told %q", got)
	}
}

// TestObserveOff: nothing is counted but decisions; the client is told all the same.
func TestObserveOff(t *testing.T) {
	h, name := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(500)
		return nil
	}, `"observe": "off", "announce": {"response": "X-Served-By"}`)
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound); err != nil {
		t.Fatal(err)
	}
	if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != "; rule 1" {
		t.Errorf("counted %s", got)
	}
	if got := w.Result().Header.Get("X-Served-By"); got != "canary" {
		t.Errorf("the client is told %q", got)
	}
}

// TestTryAllocates: once for the observer, once for the header that tells the upstream.
func TestTryAllocates(t *testing.T) {
	h, _ := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(200)
		return nil
	}, "")
	h.logged = false // as on a server without access log
	w := httptest.NewRecorder()
	r := prepare(httptest.NewRequest(http.MethodGet, "/", nil), w)
	decision := h.engine.Decide(r, "", time.Now())
	serve := testing.AllocsPerRun(1000, func() { _ = h.serve(w, r, notFound, decision, varsOf(r)) })
	try := testing.AllocsPerRun(1000, func() { _, _ = h.try(w, r, notFound, choice{Decision: decision}, varsOf(r), time.Now()) })
	if got := try - serve; got > 2 {
		t.Errorf("%v allocations", got)
	}
}
