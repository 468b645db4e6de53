package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// run runs a rollout with a plan until the test ends, and returns its handler when the plan has begun.
func run(t *testing.T, host core.Host) http.Handler {
	t.Helper()
	config := core.Config{
		Name: "checkout", Revision: "v2",
		Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}},
		Plan:     core.Plan{Steps: []core.Step{{Weight: "10%", Manual: true}, {Weight: "50%", Manual: true}, {Weight: "100%"}}},
	}
	l := core.NewLive()
	engine, err := core.Compile(config, l, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		engine.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	h := Handler(func() map[string]*core.Live { return map[string]*core.Live{"checkout": l} })
	deadline := time.Now().Add(time.Minute)
	for {
		status := statusOf(t, h)
		if status.State == string(rollout.Progressing) {
			return h
		}
		if time.Now().After(deadline) {
			t.Fatalf("the plan does not begin: %v", status)
		}
		time.Sleep(time.Millisecond)
	}
}

func statusOf(t *testing.T, h http.Handler) core.Status {
	t.Helper()
	w := ask(h, "GET", "/rollouts/checkout", "")
	var status core.Status
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &status); err != nil {
			t.Fatal(err)
		}
	}
	return status
}

func TestLifeOfARollout(t *testing.T) {
	h := run(t, core.Host{})
	begun := ask(h, "GET", "/rollouts/checkout", "").Header().Get("ETag")
	for _, c := range []struct {
		verb, body string
		status     int
		texts      []string
	}{
		{"resume", "", 409, []string{`"code":"state"`, "the rollout is progressing, and has to be paused"}},
		{"weight", `{"variant": "canary", "weight": "5%"}`, 409, []string{`"code":"state"`}},
		{"step", `{"step": 9}`, 400, []string{`"code":"command"`, "the plan has 1 to 3"}},
		{"pause", "", 200, []string{`"state":"paused"`, `"cause":"operator"`}},
		{"weight", `{"variant": "canary", "weight": "5%"}`, 200, []string{`{"name":"canary","weight":"5%"`, `{"name":"stable","weight":"95%"`}},
		{"weight", `{"variant": "kanary", "weight": "5%"}`, 400, []string{"unknown variant"}},
		{"weight", `{"variant": "canary", "weight": "500%"}`, 400, []string{`"code":"command"`}},
		{"resume", "", 200, []string{`"state":"progressing"`, `{"name":"canary","weight":"10%"`}},
		{"step", `{"step": 2}`, 200, []string{`"step":2`, `{"name":"canary","weight":"50%"`}},
		{"promote", `{"full": true}`, 200, []string{`"step":3`}},
		{"abort", "", 200, []string{`"state":"rolled_back"`, `{"name":"canary","weight":"0%"`}},
		{"promote", "", 409, []string{`"code":"state"`}},
		{"restart", "", 200, []string{`"state":"progressing"`, `"step":1`}},
	} {
		w := ask(h, "POST", "/rollouts/checkout/"+c.verb, c.body)
		wantAnswer(t, c.verb+c.body, w, c.status, c.texts...)
		if now := ask(h, "GET", "/rollouts/checkout", "").Header().Get("ETag"); c.status == 200 && w.Header().Get("ETag") != now {
			t.Errorf("%s %s: the answer has the tag %s, what is there then %s", c.verb, c.body, w.Header().Get("ETag"), now)
		}
	}
	wantAnswer(t, "a stale tag", ask(h, "POST", "/rollouts/checkout/abort", "", "If-Match: "+begun), 412, `"code":"version"`)
	w := ask(h, "GET", "/rollouts/checkout/events?after=1", "")
	if got := kinds(w.Body.String()); !strings.HasPrefix(got, "paused weight_set resumed step_advanced ") || !strings.HasSuffix(got, " rolled_back restarted") {
		t.Errorf("what happened: %s", got)
	}
}

func TestVeto(t *testing.T) {
	h := run(t, core.Host{Veto: func(_ rollout.Event) error { return errors.New("not on a Friday") }})
	wantAnswer(t, "step 3", ask(h, "POST", "/rollouts/checkout/step", `{"step": 3}`), 409, `"code":"veto"`, "not on a Friday")
	if got := statusOf(t, h); got.Step != 1 {
		t.Errorf("the rollout is at step %d", got.Step)
	}
}

// TestOnlyOneOfManyWins sends commands that are all for the same version, at the same time.
func TestOnlyOneOfManyWins(t *testing.T) {
	h := run(t, core.Host{})
	tag := ask(h, "GET", "/rollouts/checkout", "").Header().Get("ETag")
	const n = 8
	codes := make(chan int, n)
	for i := 0; i < n; i++ {
		go func() { codes <- ask(h, "POST", "/rollouts/checkout/promote", "", "If-Match: "+tag).Code }()
	}
	count := map[int]int{}
	for i := 0; i < n; i++ {
		code := <-codes
		count[code]++
	}
	if count[200] != 1 || count[412] != n-1 {
		t.Errorf("answers by status: %v, want one 200 and %d times 412", count, n-1)
	}
	if got := statusOf(t, h); got.Step != 2 {
		t.Errorf("the rollout is at step %d, want 2", got.Step)
	}
}
