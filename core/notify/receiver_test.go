package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// attempt is one request that a receiver got.
type attempt struct {
	header http.Header
	body   string
	id     int64 // of the event
	at     time.Time
}

// receiver is a webhook that records what it gets and answers as a test says.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	attempts []attempt // guarded by mu
	answers  []int     // the statuses of the next answers, then 200; 0 breaks the connection; guarded by mu
	after    string    // the header Retry-After; guarded by mu
	hangs    chan struct{}
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { r.receive(w, request) }))
	t.Cleanup(func() { r.Server.Close() })
	return r
}

func (r *receiver) receive(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	var event struct {
		ID int64 `json:"id"`
	}
	_ = json.Unmarshal(body, &event)
	r.mu.Lock()
	r.attempts = append(r.attempts, attempt{header: request.Header.Clone(), body: string(body), id: event.ID, at: time.Now()})
	code := http.StatusOK
	if len(r.answers) > 0 {
		code = r.answers[0]
		r.answers = r.answers[1:]
	}
	if r.after != "" {
		w.Header().Set("Retry-After", r.after)
	}
	hangs := r.hangs
	r.mu.Unlock()
	if hangs != nil {
		await.First(hangs, request.Context().Done())
	}
	if code == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(code)
}

// ids are those of the events of all attempts.
func (r *receiver) ids() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []int64
	for _, a := range r.attempts {
		ids = append(ids, a.id)
	}
	return ids
}

func (r *receiver) attempt(i int) attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts[i]
}

func (r *receiver) answer(answers ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = answers
}

// journal is a log that goroutines may share.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(writer{write: func(p []byte) { j.write(p) }}, nil))
}

func (j *journal) write(p []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

type writer struct{ write func(p []byte) }

func (w writer) Write(p []byte) (int, error) {
	w.write(p)
	length := len(p)
	return length, nil
}

// newNotifier returns a notifier that is quick to try again.
func newNotifier(log *journal, targets ...Target) *Notifier {
	n := New(log.logger())
	n.first = time.Millisecond
	n.most = 4 * time.Millisecond
	n.Configure(targets)
	return n
}

// start runs a notifier and returns what ends the run and waits for that.
func start(t *testing.T, n *Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// events returns events with these ids.
func events(from, to int64) []rollout.Event {
	var list []rollout.Event
	for id := from; id <= to; id++ {
		list = append(list, rollout.Event{ID: id, Kind: rollout.KindStepAdvanced, Time: noon, Revision: "v2", State: rollout.Progressing, Step: int(id)})
	}
	return list
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for i := 0; i < 12000; i++ {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after two minutes still not: %s", what)
}
