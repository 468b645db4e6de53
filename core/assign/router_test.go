package assign

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// service is a router outside, whose answers a test writes.
type service struct {
	server *httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // guarded by mu
}

func newService(t *testing.T) *service {
	s := &service{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *service) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *service) says(content string) {
	s.answers(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, content) })
}

// fixture is a router with everything around it.
type fixture struct {
	*Router
	service *service
	counts  *RouterCounts
	memory  *Memory
}

func newFixture(t *testing.T, change func(s *RouterSettings)) *fixture {
	t.Helper()
	f := &fixture{service: newService(t), counts: &RouterCounts{}, memory: NewMemory(100)}
	settings := RouterSettings{
		URL: f.service.server.URL + "/route", Timeout: 20 * time.Second, Limit: time.Hour, Concurrency: 10,
		Variants: []string{"blue", "green"},
	}
	if change != nil {
		change(&settings)
	}
	f.Router = NewRouter(settings, f.memory, f.counts)
	t.Cleanup(func() { f.Close() })
	return f
}

func cartRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://shop.example/cart/7?token=hidden", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Plan": {"gold", "plus"}, "Authorization": {"Bearer hidden"}, "Cookie": {"session=hidden"}, "X-Other": {"hidden"}}
	return r
}

// TestQuestion: the router is sent what its documentation says, and nothing else of the request.
func TestQuestion(t *testing.T) {
	f := newFixture(t, func(s *RouterSettings) { s.Headers = []string{"X-Plan", "X-Absent"} })
	var method, path, contentType, text string
	var headers http.Header
	f.service.answers(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text = string(body)
		method = r.Method
		path = r.URL.Path
		contentType = r.Header.Get("Content-Type")
		headers = r.Header
		_, _ = io.WriteString(w, `{"variant": "green", "ttl": 300}`)
	})
	a, err := f.Ask(cartRequest(t), "client 7", 3, noon)
	want := Assignment{Variant: "green", Generation: 3, Expires: noon.UnixMilli() + 300_000}
	if err != nil || a != want {
		t.Errorf("the answer is %+v, %v", a, err)
	}
	if method != http.MethodPost || path != "/route" || contentType != "application/json" {
		t.Errorf("%s %s with %s", method, path, contentType)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	question := map[string]any{
		"method": "PUT", "path": "/cart/7", "client": "client 7", "headers": map[string]any{"X-Plan": "gold, plus"},
		"variants": []any{"blue", "green"},
	}
	if !reflect.DeepEqual(got, question) {
		t.Errorf("asked %s", text)
	}
	for name, fields := range headers {
		if strings.Contains(strings.Join(fields, " ")+text, "hidden") {
			t.Errorf("the router learns %s: %s, or %s", name, fields, text)
		}
	}
	if a, known := Recall(f.memory, "client 7"); !known || a != want {
		t.Errorf("remembered is %+v, %v", a, known)
	}
}

func TestAnswers(t *testing.T) {
	f := newFixture(t, nil)
	second := int64(1000)
	for i, test := range []struct {
		content string
		lasts   int64 // milliseconds; -1: there is no answer
	}{
		{`{"variant": "green"}`, 300 * second},
		{`{"variant": "green", "ttl": 1.5}`, 1500},
		{`{"variant": "green", "ttl": "90s"}`, 90 * second},
		{`{"variant": "green", "ttl": "2026-11-21T12:30:00Z"}`, 1800 * second},
		{`{"variant": "green", "ttl": "2026-11-21T11:30:00Z"}`, -1800 * second}, // over already: for this request only
		{`{"variant": "green", "ttl": 0}`, 0},
		{`{"variant": "green", "ttl": "rollout"}`, 3600 * second}, // the limit
		{`{"variant": "green", "ttl": 3601}`, 3600 * second},
		{`{"variant": "green", "ttl": 1e300}`, 3600 * second},
		{`{"variant": "green", "ttl": "2562047h"}`, 3600 * second},
		{`{"variant": "green", "more": [1, 2]}`, 300 * second},
		{`{"variant": "green", "ttl": null}`, 300 * second},
		{`{"variant": "green", "ttl": -1}`, -1},
		{`{"variant": "green", "ttl": "soon"}`, -1},
		{`{"variant": "green", "ttl": true}`, -1},
		{`{"variant": "red"}`, -1},
		{`{"variant": "` + strings.Repeat("x", 10_000) + `"}`, -1},
		{`{"variant": ["green"]}`, -1},
		{`{"variant": ""}`, -1},
		{`{}`, -1},
		{`null`, -1},
		{`[]`, -1},
		{`"green"`, -1},
		{`green`, -1},
		{``, -1},
		{`{"variant": "green"} and more`, -1},
		{`{"variant": "green", "pad": "` + strings.Repeat("x", maxAnswer) + `"}`, -1},
		{strings.Repeat(`{"variant":`, 2000), -1},
	} {
		client := "client " + strconv.Itoa(i)
		f.service.says(test.content)
		before := f.counts.Invalid.Load()
		f.breaker = breaker{}
		a, err := f.Ask(cartRequest(t), client, 1, noon)
		_, remembered := Recall(f.memory, client)
		if test.lasts == -1 {
			if err == nil || remembered || f.counts.Invalid.Load() != before+1 || a.Variant != "" {
				t.Errorf("%.80s: %+v, %v, remembered: %v", test.content, a, err, remembered)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("%.80s: the error has %d bytes", test.content, len(err.Error()))
			}
			continue
		}
		if err != nil || a.Variant != "green" || a.Expires-noon.UnixMilli() != test.lasts || remembered != (test.lasts > 0) {
			t.Errorf("%.80s: %+v, %v, remembered: %v", test.content, a, err, remembered)
		}
	}
}

