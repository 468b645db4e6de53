package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// gateJourneys are those of plans that wait for somebody, or for a time.
func gateJourneys(t *testing.T) []journey {
	confirms := newConfirms(t)
	ends := time.Now().Add(30 * time.Second).Truncate(time.Second)
	return []journey{
		{
			name:    "a step waits for its confirmation",
			rollout: planned("confirm", gateway.Step{Weight: "50%", For: "1s", Confirm: confirms.URL + "/gate?secret=1"}, step("100%", "")),
			run: func(t *testing.T, p *pilot) {
				l := p.traffic(t, p.users(50))
				p.await(t, "it was asked and has refused", func(gateway.Status) bool { return len(confirms.questions()) >= 2 })
				s := p.status(t)
				if s.State != "progressing" || s.Step != 1 || !s.Awaits {
					t.Errorf("unconfirmed: %+v", s)
				}
				confirms.confirm()
				p.awaitState(t, "promoted", 0)
				p.expectStory(t, "started 1, promoted 2")
				l.Stop()
				expectAllAnswered(t, l)
				for _, question := range confirms.questions() {
					if question != `{"rollout":"confirm","revision":"v2","epoch":0,"step":1,"weight":"50%"}` {
						t.Errorf("it was asked %s", question)
					}
				}
			},
		},
		{
			name: "outside its hours a plan holds, and takes back all the same",
			rollout: func() gateway.Rollout {
				r := planned("hours", step("50%", "1s"), step("100%", ""))
				noon := time.Now().UTC().Add(12 * time.Hour)
				r.Plan.Only = []string{fmt.Sprintf("%02d:00-%02d:00 UTC", noon.Hour(), noon.Hour()+1)}
				return r
			}(),
			run: func(t *testing.T, p *pilot) {
				l := p.traffic(t, p.users(50))
				p.awaitRunning(t)
				before := p.status(t)
				began := time.Now()
				after := p.await(t, "some time", func(gateway.Status) bool { return time.Since(began) > 4*time.Second })
				if after.State != before.State || after.Step != before.Step {
					t.Errorf("outside its hours it went from %+v to %+v", before, after)
				}
				p.expectNoCanary(t, l) // it has not even begun
				p.command(t, http.StatusOK, "promote", "")
				p.awaitState(t, "progressing", 1)
				p.backend("canary").Fail(tangible)
				expectRolledBack(t, p, l)
			},
		},
		{
			name: "at its end a rollout is taken back",
			rollout: func() gateway.Rollout {
				r := planned("ends", step("50%", long), step("100%", ""))
				r.Ends = ends.Format(time.RFC3339)
				return r
			}(),
			run: func(t *testing.T, p *pilot) {
				l := p.traffic(t, p.users(50))
				s := p.awaitState(t, "rolled_back", 0)
				p.expectNoCanary(t, l)
				if s.Cause != "ended" || p.last(t, "rolled_back").Time.Before(ends) {
					t.Errorf("rolled back by %q at %v, and it ends at %v", s.Cause, p.last(t, "rolled_back").Time, ends)
				}
				p.command(t, http.StatusConflict, "restart", "")
				l.Stop()
				expectAllAnswered(t, l)
			},
		},
	}
}

// confirms is a server that refuses to confirm steps, until it does.
type confirms struct {
	*httptest.Server
	mu     sync.Mutex
	agrees bool // guarded by mu, as is asked
	asked  []string
}

func newConfirms(t *testing.T) *confirms {
	c := &confirms{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
			t.Errorf("a question is no JSON: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked = append(c.asked, string(question))
		if !c.agrees {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *confirms) confirm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.agrees = true
}

func (c *confirms) questions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}
