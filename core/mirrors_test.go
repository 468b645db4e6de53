package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// copies are what a host was to send.
type copies struct {
	mu     sync.Mutex
	sent   []string // variant, X-Rollout-Variant, path
	answer string   // of the canary, which may change; guarded by mu, as the above
}

// send answers as the variants do.
func (c *copies) send(variant string, r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, variant+" "+r.Header.Get("X-Rollout-Variant")+" "+r.URL.Path)
	body := "stable"
	if variant == "canary" {
		body = c.answer
	}
	if body == "" {
		return nil, errors.New("away")
	}
	response := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	return response, nil
}

func (c *copies) list() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.sent, ", ")
}

// working does the work of an engine until the test ends.
func working(t *testing.T, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	awaited(t, "mirrors work", func() bool { return len(e.live.MirrorLedgers()) == len(e.mirrors) })
}

func awaited(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// reportOf returns what was learned from the first mirror.
func reportOf(e *Engine) mirror.Report {
	reports, _ := e.live.Mirrors()
	return reports[0]
}

// mirroredAsk does what a host does with a request, which is answered with a body, and returns who decided.
func mirroredAsk(e *Engine, body string, headers ...string) Decision {
	r := get(headers...)
	r.RemoteAddr = "192.0.2.1:1234"
	d := e.Decide(r, "192.0.2.1", noon)
	if c := Copy(e, &d, r, "192.0.2.1"); c != nil {
		c.Answered(200, http.Header{})
		c.Wrote([]byte(body), nil)
		c.End(true)
	}
	return d
}

// TestCopy: a request is copied to the variant, which is told so, and to the baseline as the control.
func TestCopy(t *testing.T) {
	host := &copies{answer: "canary"}
	config := mirroringConfig()
	config.Variants[1].Weight = ""
	config.Variants[2].Weight = ""
	config.Mirrors[0].Compare = []string{"body"}
	config.Mirrors[0].Control = "baseline"
	e := compile(t, config, nil, Host{Copy: func(variant string, r *http.Request) (*http.Response, error) {
		response, err := host.send(variant, r)
		return response, err
	}})
	if !e.Mirrors() {
		t.Error("there are no mirrors")
	}
	working(t, e)
	mirroredAsk(e, "stable", "X-Rollout-Variant: blue")
	ledger := e.live.MirrorLedgers()[0]
	awaited(t, "the answers are compared", func() bool { return ledger.Counts.Compared.Load() == 1 })
	if got := host.list(); got != "canary canary /cart, stable stable /cart" && got != "stable stable /cart, canary canary /cart" {
		t.Errorf("sent are %s", got)
	}
	if reports, _ := e.live.Mirrors(); len(reports) != 1 || reports[0].Mirror != "canary" || len(reports[0].Pairs) != 1 || !reports[0].Controlled {
		t.Errorf("the report is %+v", reports)
	}
	if d := mirroredAsk(e, "canary", "X-Version: v2"); d.Variant != "canary" {
		t.Errorf("the rule sends to %s", d.Variant)
	}
	status, _ := e.live.Status()
	if status.Counts["mirror_canary_sent"] != 1 || status.Counts["mirror_canary_different"] != 1 {
		t.Errorf("counted are %v", status.Counts)
	}
}

// TestCopiesEnd: a candidate that was rolled back gets none, other targets do; after the rollout's end nobody does.
func TestCopiesEnd(t *testing.T) {
	outside := make(chan http.Header, 100)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { outside <- r.Header.Clone() }))
	defer target.Close()
	host := &copies{answer: "canary"}
	send := func(variant string, r *http.Request) (*http.Response, error) {
		response, err := host.send(variant, r)
		return response, err
	}
	config := mirroringConfig()
	mirroredPlan(&config)
	config.Mirrors = append(config.Mirrors, Mirror{Target: target.URL, Name: "next"})
	e := compile(t, config, nil, Host{Copy: send})
	working(t, e)
	until(t, e.live, "progressing", 1)
	ask := func(e *Engine) {
		mirroredAsk(e, "stable", "Authorization: Bearer x", "Cookie: a=b", "X-Rollout-Variant: canary", "X-Forwarded-For: 203.0.113.9")
	}
	ask(e)
	header := <-outside
	for _, name := range []string{"Authorization", "Cookie", "X-Rollout-Variant"} {
		if header.Get(name) != "" {
			t.Errorf("a target outside is told %s: %s", name, header.Get(name))
		}
	}
	if header.Get("X-Forwarded-For") != "192.0.2.1" || header.Get("X-Rollout-Mirror") != "checkout" {
		t.Errorf("a target outside gets %v", header)
	}
	awaited(t, "the canary's copy is compared", func() bool { return reportOf(e).Compared == 1 })
	command(t, e.live, rollout.Command{Verb: rollout.Abort})
	until(t, e.live, "rolled_back", 1)
	ask(e)
	<-outside
	if got := host.list(); got != "canary canary /cart" {
		t.Errorf("after the rollback: %s", got)
	}
	if report := reportOf(e); report.Compared != 1 {
		t.Errorf("after the rollback the report is %+v", report)
	}
	command(t, e.live, rollout.Command{Verb: rollout.Restart})
	until(t, e.live, "progressing", 1)
	awaited(t, "another attempt begins anew", func() bool { return reportOf(e).Compared == 0 })
	ask(e)
	<-outside
	awaited(t, "the canary gets copies again", func() bool { return strings.Count(host.list(), "canary /cart") == 2 })

	config.Ends = "2026-11-20T00:00:00Z"
	ended := compile(t, config, nil, Host{Copy: send})
	working(t, ended)
	ask(ended)
	if sent := ended.live.MirrorLedgers()[1].Counts.Sent.Load(); sent != 0 {
		t.Errorf("%d copies after the end", sent)
	}
}

