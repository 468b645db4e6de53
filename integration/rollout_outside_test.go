package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// outsideJourneys are those of plans that tell others, and ask them.
func outsideJourneys(t *testing.T, host gateway.Host) []journey {
	signed, slack := newWebhook(t), newWebhook(t)
	return []journey{
		{
			name: "webhooks are told what happens, though they fail first",
			rollout: func() gateway.Rollout {
				r := planned("told", manual("50%"), step("100%", ""))
				r.Notify = []gateway.Notify{
					{URL: signed.URL, Secret: webhookSecret, Events: []string{"started", "promoted", "rolled_back"}},
					{URL: slack.URL, Format: "slack"},
				}
				return r
			}(),
			run: func(t *testing.T, p *pilot) {
				p.awaitState(t, "progressing", 1)
				for _, verb := range []string{"pause", "resume", "promote", "abort"} {
					p.command(t, http.StatusOK, verb, "")
				}
				expectSigned(t, signed.await(t, "started", "promoted", "rolled_back"))
				expectSlack(t, slack.await(t, "started", "paused", "resumed", "promoted", "rolled"))
				attempts := signed.attempted() + slack.attempted()
				if failed := p.status(t).Counts["notices_retried"]; attempts > 3+5+failed {
					t.Errorf("there are %d attempts at 8 messages, of which %d failed", attempts, failed)
				}
			},
		},
		{
			name: "a plan by Prometheus holds while that is away, and takes back what it sees",
			rollout: func() gateway.Rollout {
				r := planned("metered", step("50%", "1s"), step("75%", long), step("100%", ""))
				r.Plan.Checks = []string{`prometheus("` + failedShare(host, "metered") + `") <= 0.1`}
				return r
			}(),
			run: func(t *testing.T, p *pilot) {
				l := p.traffic(t, p.users(50))
				s := p.await(t, "it holds, and counts that Prometheus does not answer", func(s gateway.Status) bool {
					return s.Held && s.Verdict() == "hold" && s.Counts["queries_unreachable"] > 0
				})
				if s.State != "progressing" || s.Step != 1 || !strings.Contains(s.Evaluation.Reason, "prometheus") {
					t.Errorf("without Prometheus: %+v, %+v", s, s.Evaluation)
				}
				startPrometheus(t, p.g.Site.Prometheus, target{address: p.g.AdminAddr(), path: "/metrics"})
				p.awaitState(t, "progressing", 2)
				p.backend("canary").Fail(tangible)
				expectRolledBack(t, p, l)
			},
		},
	}
}

// failedShare asks Prometheus what share of the canary's requests failed in the last seconds, as the gateway tells.
func failedShare(host gateway.Host, rollout string) string {
	requests, failed := `traefik_service_requests_total{service='`+rollout+`-1-canary@file'`, `code='500'`
	switch host.(type) {
	case gateway.Caddy:
		requests, failed = `caddy_rollout_requests_total{rollout='`+rollout+`',variant='canary'`, `outcome='failure'`
	case gateway.TraefikProxy: // which has no service for each variant, and half of the requests are the canary's
		requests = `traefik_router_requests_total{router='` + rollout + `@file'`
	}
	return fmt.Sprintf(`(sum(rate(%s,%s}[5s])) or vector(0)) / sum(rate(%[1]s}[5s]))`, requests, failed)
}

const webhookSecret = "a secret that signs what is told"

// webhook is a server that takes messages, of which it does not take the first two attempts: it answers 500, and then
// nothing.
type webhook struct {
	*httptest.Server
	mu       sync.Mutex
	attempts []message // all, of which the first two came to nothing; guarded by mu
}

type message struct {
	header http.Header
	body   string
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.mu.Lock()
		w.attempts = append(w.attempts, message{r.Header.Clone(), string(body)})
		n := len(w.attempts)
		w.mu.Unlock()
		switch n {
		case 1:
			rw.WriteHeader(http.StatusInternalServerError)
		case 2:
			<-r.Context().Done()
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// await waits until as many messages were taken as there are words, each of which has its word in it, and returns them after
// the first two attempts. A message is sent again where a busy machine takes too long to answer.
func (w *webhook) await(t *testing.T, words ...string) []message {
	t.Helper()
	var all []message
	gateway.Eventually(t, "the webhook has got "+strings.Join(words, ", "), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.attempts) < 2 {
			return false
		}
		taken := slices.CompactFunc(slices.Clone(w.attempts[2:]), func(a, b message) bool { return a.body == b.body })
		all = slices.Concat(w.attempts[:2], taken)
		return len(taken) >= len(words)
	})
	for i, word := range words {
		if !strings.Contains(all[2+i].body, word) {
			t.Errorf("message %d is %s, want one about %s", i, all[2+i].body, word)
		}
	}
	if len(all) != 2+len(words) {
		t.Errorf("there are %d messages", len(all)-2)
	}
	return all
}

func (w *webhook) attempted() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.attempts))
}

// expectSigned holds messages to be signed, and attempts at one event to have one id.
func expectSigned(t *testing.T, all []message) {
	t.Helper()
	ids := make(map[string]bool)
	last := int64(0)
	for i, m := range all {
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		io.WriteString(mac, m.header.Get("X-Rollout-Timestamp")+"."+m.body)
		if got, want := m.header.Get("X-Rollout-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("the signature is %q, want %q", got, want)
		}
		ids[m.header.Get("X-Rollout-Delivery")] = true
		var event struct {
			ID                       int64
			Event, Rollout, Revision string
		}
		if err := json.Unmarshal([]byte(m.body), &event); err != nil || event.Rollout != "told" || event.Revision != "v2" || event.Event != m.header.Get("X-Rollout-Event") {
			t.Errorf("message %d is %s, %v", i, m.body, err)
		}
		if event.ID < last || i > 2 && event.ID == last {
			t.Errorf("event %d comes after %d", event.ID, last)
		}
		last = event.ID
	}
	if len(ids) != len(all)-2 {
		t.Errorf("%d attempts at %d events have the ids %v", len(all), len(all)-2, ids)
	}
}

// expectSlack holds messages to be such as Slack's incoming webhooks take.
func expectSlack(t *testing.T, all []message) {
	t.Helper()
	for _, m := range all {
		var slack struct {
			Text   string
			Blocks []struct{ Type string }
		}
		if err := json.Unmarshal([]byte(m.body), &slack); err != nil || !strings.Contains(slack.Text, "told") || len(slack.Blocks) == 0 {
			t.Errorf("a message for Slack is %s, %v", m.body, err)
		}
	}
}
