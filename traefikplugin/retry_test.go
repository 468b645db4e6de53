package traefikplugin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
)

// silence returns the address of a name server that never answers.
func silence(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}

// failing answers as long as it should not drop connections, and counts who came.
type failing struct {
	url  string
	down atomic.Bool
	came atomic.Int64
}

func newFailing(t *testing.T, name string) *failing {
	t.Helper()
	f := &failing{}
	answer := answering(name)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.came.Add(1)
		if f.down.Load() {
			panic(http.ErrAbortHandler)
		}
		answer(w, r)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func TestAnotherUpstreamOfTheVariantComesFirst(t *testing.T) {
	front := behind(t, backend(t, "stable").URL, closed, func(c *core.Config) {
		c.Variants[1].Upstreams = append(c.Variants[1].Upstreams, backend(t, "canary").URL)
		c.Variants[1].Weight = "100%"
		c.Proxy.PassiveHealthCheck.Failures = "0"
		c.Sticky = core.Sticky{Mode: "cookie", Secret: []string{testSecret}}
	})
	for i := 0; i < 8; i++ {
		response, body := ask(t, "GET", front.URL, "a body", fmt.Sprint("Cookie: uid=user", i))
		h := response.Header
		if body != "canary GET a body" || h.Get("X-Saw") != "canary" || len(h["X-Variant"]) != 1 || len(h["Set-Cookie"]) != 1 {
			t.Fatalf("%d %q %v", response.StatusCode, body, h)
		}
	}
	front.Close() // which waits until the requests are over
	if got := counts(t.Name())["canary"]; got.Failure != 0 || got.Success != 8 {
		t.Errorf("counted %v", got)
	}
}

func TestRetriesAreBounded(t *testing.T) {
	var dead []*failing
	front := behind(t, backend(t, "stable").URL, closed, func(c *core.Config) {
		c.Variants[1].Upstreams = nil
		for i := 0; i < 5; i++ {
			f := newFailing(t, "dead")
			f.down.Store(true)
			dead = append(dead, f)
			c.Variants[1].Upstreams = append(c.Variants[1].Upstreams, f.url)
		}
		c.Proxy.Retries = "1"
		c.Proxy.PassiveHealthCheck.Failures = "0"
	})
	for i := 1; i <= 5; i++ {
		if _, body := ask(t, "GET", front.URL, "", "X-Version: v2"); body != "stable GET " {
			t.Fatalf("%q", body)
		}
		came := int64(0)
		for _, f := range dead {
			came += f.came.Load()
		}
		if came != int64(2*i) {
			t.Errorf("after %d requests %d attempts, want 2 for each", i, came)
		}
	}
	front.Close() // which waits until the requests are over
	if got := counts(t.Name())["canary"]; got.Failure != 5 || got.Success != 0 {
		t.Errorf("each request is one failure: %v", got)
	}
}

// TestPromotedVariantIsTheBase: it serves in the place of others, and nobody in its own.
func TestPromotedVariantIsTheBase(t *testing.T) {
	stable, canary := newFailing(t, "stable"), newFailing(t, "canary")
	front := behind(t, stable.url, canary.url, func(c *core.Config) {
		c.Variants[1].Weight = ""
		c.Rules = []core.Rule{{Name: "old", Use: "stable", When: `header("X-Version") == "v1"`}}
		c.Plan.Steps = []core.Step{{Weight: "10%", Manual: true}}
		c.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "1", Backoff: "1h"}
	})
	control := command(t, testToken)
	eventually(t, "the plan has begun", func() bool { return stateOf(control, t.Name()) == "progressing" })
	if code, body := tell(control, http.MethodPost, "/rollouts/"+t.Name()+"/promote", testToken); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	stable.down.Store(true)
	for i := 0; i < 3; i++ {
		if response, body := ask(t, "GET", front.URL, "", "X-Version: v1"); body != "canary GET " || response.Header.Get("X-Saw") != "canary" {
			t.Errorf("in the place of stable: %q, announced as %q", body, response.Header.Get("X-Saw"))
		}
	}
	stable.down.Store(false)
	canary.down.Store(true)
	came := stable.came.Load()
	if response, _ := ask(t, "GET", front.URL, ""); response.StatusCode != http.StatusBadGateway || stable.came.Load() != came {
		t.Errorf("in the place of the promoted variant: %d, stable was asked %d times", response.StatusCode, stable.came.Load()-came)
	}
	canary.down.Store(false)
	if response, body := ask(t, "GET", front.URL, ""); body != "canary GET " {
		t.Errorf("its upstreams are out, and an error is certain without them: %d %q", response.StatusCode, body)
	}
}

