package mirror

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
)

// TestClientNeverWaits: clients are answered while copies hang, and those for which there is no room are dropped. It is the
// order of events that shows it: nothing answers the copies before all clients have been answered.
func TestClientNeverWaits(t *testing.T) {
	release := make(chan bool)
	target := listen(t, func(_ http.ResponseWriter, _ *http.Request) { <-release })
	settings := posting(everything(t, target))
	settings.Concurrency = 3
	settings.Compare = &Comparison{Status: true, Body: true}
	settings.Control = settings.Send
	m := New(shop, []Settings{settings}, started(t))
	front := gateway(t, m, listen(t, echo()))
	for i := 0; i < 5; i++ {
		if status, body := do(t, http.MethodGet, front.URL, ""); status != http.StatusOK || body != "" {
			t.Errorf("GET is answered with %d, %q", status, body)
		}
		if status, body := do(t, http.MethodPost, front.URL, "hello"); status != http.StatusOK || body != "xxxxx" {
			t.Errorf("POST is answered with %d, %q", status, body)
		}
	}
	close(release)
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 3, "answered": 3, "dropped_concurrency": 7, "compared": 3})
}

// TestSlowUploadsLeaveRoom: bodies that are on their way in take no room from requests without one.
func TestSlowUploadsLeaveRoom(t *testing.T) {
	target, got := recorder(t)
	settings := posting(everything(t, target))
	settings.Concurrency = 2
	m := New(shop, []Settings{settings}, started(t))
	var slow []*Copies
	for i := 0; i < 3; i++ {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))
		if c := Begin(m, &expr.Input{Request: r}, "stable"); c != nil {
			slow = append(slow, c)
		}
	}
	if len(slow) != 2 {
		t.Errorf("%d of 3 bodies are kept, with room for 2", len(slow))
	}
	if c := Begin(m, &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)}, "stable"); c != nil {
		t.Error("a copy that nothing is compared with wants something of the host")
	}
	<-got
	for _, c := range slow {
		c.End(false)
		c.End(true) // changes nothing
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1, "dropped_concurrency": 1, "body_incomplete": 2})
}

// TestUploadsWithoutRoom: a body that is complete when there is no room to send it is let go.
func TestUploadsWithoutRoom(t *testing.T) {
	release := make(chan bool)
	target := listen(t, func(_ http.ResponseWriter, _ *http.Request) { <-release })
	settings := posting(everything(t, target))
	settings.Concurrency = 1
	settings.Compare = &Comparison{Body: true}
	m := New(shop, []Settings{settings}, started(t))
	Begin(m, &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)}, "stable").End(false)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))
	c := Begin(m, &expr.Input{Request: r}, "stable")
	if !c.Compares() {
		t.Error("the host is not told to tell the answer")
	}
	if content, err := io.ReadAll(r.Body); string(content) != "hello" || err != nil {
		t.Errorf("the variant reads %q, %v", content, err)
	}
	if c.Compares() {
		t.Error("the host is to tell an answer that nobody waits for")
	}
	c.Wrote([]byte("answer"), nil)
	if len(c.answer.body) > 0 {
		t.Error("an answer is kept that nobody waits for")
	}
	c.End(true)
	close(release)
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1, "dropped_concurrency": 1, "uncompared": 1})
}

// TestUnpleasantTargets: whatever a target does, the client gets his answer, and it is counted what became of the copy.
func TestUnpleasantTargets(t *testing.T) {
	closed := &httptest.Server{URL: "http://127.0.0.1:1"} // the address of one that was closed may become another's
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, test := range []struct {
		name   string
		target http.HandlerFunc // nil: refuses connections
		want   map[string]int64
		differ string
	}{
		{"refuses connections", nil, map[string]int64{"sent": 1, "failed": 1, "compared": 1}, "answer"},
		{"hangs", hang, map[string]int64{"sent": 1, "timed_out": 1, "compared": 1}, "answer"},
		{"answers one byte and hangs", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}, map[string]int64{"sent": 1, "timed_out": 1, "compared": 1}, "answer"},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, map[string]int64{"sent": 1, "failed": 1, "compared": 1}, "answer"},
		{"answers 100 MB", func(w http.ResponseWriter, _ *http.Request) {
			part := make([]byte, 1<<20)
			for i := 0; i < 100; i++ {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}, map[string]int64{"sent": 1, "answered": 1, "answers_cut": 1, "compared": 1}, "body"},
		{"answers the same", echo(), map[string]int64{"sent": 1, "answered": 1, "compared": 1}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := closed
			if test.target != nil {
				target = listen(t, test.target)
			}
			settings := everything(t, target)
			if test.want["timed_out"] > 0 { // else it is longer than a busy machine needs
				settings.Timeout = 2 * time.Second
			}
			settings.Compare = &Comparison{Status: true, Body: true}
			m := New(shop, []Settings{settings}, started(t))
			front := gateway(t, m, listen(t, echo()))
			if status, body := do(t, http.MethodGet, front.URL, ""); status != http.StatusOK || body != "" {
				t.Errorf("%s: the client gets %d, %q", test.name, status, body)
			}
			if test.differ != "" {
				test.want["different"] = 1
			}
			counted(t, m.mirrors[0].ledger, test.want)
			differ := ""
			for _, field := range m.mirrors[0].ledger.Report().Fields {
				differ += field.Name
			}
			if differ != test.differ {
				t.Errorf("%s: the answers differ in %q, want %q", test.name, differ, test.differ)
			}
		})
	}
}