// TestFailures: whatever the router does, there is an error, a count, and nothing of its address.
func TestFailures(t *testing.T) {
	status := func(code int) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"variant": "green"}`)
		}
	}
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		{"500", status(500)}, {"204", status(204)}, {"302", status(302)}, {"307", status(307)}, {"404", status(404)}, {"201", status(201)},
		{"dropped", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}},
		{"broken off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"variant": "green"}`)
		}},
	} {
		f := newFixture(t, func(s *RouterSettings) { s.URL += "?key=secretive" })
		f.service.answers(test.answer)
		a, err := f.Ask(cartRequest(t), "7", 1, noon)
		if err == nil || a.Variant != "" || f.counts.Failed.Load() != 1 || f.service.asked.Load() != 1 {
			t.Errorf("%s: %+v, %v; %d failures of %d questions", test.name, a, err, f.counts.Failed.Load(), f.service.asked.Load())
			continue
		}
		if strings.Contains(err.Error(), "secretive") {
			t.Errorf("%s: the error tells the address: %v", test.name, err)
		}
	}

	f := newFixture(t, func(s *RouterSettings) { s.URL += "?key=secretive" })
	f.service.server.Close()
	if _, err := f.Ask(cartRequest(t), "7", 1, noon); err == nil || strings.Contains(err.Error(), "secretive") || f.counts.Failed.Load() != 1 {
		t.Errorf("a router that is not there: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	f := newFixture(t, func(s *RouterSettings) { s.Timeout = 50 * time.Millisecond })
	over := make(chan bool)
	f.service.answers(func(w http.ResponseWriter, r *http.Request) { <-over })
	_, err := f.Ask(cartRequest(t), "7", 1, noon)
	close(over)
	if err == nil || !strings.Contains(err.Error(), "50ms") || f.counts.TimedOut.Load() != 1 {
		t.Errorf("%v, %d", err, f.counts.TimedOut.Load())
	}
}

// TestOneQuestionForOneClient: while a client is asked about, nobody asks again, and everybody gets the answer.
func TestOneQuestionForOneClient(t *testing.T) {
	const requests = 8
	f := newFixture(t, nil)
	answer := make(chan bool)
	f.service.answers(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		_, _ = io.WriteString(w, `{"variant": "green"}`)
	})
	var done sync.WaitGroup
	for i := 0; i < requests; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			if a, err := f.Ask(cartRequest(t), "7", 1, noon); err != nil || a.Variant != "green" {
				t.Errorf("%+v, %v", a, err)
			}
		}()
	}
	eventually(t, "the others wait", func() bool { return f.counts.Shared.Load() == requests-1 })
	close(answer)
	done.Wait()
	if a, err := f.Ask(cartRequest(t), "7", 1, noon); err != nil || a.Variant != "green" {
		t.Errorf("later: %+v, %v", a, err)
	}
	if n := f.service.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
	if _, err := f.Ask(cartRequest(t), "7", 2, noon); err != nil || f.service.asked.Load() != 2 {
		t.Errorf("what is remembered of another generation counts: %v", err)
	}
	if len(f.open) != 0 {
		t.Errorf("%d questions stay open", len(f.open))
	}
}