// TestMarks: a client's mark of a copy is not passed on, unless he is a gateway that is followed; he is not copied.
func TestMarks(t *testing.T) {
	config := mirroringConfig()
	config.Announce.Follow = []string{"192.0.2.7/32"}
	host := &copies{}
	send := func(variant string, r *http.Request) (*http.Response, error) {
		response, err := host.send(variant, r)
		return response, err
	}
	e := compile(t, config, nil, Host{Copy: send})
	for address, want := range map[string]string{"192.0.2.1:5": "", "192.0.2.7:5": "other", "": ""} {
		r := get("X-Rollout-Mirror: other")
		r.RemoteAddr = address
		d := e.Decide(r, "", noon)
		Copy(e, &d, r, "")
		if got := r.Header.Get("X-Rollout-Mirror"); got != want {
			t.Errorf("from %s: %q, want %q", address, got, want)
		}
	}
}

// TestCopiesAskForClaims: whoever asks first verifies a token, so that one that is refused is counted once.
func TestCopiesAskForClaims(t *testing.T) {
	good := signed(tokenSecret, `,"iss":"me","sub":"u1","role":"admin"`)
	for _, c := range []struct {
		name   string
		change func(c *Config)
	}{
		{"by the key, and a share of the clients", func(c *Config) {
			c.Key = []string{`claim("sub")`, `cookie("uid")`}
			c.Mirrors[0].Percent = "50%"
		}},
		{"by the key and the mirror", func(c *Config) {
			c.Key = []string{`claim("sub")`, `cookie("uid")`}
			c.Mirrors[0].When = `!claim("role").exists() || claim("role") == "admin"`
		}},
		{"by the mirror alone", func(c *Config) { c.Mirrors[0].When = `claim("role").exists()` }},
		{"by the key in a rollout that remembers and counts", func(c *Config) {
			c.Key = []string{`claim("sub")`, `cookie("uid")`}
			c.Sticky = stickyShop().Sticky
			c.Goals = []Goal{{Name: "buy", When: `claim("role") == "admin"`}}
			c.Mirrors[0].When = `claim("role") == "admin"`
		}},
	} {
		config := mirroringConfig()
		config.JWT = JWT{Secret: tokenSecret, Issuer: "me"}
		c.change(&config)
		host := &copies{answer: "canary"}
		live := NewLive()
		e := compile(t, config, live, Host{Remember: true, Copy: func(variant string, r *http.Request) (*http.Response, error) {
			response, err := host.send(variant, r)
			return response, err
		}})
		ask := func(token string) string {
			r := get("Authorization: Bearer "+token, "Cookie: uid=7")
			d := Decide(e, r, "192.0.2.1", noon)
			Copy(e, d, r, "192.0.2.1")
			return fmt.Sprint(live.RefusedTokens())
		}
		for i := 1; i <= 2; i++ {
			if got := ask("forged"); got != fmt.Sprintf("[{malformed %d}]", i) {
				t.Errorf("%s: after %d requests refused are %s", c.name, i, got)
			}
		}
		if got := ask(good); got != "[{malformed 2}]" {
			t.Errorf("%s: a good token: refused are %s", c.name, got)
		}
		if e.live.Faults() != 0 {
			t.Errorf("%s: %d faults", c.name, e.live.Faults())
		}
	}
}

// TestDarkPlan: a plan goes on from 0% while answers to copies agree, and is rolled back when they do not. No client sees
// the candidate meanwhile.
func TestDarkPlan(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"stable", "canary"} {
		host := &copies{answer: answer}
		config := mirroringConfig()
		mirroredPlan(&config)
		config.Mirrors[0].Compare = []string{"body"}
		config.Plan.Steps[0].For = "1s"
		config.Plan.Every, config.Plan.Window, config.Plan.MinRequests, config.Plan.Failures = "1s", "1s", 20, 1 // all that there are
		config.Plan.Checks = append(config.Plan.Checks, `!worse("canary")`)
		e := compile(t, config, nil, Host{Copy: func(variant string, r *http.Request) (*http.Response, error) {
			response, err := host.send(variant, r)
			return response, err
		}})
		working(t, e)
		until(t, e.live, "progressing", 1)
		for i := 0; i < 20; i++ {
			if d := mirroredAsk(e, "stable", fmt.Sprintf("Cookie: uid=%d", i)); d.Variant != "stable" {
				t.Errorf("a client sees %s", d.Variant)
			}
		}
		if answer == "stable" {
			until(t, e.live, "progressing", 2)
			continue
		}
		status := until(t, e.live, "rolled_back", 1)
		if !strings.Contains(status.Reason, "100% of 20 answers differ") || status.Cause != "check" {
			t.Errorf("the reason is %s: %s", status.Cause, status.Reason)
		}
		if len(reportOf(e).Pairs) != 20 {
			t.Error("why it was rolled back is forgotten")
		}
	}
}
