package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core/replay"
)

var errBroken = caddyhttp.Error(http.StatusBadGateway, errors.New("the canary is broken"))

func broken(http.ResponseWriter, *http.Request) error { return errBroken }

func hello(w http.ResponseWriter, _ *http.Request) error {
	_, err := io.WriteString(w, "hello")
	return err
}

// TestFallback: when the base answers in the canary's place, and what is counted.
func TestFallback(t *testing.T) {
	const fell, not = "canary 0/1/0; fallback 1, rule 1", "; rule 1"
	post := `"fallback_methods": ["POST"]`
	for _, test := range []struct {
		name, method, settings string
		canary                 script
		want                   string
	}{
		{"GET", "GET", "", broken, fell},
		{"HEAD", "HEAD", "", broken, fell},
		{"OPTIONS", "OPTIONS", "", broken, fell},
		{"POST", "POST", "", broken, "canary 0/1/0" + not},
		{"DELETE", "DELETE", "", broken, "canary 0/1/0" + not},
		{"POST by choice", "POST", post, broken, fell},
		{"GET by choice not", "GET", post, broken, "canary 0/1/0" + not},
		{"none", "GET", `"fallback_methods": ["none"]`, broken, "canary 0/1/0" + not},
		{"unobserved", "GET", `"observe": "off"`, broken, "; fallback 1, rule 1"},
		{"a plain error", "GET", "", func(http.ResponseWriter, *http.Request) error { return errPlain }, fell},
		{"a wrapped error", "GET", "", func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("wrapped: %w", errBroken) }, fell},
		{"an error without a status", "GET", "", func(http.ResponseWriter, *http.Request) error { return caddyhttp.HandlerError{} }, fell},
		{"an answer below 500", "GET", "", func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusForbidden, errPlain)
		}, "canary 1/0/0" + not},
		{"a response", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(502)
			return nil
		}, "canary 0/1/0" + not},
		{"an error after the header", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			return errBroken
		}, "canary 0/1/0" + not},
		{"an error after writing", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, "begun")
			return errBroken
		}, "canary 0/1/0" + not},
		{"an error after copying", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("begun"))
			return errBroken
		}, "canary 0/1/0" + not},
		{"an error after flushing", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			_ = http.NewResponseController(w).Flush()
			return errBroken
		}, "canary 0/1/0" + not},
		{"an error after early hints", "GET", "", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			return errBroken
		}, "canary 0/1/0" + not},
		{"a panic", "GET", "", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }, "canary 0/1/0" + not},
	} {
		t.Run(test.name, func(t *testing.T) {
			stable := script(nil)
			if strings.Contains(test.want, "fallback") {
				stable = hello
			}
			h, name := scriptedRollout(t, stable, test.canary, test.settings)
			server, done := serveReal(t, h)
			request, _ := http.NewRequestWithContext(t.Context(), test.method, server.URL, nil)
			response, err := http.DefaultClient.Do(request)
			<-done
			if err == nil {
				defer response.Body.Close()
				body, _ := io.ReadAll(response.Body)
				if stable != nil && (response.StatusCode != 200 || string(body) != "hello" && test.method != "HEAD") {
					t.Errorf("status %d, body %q", response.StatusCode, body)
				}
			}
			if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != test.want {
				t.Errorf("counted %s\nwant    %s", got, test.want)
			}
		})
	}
}

// TestFallbackAfterHijack: nothing can be sent on a connection that somebody took over.
func TestFallbackAfterHijack(t *testing.T) {
	h, name := scriptedRollout(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			connection.Close()
		}
		return errBroken
	}, "")
	server, done := serveReal(t, h)
	if response, err := http.Get(server.URL); err == nil {
		response.Body.Close()
		t.Errorf("status %d on a closed connection", response.StatusCode)
	}
	<-done
	if got := reasons(liveOf(t, name)); got != "rule 1" {
		t.Errorf("decisions: %s", got)
	}
}

// TestFallbackForNobody: a client that went away gets no second attempt.
func TestFallbackForNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h, name := scriptedRollout(t, nil, func(http.ResponseWriter, *http.Request) error {
		cancel()
		return errBroken
	}, "")
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, prepare(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), w), notFound); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != "canary 0/0/1; rule 1" {
		t.Errorf("counted %s", got)
	}
}

// TestFallbackThatFails: the base's error is the answer, and counts for nobody.
func TestFallbackThatFails(t *testing.T) {
	worse := caddyhttp.Error(http.StatusGatewayTimeout, errPlain)
	h, name := scriptedRollout(t, func(http.ResponseWriter, *http.Request) error { return worse }, broken, "")
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound); !errors.Is(err, worse) {
		t.Errorf("got %v", err)
	}
	if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != "canary 0/1/0; fallback 1, rule 1" {
		t.Errorf("counted %s", got)
	}
}

