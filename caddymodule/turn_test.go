package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestPoolRetries: a retry stays in the variant, and goes to the baseline when all of the variant failed. Everybody is
// told who served in the end, once.
func TestPoolRetries(t *testing.T) {
	for _, test := range []struct{ name, proxy string }{
		{"plain", retries},
		{"with header operations", retries + `, "headers": {"request": {"set": {"X-Lane": ["{http.vars.rollout_variant}"]}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := startFleet(t, test.proxy, "")
			f.x.Close()
			if got := answers(t, f, 20, canary); got != "[y:20]" {
				t.Errorf("x down: answered %s", got)
			}
			f.y.Close()
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
				r := request(method, canary)
				w := httptest.NewRecorder()
				r = prepare(r, w)
				if err := f.ServeHTTP(w, r, notFound); err != nil {
					t.Fatal(err)
				}
				header := w.Header()
				lane := ""
				if strings.Contains(test.proxy, "X-Lane") {
					lane = "stable"
				}
				for name, want := range map[string]string{"X-Variant": "stable", "X-Told": "stable", "X-Lane": lane, "Set-Cookie": header.Get("Set-Cookie")} {
					if got := header[name]; !slices.Equal(got, []string{want}) {
						t.Errorf("%s: %s is %q, want %q", method, name, got, want)
					}
				}
				replacer := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
				told := replacer.ReplaceAll("{http.rollout."+f.name+".variant} {http.rollout."+f.name+".reason} {http.vars.rollout_variant}", "")
				if told != "stable fallback stable" {
					t.Errorf("%s: placeholders say %q", method, told)
				}
			}
			if got := f.counted(t); got != "canary 20/3/0; fallback 3, rule 23" {
				t.Errorf("counted %s", got)
			}
		})
	}
}

// TestPoolRetriesOnlyWhatMay: a request with side effects does not go to the baseline once it was tried.
func TestPoolRetriesOnlyWhatMay(t *testing.T) {
	f := startFleet(t, retries, "")
	f.x.Close()
	f.y.Close()
	if w := ask(f, request(http.MethodPost, canary)); w.Code != http.StatusBadGateway {
		t.Errorf("status %d", w.Code)
	}
	if got := f.counted(t); got != "canary 0/1/0; rule 1" {
		t.Errorf("counted %s", got)
	}
	if got := f.a.requests.Load() + f.b.requests.Load(); got != 0 {
		t.Errorf("%d requests reached the baseline", got)
	}

	f = startFleet(t, retries, `"fallback_methods": ["none"]`)
	f.x.Close()
	f.y.Close()
	if w := ask(f, request(http.MethodGet, canary)); w.Code != http.StatusBadGateway {
		t.Errorf("without fallback: status %d", w.Code)
	}
}

// TestPoolWithoutRetries: the baseline answers after the proxy gave up.
func TestPoolWithoutRetries(t *testing.T) {
	f := startFleet(t, "", "")
	f.x.Close()
	f.y.Close()
	if got := answers(t, f, 20, canary); got != "[a:10 b:10]" {
		t.Errorf("answered %s", got)
	}
	if got := f.counted(t); got != "canary 0/20/0; fallback 20, rule 20" {
		t.Errorf("counted %s", got)
	}
	r := request(http.MethodGet, canary, "X-Drop: x")
	r.Body, r.ContentLength = http.NoBody, 0
	if w := ask(f, r); w.Code != http.StatusOK || len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("status %d, %q", w.Code, w.Header()["Set-Cookie"])
	}
}

// TestPoolBody: what a retry sends, and what the baseline gets, is the whole body, whether it was never sent before or is
// kept for that.
func TestPoolBody(t *testing.T) {
	const buffered = `"request_buffers": 65536, "load_balancing": {"retries": 5, "retry_match": [{"method": ["POST"]}]}`
	for name, proxy := range map[string]string{"unsent": retries, "buffered": buffered} {
		t.Run(name, func(t *testing.T) {
			f := startFleet(t, proxy, `"fallback_methods": ["POST"]`)
			if name == "unsent" {
				f.x.Close()
				f.y.Close()
			}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("the body"))
					r.Header.Set("X-Canary", "1")
					r.Header.Set("X-Drop", "x y")
					if w := ask(f, r); w.Code != http.StatusOK || w.Header().Get("X-Received") != "the body" || w.Header().Get("X-Variant") != "stable" {
						t.Errorf("status %d, received %q, %s", w.Code, w.Header().Get("X-Received"), w.Body)
					}
				})
			}
			wg.Wait()
			if got := f.counted(t); got != "canary 0/20/0; fallback 20, rule 20" {
				t.Errorf("counted %s", got)
			}
		})
	}
}

// TestPoolWaits: with lb_try_duration the proxy waits for an upstream, and tries the same again.
func TestPoolWaits(t *testing.T) {
	backend := startBackend(t, "a")
	address := unlistened(t)
	h, err := load(t, fmt.Sprintf(`{"name": %q, "upstreams": [%q], "variants": [{"name": "all"}],
		"proxy": {"load_balancing": {"try_duration": "60s", "try_interval": "10ms"}, "health_checks": {"passive": {"fail_duration": "100ms"}}}}`,
		unique("waits"), address))
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() { answered <- answers(t, h, 1) }()
	eventually(t, "the upstream was tried", func() bool { return h.pool.proxy.Upstreams[0].Fails() > 0 })
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(backend.Config.Handler)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	if got := <-answered; got != "[a:1]" {
		t.Errorf("answered %s", got)
	}
}

// unlistened returns an address at which nobody listens, and that the kernel gives to nobody who asks for any.
func unlistened(t *testing.T) string {
	t.Helper()
	for range 1000 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 5000+rand.IntN(7000))); err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// TestPoolUnderStress: many requests at once while the canary's upstreams break off at random. Every request is answered,
// and every failure is counted once.
func TestPoolUnderStress(t *testing.T) {
	for _, operations := range []string{"", `, "headers": {"request": {"set": {"X-Lane": ["{http.vars.rollout_variant}"]}}}`} {
		f := startFleet(t, retries+operations, "")
		const clients, each = 8, 100
		var fellBack atomic.Int64
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for n := range each {
					drop := []string{"X-Drop: x", "X-Drop: y", "X-Drop: nobody", "X-Drop: y"}[n%4]
					if n%10 == 0 {
						drop = "X-Drop: x y"
					}
					w := ask(f, request(http.MethodGet, canary, drop))
					if w.Code != http.StatusOK || len(w.Header()["Set-Cookie"]) != 1 || w.Header().Get("X-Told") != w.Header().Get("X-Variant") {
						t.Errorf("status %d, header %v", w.Code, w.Header())
					}
					if w.Header().Get("X-Variant") == "stable" {
						fellBack.Add(1)
					}
				}
			})
		}
		wg.Wait()
		want := fmt.Sprintf("canary %d/%d/0; fallback %d, rule %d", clients*each-fellBack.Load(), fellBack.Load(), fellBack.Load(), clients*each)
		if got := f.counted(t); got != want || fellBack.Load() != clients*each/10 {
			t.Errorf("counted %s, want %s", got, want)
		}
	}
}

// TestPoolFallsBackOnce: where the baseline fails too, that is the end.
func TestPoolFallsBackOnce(t *testing.T) {
	f := startFleet(t, retries, "")
	for _, b := range []*testBackend{f.a, f.b, f.x, f.y} {
		b.Close()
	}
	if w := ask(f, request(http.MethodGet, canary)); w.Code != http.StatusBadGateway {
		t.Errorf("status %d", w.Code)
	}
	if got := f.counted(t); got != "canary 0/1/0; fallback 1, rule 1" {
		t.Errorf("counted %s", got)
	}
}

// TestPoolOfBoth: where the baseline has the canary's upstream too, it does not try that again.
func TestPoolOfBoth(t *testing.T) {
	a, x := startBackend(t, "a"), startBackend(t, "x")
	x.Close()
	h, err := load(t, fmt.Sprintf(`{"name": %q, "upstreams": ["%s version=v1", "%s version=v2"],
		"variants": [{"name": "stable"}, {"name": "canary", "weight": "100%%", "where": {"version": "v2"}}]}`, unique("both"), a.address, x.address))
	if err != nil {
		t.Fatal(err)
	}
	if got := answers(t, h, 20); got != "[a:20]" {
		t.Errorf("answered %s", got)
	}
}