// TestUncomparedAnswers: of an answer whose body nobody compares less is read, and one that is read whole keeps its connection.
func TestUncomparedAnswers(t *testing.T) {
	for _, test := range []struct {
		length  int
		compare *Comparison
		cut     bool
	}{
		{maxDrained, nil, false},
		{2 * maxDrained, nil, true},
		{2 * maxDrained, &Comparison{Status: true}, true},
		{2 * maxDrained, &Comparison{Body: true}, false},
		{2 * MaxAnswer, &Comparison{Body: true}, true},
	} {
		var mu sync.Mutex
		connections := map[string]bool{}
		content := make([]byte, test.length)
		settings := everything(t, listen(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			connections[r.RemoteAddr] = true
			mu.Unlock()
			_, _ = w.Write(content)
		}))
		settings.Compare = test.compare
		m := New(shop, []Settings{settings}, started(t))
		front := gateway(t, m, listen(t, echo()))
		const answers = 4 // on a busy machine one or the other has a connection of its own all the same
		for i := 0; i < answers; i++ {
			do(t, http.MethodGet, front.URL, "")
			idle(t, m.mirrors[0].ledger)
		}
		cut := m.mirrors[0].ledger.Counts.AnswersCut.Load()
		mu.Lock()
		if cut != 0 != test.cut || len(connections) == answers != test.cut {
			t.Errorf("%d answers of %d bytes, compared by %v: %d are cut, over %d connections", answers, test.length, test.compare, cut, len(connections))
		}
		mu.Unlock()
	}
}

