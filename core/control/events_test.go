package control

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestEvents(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	wantAnswer(t, "none", ask(h, "GET", "/rollouts/checkout/events", ""), 200, `{"events":[]}`)
	f.happens(rollout.KindStarted, rollout.KindHeld, rollout.KindPromoted)
	for _, test := range []struct {
		query, header string
		want          string
	}{
		{"", "", "started held promoted"},
		{"?after=0", "", "started held promoted"},
		{"?after=1", "", "held promoted"},
		{"?after=3", "", ""},
		{"?after=57", "", "started held promoted"}, // of a rollout that began anew since
		{"?after=1", "2", "promoted"},
		{"", "1", "held promoted"},
	} {
		w := ask(h, "GET", "/rollouts/checkout/events"+test.query, "", "Last-Event-ID: "+test.header)
		wantAnswer(t, test.query+test.header, w, 200, `{"events":[`)
		if got := kinds(w.Body.String()); got != test.want {
			t.Errorf("%q, %q: got %q, want %q", test.query, test.header, got, test.want)
		}
	}
	for _, id := range []string{"-1", "x", "1.5", "99999999999999999999", "%00"} {
		wantAnswer(t, id, ask(h, "GET", "/rollouts/checkout/events?after="+id, ""), 400, `"code":"request"`, "is not the ID of an event")
	}
	w := ask(h, "HEAD", "/rollouts/checkout/events", "", "Accept: text/event-stream")
	wantAnswer(t, "HEAD", w, 200)
	if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("HEAD: Content-Type is %q", got)
	}
}

// kinds returns the kinds of the events in a list.
func kinds(list string) string {
	var found []string
	for _, part := range strings.Split(list, `"event":"`)[1:] {
		kind, _, _ := strings.Cut(part, `"`)
		found = append(found, kind)
	}
	return strings.Join(found, " ")
}

// served is a handler behind a real server, whose rollouts can change.
type served struct {
	mu       sync.Mutex
	rollouts map[string]live
	ended    chan struct{} // receives when a request has been answered
	url      string
}

func serve(t *testing.T, rollouts map[string]live, silence time.Duration) *served {
	s := &served{rollouts: rollouts, ended: make(chan struct{}, 100)}
	h := &handler{heartbeat: silence, rollouts: func() map[string]live {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.rollouts
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		s.ended <- struct{}{}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *served) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollouts = nil
}

// listen opens a stream of events, which ends with the test or its context.
func listen(ctx context.Context, t *testing.T, url, lastID string) *bufio.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/rollouts/checkout/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, %v", response.StatusCode, response.Header)
	}
	return bufio.NewReader(response.Body)
}

// next returns what comes next in a stream, up to an empty line; "" at its end.
func next(stream *bufio.Reader) string {
	text := ""
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			return ""
		}
		if line == "\n" {
			return text
		}
		text += line
	}
}

func wantNext(t *testing.T, stream *bufio.Reader, begins string) {
	t.Helper()
	if got := next(stream); !strings.HasPrefix(got, begins) || begins == "" && got != "" {
		t.Fatalf("the stream goes on with %q, want %q", got, begins)
	}
}

func TestStream(t *testing.T) {
	f := newFake()
	f.happens(rollout.KindStarted)
	s := serve(t, map[string]live{"checkout": f}, time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	stream := listen(ctx, t, s.url, "")
	wantNext(t, stream, "retry: 1000\n")
	wantNext(t, stream, "id: 1\nevent: started\ndata: {\"id\":1,\"event\":\"started\",")
	f.happens(rollout.KindHeld)
	wantNext(t, stream, "id: 2\nevent: held\ndata: {")
	f.happens(rollout.KindPaused, rollout.KindResumed)
	wantNext(t, stream, "id: 3\nevent: paused\n")
	wantNext(t, stream, "id: 4\nevent: resumed\n")

	resumed := listen(ctx, t, s.url, "3")
	wantNext(t, resumed, "retry: ")
	wantNext(t, resumed, "id: 4\n")
	anew := listen(ctx, t, s.url, "57")
	wantNext(t, anew, "retry: ")
	wantNext(t, anew, "id: 1\n")

	cancel()
	for i := 0; i < 3; i++ {
		<-s.ended // the handler has let go of the client
	}
}

func TestStreamOfRolloutThatBeginsAnew(t *testing.T) {
	f := newFake()
	f.happens(rollout.KindStarted, rollout.KindHeld)
	s := serve(t, map[string]live{"checkout": f}, time.Minute)
	stream := listen(context.Background(), t, s.url, "2")
	wantNext(t, stream, "retry: ")
	f.forget()
	f.happens(rollout.KindStarted)
	wantNext(t, stream, "id: 1\nevent: started\n")
}

func TestStreamIsNeverSilentForLong(t *testing.T) {
	s := serve(t, map[string]live{"checkout": newFake()}, 10*time.Millisecond)
	stream := listen(context.Background(), t, s.url, "")
	wantNext(t, stream, "retry: ")
	wantNext(t, stream, ":\n")
	wantNext(t, stream, ":\n")
	s.drop()
	<-s.ended // with the rollout
}

// bare is a writer that cannot flush.
type bare struct{ w *httptest.ResponseRecorder }

func (b *bare) Header() http.Header            { return b.w.Header() }
func (b *bare) WriteHeader(status int)         { b.w.WriteHeader(status) }
func (b *bare) Write(body []byte) (int, error) { return b.w.Write(body) }

func TestStreamThatCannotBeFlushed(t *testing.T) {
	f := newFake()
	f.happens(rollout.KindStarted)
	r := httptest.NewRequest(http.MethodGet, "/rollouts/checkout/events", http.NoBody)
	r.Header.Set("Accept", "text/event-stream")
	w := httptest.NewRecorder()
	handlerOf(map[string]live{"checkout": f}).ServeHTTP(&bare{w}, r) // returns
	wantAnswer(t, "at once", w, 200, "retry: 1000\n\nid: 1\nevent: started\n")
}

func TestEventOfForgedKind(t *testing.T) {
	event := rollout.Event{ID: 1, Kind: "held\ndata: {}\n\nid: 9", Reason: "a\nb <= 1"}
	if got := message(&event); strings.Count(got, "\n") != 4 {
		t.Errorf("it has lines of its own: %q", got)
	} else if !strings.Contains(got, `"reason":"a\nb <= 1"`) {
		t.Errorf("the reason is not legible: %q", got)
	}
}
