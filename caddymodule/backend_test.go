package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// testBackend is a real server that answers its name, and tells what it was told.
type testBackend struct {
	*httptest.Server
	address  string
	requests atomic.Int64
}

var backends atomic.Int64 // that were started

// startBackend starts a backend at a loopback address of its own: the port of one that was closed may be given to another server,
// which would answer in its place.
func startBackend(t testing.TB, name string) *testBackend {
	t.Helper()
	n := backends.Add(1)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.23.%d.%d:0", n/250, 1+n%250))
	if err != nil {
		t.Fatal(err)
	}
	b := new(testBackend)
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		if slices.Contains(strings.Fields(r.Header.Get("X-Drop")), name) {
			panic(http.ErrAbortHandler)
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Told", strings.Join(r.Header["X-Rollout-Variant"], ","))
		w.Header().Set("X-Lane", r.Header.Get("X-Lane"))
		w.Header().Set("X-Received", string(body))
		w.Header().Add("Set-Cookie", "by="+name)
		_, _ = io.WriteString(w, name)
	}))
	_ = b.Listener.Close()
	b.Listener = listener
	b.Start()
	b.address = b.Listener.Addr().String()
	t.Cleanup(b.Close)
	return b
}

// loadProxy provisions a real reverse_proxy from JSON.
func loadProxy(t testing.TB, config string) caddyhttp.MiddlewareHandler {
	t.Helper()
	ctx, cancel := caddy.NewContext(provisioningContext(t))
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("http.handlers.reverse_proxy", json.RawMessage(config))
	if err != nil {
		t.Fatal(err)
	}
	return module.(caddyhttp.MiddlewareHandler)
}

func provisioningContext(t testing.TB) caddy.Context {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// ask sends a request through a handler. An error is answered with its status and text.
func ask(handler caddyhttp.MiddlewareHandler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if err := handler.ServeHTTP(w, prepare(r, w), notFound); err != nil {
		w.WriteHeader(errorStatus(err))
		_, _ = w.WriteString(err.Error())
	}
	return w
}

func request(method string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// answers counts who answered n GETs; whatever is not 200 counts as its status.
func answers(t testing.TB, handler caddyhttp.MiddlewareHandler, n int, header ...string) string {
	t.Helper()
	counts := make(map[string]int)
	for range n {
		w := ask(handler, request(http.MethodGet, header...))
		name := w.Body.String()
		if w.Code != http.StatusOK {
			name = fmt.Sprint(w.Code)
		}
		counts[name]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}
