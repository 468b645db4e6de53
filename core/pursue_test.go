package core

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// swift is a plan for the canary whose steps take a second or two.
func swift() Config {
	config := planned()
	config.Plan.Steps = []Step{{Weight: "10%", For: "1s"}, {Weight: "50%", For: "1s"}, {Weight: "95%", Manual: true}}
	config.Plan.Every, config.Plan.Window = "1s", "2s"
	config.Plan.MinRequests = 5
	config.Plan.Failures = 1
	config.Plan.Checks = []string{`error_rate("canary") <= 0.2`}
	return config
}

// run puts an engine in force until the test ends, under traffic whose answers of the canary have a status.
func run(t *testing.T, config Config, live *Live, host Host, status *atomic.Int64) {
	t.Helper()
	e := compile(t, config, live, host)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			for _, uid := range []string{"ada", "bob", "eve", "kim", "joe", "ann", "max", "sue"} {
				d := e.Decide(get("Cookie: uid="+uid), "", time.Now())
				o := Outcome{Status: 200, Latency: time.Millisecond}
				if d.Variant == "canary" {
					o.Status = int(status.Load())
				}
				e.Report(d, o)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		<-stopped
	})
}

// until waits for a rollout to come to a state and step.
func until(t *testing.T, live *Live, state string, step int) Status {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute) // a canary of which half fails is told from one with bursts in four
	for {
		status, _ := live.Status()
		if status.State == state && status.Step == step {
			return status
		}
		if time.Now().After(deadline) {
			t.Fatalf("the rollout is not %s at step %d: %+v", state, step, status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestPlanGoesOn(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(200)
	live := NewLive()
	heard := make(chan rollout.Event, 100)
	run(t, swift(), live, Host{Listen: func(events []rollout.Event) {
		for _, event := range events {
			heard <- event
		}
	}}, &status)
	at := until(t, live, "progressing", 3)
	if at.Evaluation != nil && at.Evaluation.Verdict == rollout.Fail {
		t.Errorf("%+v", at)
	}
	for _, want := range []rollout.Kind{rollout.KindStarted, rollout.KindStepAdvanced, rollout.KindStepAdvanced} {
		event := <-heard
		for event.Kind == rollout.KindHeld { // a busy machine has few requests
			event = <-heard
		}
		if event.Kind != want || want == rollout.KindStepAdvanced && !strings.Contains(event.Reason, "error_rate") {
			t.Errorf("heard of %+v, want %s with what the check saw", event, want)
		}
	}
	status.Store(500)
	rolled := until(t, live, "rolled_back", 3)
	if rolled.Cause != "check" || !strings.Contains(rolled.Reason, `error_rate("canary") <= 0.2`) {
		t.Errorf("rolled back by %s: %s", rolled.Cause, rolled.Reason)
	}
	event := <-heard
	for event.Kind != rollout.KindRolledBack {
		event = <-heard
	}
	if event.Figures["canary_requests"] == 0 {
		t.Errorf("the figures of the rollback are %v", event.Figures)
	}
	if v := live.Verdicts(); v[rollout.Pass] == 0 || v[rollout.Fail] == 0 {
		t.Errorf("verdicts %v", v)
	}
	_, changed := live.Events(0)
	command(t, live, rollout.Command{Verb: rollout.Restart})
	<-changed
}

// TestLooksAreOnTime: by a ticker that is a little early or late each time, checks are looked at as often as they should.
func TestLooksAreOnTime(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 1500 * time.Millisecond, 10 * time.Second} {
		judged, looks := time.Duration(0), 0
		for tick := 1; tick <= 600; tick++ {
			now := time.Duration(tick)*time.Second + time.Duration(tick%3-1)*time.Millisecond
			if now-judged < every {
				continue
			}
			judged = lookedAt(judged, now, every)
			looks++
		}
		if most := int(10 * time.Minute / every); looks < most-1 || looks > most {
			t.Errorf("every %s: %d looks in ten minutes, want %d", every, looks, most)
		}
	}
	if at := lookedAt(time.Second, time.Minute, 10*time.Second); at != time.Minute {
		t.Errorf("after a minute without looks, the next is due %s after the beginning of this one", at)
	}
}

// TestPlanAsksOthers: Prometheus for values, and whoever confirms a step.
func TestPlanAsksOthers(t *testing.T) {
	t.Parallel()
	var status, value, confirms atomic.Int64
	status.Store(200)
	questions := make(chan map[string]any, 100)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/confirm" {
			var question map[string]any
			_ = json.NewDecoder(r.Body).Decode(&question)
			questions <- question
			w.WriteHeader(int(confirms.Load()))
			return
		}
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("Prometheus is asked as %q", r.Header.Get("Authorization"))
		}
		if value.Load() == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
	}))
	defer outside.Close()
	token := t.TempDir() + "/token"
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := swift()
	config.Plan.Checks = []string{`prometheus("up") == 1`}
	config.Plan.Steps[0].Confirm = outside.URL + "/confirm"
	config.Prometheus = Prometheus{URL: outside.URL, BearerToken: "file:" + token}
	live := NewLive()
	confirms.Store(403)
	run(t, config, live, Host{}, &status)
	for {
		held := until(t, live, "progressing", 1)
		if held.Held {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	value.Store(1)
	if question := <-questions; question["rollout"] != "checkout" || question["step"] != 1.0 || question["weight"] != "10%" {
		t.Errorf("asked to confirm %v", question)
	}
	<-questions // it is asked again
	confirms.Store(204)
	until(t, live, "progressing", 3)
}

// TestReloadsInAStep keep the state, and what was counted.
func TestReloadsInAStep(t *testing.T) {
	var status atomic.Int64
	status.Store(200)
	live := NewLive()
	config := planned()
	for i := 0; i < 3; i++ {
		config.FallbackMethods = [][]string{nil, {"GET"}, {"none"}}[i]
		run(t, config, live, Host{}, &status)
		seen := int64(100 * (i + 1))
		for {
			s := until(t, live, "progressing", 1)
			if s.Variants[0].Requests > seen {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if s, _ := live.Status(); s.Epoch != 0 || s.Version != "1" {
		t.Errorf("after reloads: %+v", s)
	}
}

// TestSampleRatio: a split that is as it should be is quiet, and one that is not is seen; who came before this process did
// ends the watch.
func TestSampleRatio(t *testing.T) {
	config := stickyShop()
	live := NewLive()
	e := inForce(t, config, live, Host{})
	p := &pursuit{engine: e, live: live, trial: current(e).trial}
	for i := 0; i < 2000; i++ {
		(&browserAt{engine: e, now: noon}).asks("X-User: " + generationText(i))
		(&browserAt{engine: e, now: noon}).asks("X-User: " + generationText(i)) // who comes twice counts once
	}
	total := int64(0)
	for _, n := range p.trial.Assignments() {
		total += n
	}
	if m := p.mismatch(); m != nil || total < 1900 || total > 2000 {
		t.Errorf("of %d clients: %+v", total, m)
	}
	for i := 0; i < 4000; i++ {
		p.trial.Assign(1)
	}
	m := p.mismatch()
	if m == nil || m.Position != p.trial.position || !strings.Contains(m.Reason, "canary") {
		t.Fatalf("%+v", m)
	}
	if p.mismatch() != nil {
		t.Error("it is looked at again before there are twice as many")
	}
	if s, _ := live.Status(); s.SampleRatio != "" {
		t.Errorf("it is not watched: %s", s.SampleRatio)
	}
	stranger := &browserAt{engine: compile(t, config, NewLive(), Host{}), now: noon}
	stranger.asks("X-User: " + low)
	stranger.engine = e
	stranger.asks("X-User: " + low)
	if s, _ := live.Status(); !strings.Contains(s.SampleRatio, "elsewhere") {
		t.Errorf("who was assigned elsewhere came, and it says %q", s.SampleRatio)
	}
	for i := 0; i < 40_000; i++ {
		p.trial.Assign(0)
	}
	if p.mismatch() != nil {
		t.Error("it is still watched")
	}
}

func generationText(i int) string {
	return "client-" + string(rune('a'+i%26)) + "-" + time.Duration(i).String()
}