func TestNoRetries(t *testing.T) {
	front := behind(t, closed, backend(t, "canary").URL, func(c *core.Config) {
		c.Variants[0].Upstreams = append(c.Variants[0].Upstreams, backend(t, "stable").URL)
		c.Proxy.Retries = "0"
		c.Proxy.PassiveHealthCheck.Failures = "0"
	})
	expectShare(t, "half of the requests fail", share(t, front.URL, 8), map[string]int{"stable": 4, "502": 4})
}

func TestOutVariantIsServedByTheBase(t *testing.T) {
	canary := newFailing(t, "canary")
	canary.down.Store(true)
	front := behind(t, backend(t, "stable").URL, canary.url, func(c *core.Config) {
		c.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "2", Backoff: "1h"}
	})
	for i := 0; i < 5; i++ {
		response, body := ask(t, "GET", front.URL, "", "X-Version: v2")
		if body != "stable GET " || response.Header.Get("X-Saw") != "stable" || response.Header.Get("X-Variant") != "stable" {
			t.Errorf("%q %v", body, response.Header)
		}
	}
	if got := canary.came.Load(); got != 2 {
		t.Errorf("the canary was asked %d times, want 2", got)
	}
	// Nothing was sent yet, so the method does not matter.
	if _, body := ask(t, "POST", front.URL, "a body", "X-Version: v2"); body != "stable POST a body" {
		t.Errorf("POST: %q", body)
	}
	front.Close() // which waits until the requests are over
	got := counts(t.Name())
	if got["canary"].Failure != 6 || got["canary"].Success != 0 || got["stable"].Success+got["stable"].Failure != 0 {
		t.Errorf("the failures are the canary's, and the base did not earn what it served: %v", got)
	}
}

// eventually waits for what no machine needs two minutes for, whatever else it does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes still not: %s", what)
		}
	}
}

func TestTrialBringsAnUpstreamBack(t *testing.T) {
	canary := newFailing(t, "canary")
	canary.down.Store(true)
	front := behind(t, backend(t, "stable").URL, canary.url, func(c *core.Config) {
		c.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "1", Backoff: "10ms", MaxBackoff: "100ms"}
	})
	asked := func() string {
		response, body := ask(t, "GET", front.URL, "", "X-Version: v2")
		if response.StatusCode != 200 {
			t.Fatalf("status %d", response.StatusCode)
		}
		return body
	}
	eventually(t, "the canary is tried again", func() bool { asked(); return canary.came.Load() > 2 })
	canary.down.Store(false)
	eventually(t, "the canary is back", func() bool { return asked() == "canary GET " })
	for i := 0; i < 5; i++ {
		if got := asked(); got != "canary GET " {
			t.Errorf("after that: %q", got)
		}
	}
}