// TestBaseFallsBackToNobody: a broken base is not served by a canary.
func TestBaseFallsBackToNobody(t *testing.T) {
	h, name := scriptedRollout(t, broken, nil, `"ends": "2001-01-01T00:00:00Z"`)
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, prepare(httptest.NewRequest(http.MethodGet, "/", nil), w), notFound); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if got := counts(liveOf(t, name)) + "; " + reasons(liveOf(t, name)); got != "stable 0/1/0; rolled_back 1" {
		t.Errorf("counted %s", got)
	}
}

// TestFallbackRestores: the base gets the request, and writes the response, as if the canary had never tried.
func TestFallbackRestores(t *testing.T) {
	describe := func(w http.ResponseWriter, r *http.Request) string {
		vars := maps.Clone(varsOf(r))
		maps.DeleteFunc(vars, func(key string, _ any) bool { return strings.HasPrefix(key, "rollout_") })
		header := r.Header.Clone()
		header.Del("X-Rollout-Variant")
		return fmt.Sprint(r.Method, " ", r.URL, " ", r.RequestURI, " ", r.Host, " ", r.RemoteAddr, " ", r.ContentLength, "\n",
			header, "\n", r.Trailer, "\n", r.Form, "\n", w.Header(), "\n", vars, "\n", groupsOf(r), "\n", r.Pattern)
	}
	var before, after string
	var seen *http.Request
	var handler *Handler
	stable := func(w http.ResponseWriter, r *http.Request) error {
		after = describe(w, r)
		if r != seen {
			t.Error("the base got another request: what holds the first one would not see what becomes of it")
		}
		return hello(w, r)
	}
	canary := func(w http.ResponseWriter, r *http.Request) error {
		seen = r
		before = describe(w, r)
		r.Method, r.Host, r.RequestURI, r.RemoteAddr, r.ContentLength, r.Pattern = "PUT", "other", "/other", "1.1.1.1:1", 5, "x"
		r.URL.Path, r.URL.RawQuery, r.URL.Scheme = "/rewritten", "a=b", "gopher"
		r.Header.Set("X-Kept", "changed")
		r.Header["X-List"][0] = "changed in place"
		r.Header.Set("X-Added", "1")
		r.Header.Del("X-Removed")
		_ = r.ParseForm()
		w.Header().Set("X-Response", "changed")
		w.Header()["X-Response-List"][0] = "changed in place"
		w.Header().Set("X-Response-Added", "1")
		caddyhttp.SetVar(r.Context(), "set_before", "changed")
		caddyhttp.SetVar(r.Context(), "set_by_canary", "1")
		groupsOf(r)["group7"] = struct{}{}
		if describe(w, r) == before {
			t.Error("nothing was changed")
		}
		r.URL = nil
		r.Header = nil
		return errBroken
	}
	handler, _ = scriptedRollout(t, stable, canary, "")
	w := httptest.NewRecorder()
	w.Header().Set("X-Response", "1")
	w.Header()["X-Response-List"] = []string{"1", "2"}
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/cart?v=1", nil)
	r.Header.Set("X-Kept", "1")
	r.Header.Set("X-Removed", "1")
	r.Header["X-List"] = []string{"1", "2"}
	r = prepare(r, w)
	caddyhttp.SetVar(r.Context(), "set_before", "1")
	groupsOf(r)["group1"] = struct{}{}
	if err := handler.ServeHTTP(w, r, notFound); err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("the canary got\n%s\nthe base\n%s", before, after)
	}
	if r.URL.Path != "/cart" || r.Header.Get("X-Kept") != "1" {
		t.Error("the request was not restored in place")
	}
}

// TestFallbackTakesHandleBlocksAgain: a route group is left open for the base, in whatever comes after the rollout.
func TestFallbackTakesHandleBlocksAgain(t *testing.T) {
	g := start(t, `
		route {
			rollout `+unique("handles")+` {
				variant stable
				variant canary
				rule all canary *
				announce {
					response X-Served-By
				}
			}
			@canary vars rollout_variant canary
			handle @canary {
				error "broken" 502
			}
			handle {
				respond "{http.vars.rollout_variant}"
			}
		}`)
	response := g.get(t, "/")
	if response.status != 200 || response.body != "stable" || response.header.Get("X-Served-By") != "stable" {
		t.Errorf("%+v", response)
	}
}