// TestWhoeverWaitsMayGo: a request that ends while it waits for another's answer waits no longer, and the one that
// asks goes on though its own client is gone.
func TestWhoeverWaitsMayGo(t *testing.T) {
	f := newFixture(t, nil)
	answer := make(chan bool)
	f.service.answers(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		_, _ = io.WriteString(w, `{"variant": "green"}`)
	})
	gone, leave := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		if a, err := f.Ask(cartRequest(t).WithContext(gone), "7", 1, noon); err != nil || a.Variant != "green" {
			t.Errorf("the one that asks: %+v, %v", a, err)
		}
	}()
	eventually(t, "it is asked", func() bool { return f.service.asked.Load() == 1 })
	leave()
	if _, err := f.Ask(cartRequest(t).WithContext(gone), "7", 1, noon); err == nil {
		t.Error("a request whose client is gone waits")
	}
	close(answer)
	done.Wait()
}

func TestTooManyQuestions(t *testing.T) {
	f := newFixture(t, func(s *RouterSettings) { s.Concurrency = 2 })
	answer := make(chan bool)
	f.service.answers(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		_, _ = io.WriteString(w, `{"variant": "green"}`)
	})
	var done sync.WaitGroup
	for _, client := range []string{"1", "2"} {
		client := client
		done.Add(1)
		go func() {
			defer done.Done()
			if _, err := f.Ask(cartRequest(t), client, 1, noon); err != nil {
				t.Errorf("client %s: %v", client, err)
			}
		}()
	}
	eventually(t, "two are asked about", func() bool { return f.service.asked.Load() == 2 })
	if _, err := f.Ask(cartRequest(t), "3", 1, noon); err == nil || f.counts.Refused.Load() != 1 {
		t.Errorf("a third question: %v", err)
	}
	close(answer)
	done.Wait()
	if _, err := f.Ask(cartRequest(t), "3", 1, noon); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// TestBrokenRouter: a router that fails is left alone for a while, and then tried once.
func TestBrokenRouter(t *testing.T) {
	f := newFixture(t, nil)
	f.service.says("nonsense")
	for i := 0; i < 3*breakAfter; i++ {
		if _, err := f.Ask(cartRequest(t), strconv.Itoa(i), 1, noon); err == nil {
			t.Fatal("nonsense is an answer")
		}
	}
	if n := f.service.asked.Load(); n != breakAfter || f.counts.Refused.Load() != 2*breakAfter {
		t.Errorf("asked %d times, refused %d times", n, f.counts.Refused.Load())
	}
	f.service.says(`{"variant": "blue"}`)
	later := noon.Add(time.Hour)
	if a, err := f.Ask(cartRequest(t), "7", 1, later); err != nil || a.Variant != "blue" {
		t.Errorf("the trial: %+v, %v", a, err)
	}
	if a, err := f.Ask(cartRequest(t), "8", 1, later); err != nil || a.Variant != "blue" {
		t.Errorf("after the trial: %+v, %v", a, err)
	}
}

// TestRefusedClients: a client whom the router refuses, as often as he likes, keeps it from nobody else.
func TestRefusedClients(t *testing.T) {
	for status, asked := range map[int]int64{
		400: 3 * breakAfter, 403: 3 * breakAfter, 404: 3 * breakAfter, 499: 3 * breakAfter,
		302: breakAfter, 408: breakAfter, 429: breakAfter, 500: breakAfter, 503: breakAfter,
	} {
		status := status
		f := newFixture(t, nil)
		f.service.answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		for i := 0; i < 3*breakAfter; i++ {
			if _, err := f.Ask(cartRequest(t), "unknown", 1, noon); err == nil {
				t.Fatalf("%d is an answer", status)
			}
		}
		if n := f.service.asked.Load(); n != asked {
			t.Errorf("%d: asked %d times, want %d", status, n, asked)
		}
	}
}

// TestConnectionsAreReused: questions one after the other need one connection, and hardly ever another: net/http does not wait
// for long until a busy machine has told that one can be used again.
func TestConnectionsAreReused(t *testing.T) {
	f := newFixture(t, nil)
	var mu sync.Mutex
	connections := map[string]bool{}
	f.service.answers(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		_, _ = io.WriteString(w, `{"variant": "green"}`)
	})
	for i := 0; i < 20; i++ {
		if _, err := f.Ask(cartRequest(t), strconv.Itoa(i), 1, noon); err != nil {
			t.Fatal(err)
		}
	}
	if len(connections) > 5 {
		t.Errorf("%d connections for 20 questions", len(connections))
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes still not: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