// TestComparedThroughGateway: with a control, what differs in the baseline too is noise.
func TestComparedThroughGateway(t *testing.T) {
	answer := func(price string) http.HandlerFunc {
		ticks := make(chan string, 1000)
		for i := 0; i < 1000; i++ {
			ticks <- strings.Repeat("1", 1+i%7)
		}
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"time":`+<-ticks+`,"price":`+price+`}`)
		}
	}
	stable := listen(t, answer("5"))
	settings := everything(t, listen(t, answer("6")))
	settings.Compare = &Comparison{Status: true, JSON: true, Content: true}
	settings.Control = toward(t, stable)
	m := New(shop, []Settings{settings}, started(t))
	ledger := m.mirrors[0].ledger
	front := gateway(t, m, stable)
	for i := 0; i < 20; i++ {
		do(t, http.MethodGet, front.URL+"/price?of=cod", "", "X-Request-Id", "r7", "Cookie", "a=s3cret")
		idle(t, ledger)
	}
	share, known := ledger.Mismatch(20)
	report := ledger.Report()
	if share != 1 || !known || !report.Controlled || report.Compared != 20 || len(report.Pairs) != 20 {
		t.Fatalf("the mismatch is %g, known %v: %v", share, known, report)
	}
	for _, field := range report.Fields {
		if field.Above != (field.Name == "$.price") {
			t.Errorf("above the noise: %v", field)
		}
	}
	price := Difference{Field: "$.price", Baseline: "5", Target: "6"}
	pair := report.Pairs[0]
	shown := false
	for _, difference := range pair.Fields {
		shown = shown || difference == price
	}
	if !shown || pair.Method != http.MethodGet || pair.Path != "/price?of=cod" || pair.RequestID != "r7" || pair.Baseline <= 0 || pair.Target <= 0 {
		t.Errorf("the pair is %v", pair)
	}
}

// TestNotCompared: what another variant answered, or what the client did not get, is nothing to compare with.
func TestNotCompared(t *testing.T) {
	target, got := recorder(t)
	settings := everything(t, target)
	settings.Compare = &Comparison{Status: true}
	m := New(shop, []Settings{settings}, started(t))
	request := func() *expr.Input { return &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)} }
	if c := Begin(m, request(), "b"); c != nil {
		t.Error("another variant's answer is asked for")
	}
	<-got
	for _, each := range []struct {
		status int // of the answer; 0: there is none but an informational one
		torn   error
		whole  bool
	}{{0, nil, true}, {http.StatusOK, nil, false}, {http.StatusOK, net.ErrClosed, true}, {http.StatusOK, nil, true}} {
		c := Begin(m, request(), "stable")
		c.Answered(http.StatusEarlyHints, http.Header{})
		if each.status != 0 {
			c.Answered(each.status, http.Header{})
		}
		c.Wrote([]byte("part"), each.torn)
		c.Wrote([]byte("more"), nil)
		c.End(each.whole)
		<-got
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 5, "answered": 5, "compared": 1, "uncompared": 3})
}

// TestEndlessAnswers: a client whose answer goes on does not keep a copy's slot.
func TestEndlessAnswers(t *testing.T) {
	release := make(chan bool)
	stable := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	settings := everything(t, listen(t, echo()))
	settings.Timeout = 5 * time.Second
	settings.Compare = &Comparison{Body: true}
	m := New(shop, []Settings{settings}, started(t))
	front := gateway(t, m, stable)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, front.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1, "uncompared": 1})
	close(release)
	if content, err := io.ReadAll(response.Body); string(content) != "data: 1\n\n" || err != nil {
		t.Errorf("the client gets %q, %v", content, err)
	}
}

// TestRunnerEnds: when the last run ends, so do copies under way; they say nothing about the target.
func TestRunnerEnds(t *testing.T) {
	arrived := make(chan bool, 10)
	target := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-r.Context().Done()
	})
	r := NewRunner(nil)
	settings := everything(t, target)
	settings.Compare = &Comparison{Status: true}
	m := New(shop, []Settings{settings}, r)
	request := func() *expr.Input { return &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)} }
	if c := Begin(m, request(), "stable"); c != nil {
		t.Error("a copy before the runner runs")
	}
	first := run(t, r)
	second := run(t, r)
	c := Begin(m, request(), "stable")
	<-arrived
	first()
	if m.mirrors[0].ledger.sending.Load() != 1 {
		t.Error("the first of two runs took the copies with it")
	}
	c.Answered(http.StatusOK, http.Header{})
	c.End(true)
	second() // returns when the copies have ended
	if m.mirrors[0].ledger.sending.Load() != 0 {
		t.Error("the last run left copies behind")
	}
	if c := Begin(m, request(), "stable"); c != nil {
		t.Error("a copy after the runner has ended")
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "stopped": 3, "uncompared": 1})
	run(t, r)
	Begin(m, request(), "stable").End(false)
	<-arrived
}

// TestPanics: what breaks in a sender, or in a host's function, stays there.
func TestPanics(t *testing.T) {
	runner := started(t)
	settings := Settings{Name: "canary", Share: 100_000_000, Timeout: time.Minute, Concurrency: 1}
	settings.Send = func(_ *http.Request) (*http.Response, error) { panic("oops") }
	m := New(shop, []Settings{settings}, runner)
	request := func() *expr.Input { return &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)} }
	Begin(m, request(), "stable")
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "failed": 1})
	settings.Send = func(_ *http.Request) (*http.Response, error) { return nil, errors.New("no") }
	settings.Name = "b"
	rollout := shop
	rollout.Detach = func(_ *http.Request) context.Context { panic("oops") }
	m = New(rollout, []Settings{settings}, runner)
	if c := Begin(m, request(), "stable"); c != nil {
		t.Error("copies of a request that could not be detached")
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{})
}

// key is of a value in a context.
type key struct{}

// TestDetach: copies have the values that the host gives them, and outlive the request.
func TestDetach(t *testing.T) {
	got := make(chan any, 1)
	settings := Settings{Name: "canary", Share: 100_000_000, Timeout: DefaultTimeout, Concurrency: 1}
	settings.Send = func(r *http.Request) (*http.Response, error) {
		got <- r.Context().Value(key{})
		return nil, r.Context().Err()
	}
	rollout := shop
	rollout.Detach = func(r *http.Request) context.Context { return context.WithValue(r.Context(), key{}, "detached") }
	m := New(rollout, []Settings{settings}, started(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody).WithContext(ctx)
	Begin(m, &expr.Input{Request: r}, "stable")
	if value := <-got; value != "detached" {
		t.Errorf("the copy's context has %v", value)
	}
}
