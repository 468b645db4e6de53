package mirror

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// started runs a runner until the test ends.
func started(t *testing.T) *Runner {
	t.Helper()
	r := NewRunner(nil)
	run(t, r)
	return r
}

// run runs a runner until the returned function is called, at the latest when the test ends.
func run(t *testing.T, r *Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	before := running(r)
	go func() {
		r.Run(ctx, nil)
		close(done)
	}()
	eventually(t, "the runner runs", func() bool { return running(r) > before })
	end := func() {
		cancel()
		<-done
	}
	t.Cleanup(end)
	return end
}

func running(r *Runner) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// idle waits until no copies are under way.
func idle(t *testing.T, l *Ledger) {
	t.Helper()
	eventually(t, "no copies are under way", func() bool { return l.sending.Load() == 0 && l.uploads.Load() == 0 })
}

// toward returns a sender to a server.
func toward(t *testing.T, server *httptest.Server) Sender {
	t.Helper()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() { transport.CloseIdleConnections() })
	return func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme = target.Scheme
		r.URL.Host = target.Host
		return transport.RoundTrip(r)
	}
}

// everything are settings that mirror all requests to a server.
func everything(t *testing.T, server *httptest.Server) Settings {
	t.Helper()
	return Settings{Name: "canary", Share: balance.Full, Timeout: 20 * time.Second, MaxBody: DefaultMaxBody,
		Concurrency: DefaultConcurrency, Send: toward(t, server)}
}

// shop is the rollout of these tests.
var shop = Rollout{Name: "shop", Salt: "shop", Baseline: "stable"}

// listen starts a server.
func listen(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() { server.Close() })
	return server
}

// gateway starts a gateway that proxies to a baseline, and mirrors.
func gateway(t *testing.T, m *Mirrors, baseline *httptest.Server) *httptest.Server {
	t.Helper()
	return listen(t, mirrored(t, m, baseline))
}

// mirrored is what a gateway does with a request.
func mirrored(t *testing.T, m *Mirrors, baseline *httptest.Server) http.HandlerFunc {
	t.Helper()
	target, err := url.Parse(baseline.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() { transport.CloseIdleConnections() })
	return func(w http.ResponseWriter, r *http.Request) {
		c := Begin(m, &expr.Input{Request: r}, "stable")
		Unmark(r.Header)
		proxy := &httputil.ReverseProxy{Transport: transport}
		proxy.Rewrite = func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme = target.Scheme
			p.Out.URL.Host = target.Host
		}
		if c != nil {
			defer func() { c.End(r.Context().Err() == nil) }()
			proxy.ModifyResponse = func(response *http.Response) error {
				c.Watch(response)
				return nil
			}
		}
		proxy.ServeHTTP(w, r)
	}
}

// echo answers with as many bytes as the body has.
func echo() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", len(content)))
	}
}

// do sends a request, and returns the answer's status and body.
func do(t *testing.T, method, target, content string, headers ...string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answered, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answered)
}

// counted fails unless exactly this was counted.
func counted(t *testing.T, l *Ledger, want map[string]int64) {
	t.Helper()
	idle(t, l)
	got := l.Counts.Tally()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s was counted %d times, want %d: %v", name, got[name], n, got)
		}
	}
	for name := range got {
		if want[name] == 0 {
			t.Errorf("%s was counted: %v", name, got)
		}
	}
}