func TestTrialByWhatCannotBeSentAgain(t *testing.T) {
	config := checkout(t)
	config.Variants[0].Upstreams = []any{backend(t, "stable").URL}
	config.Variants[1].Upstreams = []any{backend(t, "first").URL, backend(t, "second").URL}
	handler := start(t, config, nil)
	front := httptest.NewServer(handler)
	defer front.Close()
	targets := handler.(*proxyMode).proxy.upstreams.current.Load().(*standing).targets
	out := func(target *target, since time.Duration) {
		policy := balance.HealthPolicy{Failures: 1, Backoff: time.Hour, MaxBackoff: time.Hour}
		balance.Failed(target.health, balance.Forced(target.health), policy, time.Now().Add(-since))
	}
	post := func() string {
		_, body := ask(t, "POST", front.URL, "x", "X-Version: v2")
		return body
	}
	first, second := targets[1], targets[2]
	out(first, 90*time.Minute)
	for i := 0; i < 4; i++ {
		if got := post(); got != "second POST x" {
			t.Errorf("a trial is due, and somebody else may be it: %q", got)
		}
	}
	out(second, time.Minute)
	if got := post(); got != "first POST x" {
		t.Errorf("the variant has nobody else: %q", got)
	}
	out(first, time.Minute)
	out(second, 3*time.Hour)
	if got := post(); got != "second POST x" {
		t.Errorf("nobody wanted to be the trial: %q", got)
	}
}

func TestBaseIsTriedWhateverIsKnown(t *testing.T) {
	stable := newFailing(t, "stable")
	stable.down.Store(true)
	front := behind(t, stable.url, backend(t, "canary").URL, func(c *core.Config) {
		c.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "1", Backoff: "1h", MaxBackoff: "1h"}
	})
	for i := 0; i < 3; i++ {
		if response, _ := ask(t, "GET", front.URL, ""); response.StatusCode != 502 {
			t.Errorf("status %d", response.StatusCode)
		}
	}
	stable.down.Store(false)
	if _, body := ask(t, "GET", front.URL, ""); body != "stable GET " {
		t.Errorf("%q", body)
	}
	if _, body := ask(t, "POST", front.URL, "x"); body != "stable POST x" {
		t.Errorf("%q", body)
	}
}

func TestLateAnswerGoesToTheBaseAtOnce(t *testing.T) {
	release := make(chan struct{})
	var came atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		<-release
	}))
	defer slow.Close()
	defer close(release)
	front := behind(t, backend(t, "stable").URL, slow.URL, func(c *core.Config) {
		c.Variants[1].Upstreams = append(c.Variants[1].Upstreams, slow.URL+"/b", slow.URL+"/c")
		c.Variants[1].Proxy.ResponseTimeout = "50ms"
	})
	_, body := ask(t, "GET", front.URL, "", "X-Version: v2")
	eventually(t, "the attempt is seen", func() bool { return came.Load() > 0 })
	if body != "stable GET " || came.Load() != 1 {
		t.Errorf("%q after %d attempts", body, came.Load())
	}
}

func TestStatusesThatAreFailures(t *testing.T) {
	var came atomic.Int64
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		w.WriteHeader(503)
	}))
	defer sick.Close()
	front := behind(t, backend(t, "stable").URL, sick.URL, func(c *core.Config) {
		c.Variants[1].Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "2", Statuses: []string{"503"}, Backoff: "1h"}
	})
	expectShare(t, "answers", share(t, front.URL, 6, "X-Version: v2"), map[string]int{"503": 2, "stable": 4})
	if came.Load() != 2 {
		t.Errorf("asked %d times", came.Load())
	}
}

// TestClientsCannotTakeUpstreamsOut sends bodies that are none.
func TestClientsCannotTakeUpstreamsOut(t *testing.T) {
	canary := newFailing(t, "canary")
	front := behind(t, backend(t, "stable").URL, canary.url, func(c *core.Config) {
		c.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "1", Backoff: "1h"}
		c.FallbackMethods = []string{"GET", "PUT"}
	})
	address := strings.TrimPrefix(front.URL, "http://")
	for _, method := range []string{"POST", "PUT"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: x\r\nX-Version: v2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nnonsense\r\n", method)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		_ = conn.Close()
		if response.StatusCode != 400 {
			t.Errorf("%s: status %d", method, response.StatusCode)
		}
	}
	if _, body := ask(t, "GET", front.URL, "", "X-Version: v2"); body != "canary GET " {
		t.Errorf("afterwards: %q", body)
	}
	front.Close() // which waits until the requests are over
	if got := counts(t.Name())["canary"]; got.Failure != 0 || got.Neutral != 2 {
		t.Errorf("counted %v", got)
	}
}