// TestFallbackIsTold: everything that asks for the decision gets the new one.
func TestFallbackIsTold(t *testing.T) {
	var name string
	var request *http.Request
	stable := func(w http.ResponseWriter, r *http.Request) error {
		request = r
		return hello(w, r)
	}
	h, name := scriptedRollout(t, stable, broken, `"announce": {"response": "X-Served-By", "baggage": true}`)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Baggage", "user=1")
	r = prepare(r, w)
	if err := h.ServeHTTP(w, r, notFound); err != nil {
		t.Fatal(err)
	}
	replacer := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	got := replacer.ReplaceAll("{http.vars.rollout_variant} {http.rollout."+name+".variant} {http.rollout."+name+".reason} ({http.rollout."+name+".rule})", "none")
	if want := "stable stable fallback (none)"; got != want {
		t.Errorf("placeholders: got %q, want %q", got, want)
	}
	if got := request.Header["X-Rollout-Variant"]; !slices.Equal(got, []string{"stable"}) {
		t.Errorf("the upstream is told %q", got)
	}
	if got := request.Header["Baggage"]; !slices.Equal(got, []string{"rollout." + name + "=stable,user=1"}) {
		t.Errorf("baggage: %q", got)
	}
	if got := w.Result().Header["X-Served-By"]; !slices.Equal(got, []string{"stable"}) {
		t.Errorf("the client is told %q", got)
	}
}

// TestFallbackSendsTheBodyAgain: whole, or not at all.
func TestFallbackSendsTheBodyAgain(t *testing.T) {
	read := func(n int, closes bool) script {
		return func(_ http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadFull(r.Body, make([]byte, n)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			if closes {
				r.Body.Close()
			}
			return errBroken
		}
	}
	long := strings.Repeat("0123456789abcdef", replay.Limit/16) + "and more"
	for _, test := range []struct {
		name, body string
		canary     script
		again      bool
	}{
		{"none", "", broken, true},
		{"none, read", "", read(1, true), true},
		{"unread", "hello body", broken, true},
		{"unread, closed", "hello body", read(0, true), true},
		{"unread, long", long, broken, true},
		{"partly read, closed", "hello body", read(5, true), true},
		{"read, closed", "hello body", read(100, true), true},
		{"as long as is kept", long[:replay.Limit], read(replay.Limit+1, true), true},
		{"partly read", "hello body", read(5, false), false},
		{"read", "hello body", read(100, false), false},
		{"longer than is kept", long, read(len(long), true), false},
		{"being read", "hello body", func(_ http.ResponseWriter, r *http.Request) error {
			// A transport may read on in the background while the error is reported.
			reading := make(chan struct{})
			go func() {
				close(reading)
				_, _ = io.Copy(io.Discard, r.Body)
			}()
			<-reading
			eventually(t, "the body is read", func() bool { return r.Context().Value(bodyRead{}).(func() bool)() })
			return errBroken
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []byte
			var stable script
			if test.again {
				stable = func(w http.ResponseWriter, r *http.Request) (err error) {
					if got, err = io.ReadAll(r.Body); err != nil {
						t.Error(err)
					}
					return hello(w, r)
				}
			}
			h, _ := scriptedRollout(t, stable, test.canary, `"fallback_methods": ["POST"]`)
			w := httptest.NewRecorder()
			source := &slow{Reader: strings.NewReader(test.body), endless: test.name == "being read", release: make(chan struct{})}
			defer close(source.release)
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), bodyRead{}, source.begun), http.MethodPost, "/", source)
			r.ContentLength = int64(len(test.body))
			err := h.ServeHTTP(w, prepare(r, w), notFound)
			if test.again && (err != nil || string(got) != test.body) {
				t.Errorf("the base got %d bytes of %d: %v", len(got), len(test.body), err)
			}
			if !test.again && !errors.Is(err, errBroken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestFallbackKeepsTrailers: they come after the body, whoever reads it.
func TestFallbackKeepsTrailers(t *testing.T) {
	for name, canary := range map[string]script{
		"unread": broken,
		"read": func(_ http.ResponseWriter, r *http.Request) error {
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			return errBroken
		},
	} {
		t.Run(name, func(t *testing.T) {
			var trailer http.Header
			h, _ := scriptedRollout(t, func(w http.ResponseWriter, r *http.Request) error {
				_, _ = io.Copy(io.Discard, r.Body)
				trailer = r.Trailer
				return hello(w, r)
			}, canary, `"fallback_methods": ["POST"]`)
			server, done := serveReal(t, h)
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.MultiReader(strings.NewReader("body")))
			request.Trailer = http.Header{"X-Sum": {"7"}}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			<-done
			if got := trailer.Get("X-Sum"); got != "7" {
				t.Errorf("the base's trailer: %v", trailer)
			}
		})
	}
}

// bodyRead is where a request's context holds whether somebody reads its body.
type bodyRead struct{}

// slow is a body that gives nothing until it is released, if it is endless.
type slow struct {
	io.Reader
	endless bool
	reads   atomic.Int64
	release chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	s.reads.Add(1)
	if s.endless {
		<-s.release
	}
	return s.Reader.Read(p)
}

func (s *slow) begun() bool { return s.reads.Load() > 0 }
