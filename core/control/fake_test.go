package control

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/goal"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// fake is a rollout that obeys every command with an event, or refuses it.
type fake struct {
	mu       sync.Mutex
	away     bool  // it has no status
	refusal  error // of commands
	commands []rollout.Command
	versions []string // that commands were for
	list     []rollout.Event
	changed  chan struct{}
	step     int
	points   []core.Point
	mirrors  []mirror.Report
	results  []goal.Results
}

func newFake() *fake { return &fake{changed: make(chan struct{})} }

func (f *fake) Status() (core.Status, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status(), !f.away
}

func (f *fake) status() core.Status {
	return core.Status{Name: "checkout", State: "progressing", Step: f.step, Version: strconv.Itoa(len(f.list)), Base: "stable"}
}

func (f *fake) Command(_ context.Context, command rollout.Command, version string) (core.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, command)
	f.versions = append(f.versions, version)
	if f.refusal != nil {
		return core.Status{}, f.refusal
	}
	f.happen(rollout.KindStepAdvanced)
	status := f.status()
	return status, nil
}

func (f *fake) Events(after int64) (events []rollout.Event, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		if f.list[i].ID > after {
			events = append(events, f.list[i])
		}
	}
	return events, f.changed
}

func (f *fake) Series(after int64) (points []core.Point) {
	for i := range f.points {
		if f.points[i].ID > after {
			points = append(points, f.points[i])
		}
	}
	return points
}

func (f *fake) Mirrors() (reports []mirror.Report, has bool) { return f.mirrors, f.mirrors != nil }

func (f *fake) Results() (results []goal.Results, has bool) { return f.results, f.results != nil }

func (f *fake) Explain(_ context.Context, _ core.Question) (explained *core.Explanation, runs bool, err error) {
	return nil, false, nil
}

// happen adds an event. Caller holds the mutex.
func (f *fake) happen(kind rollout.Kind) {
	f.list = append(f.list, rollout.Event{ID: int64(len(f.list) + 1), Kind: kind, State: rollout.Progressing, Step: f.step, Reason: "because"})
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) happens(kinds ...rollout.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kind := range kinds {
		f.happen(kind)
	}
}

// forget is what a restart does to a rollout in memory.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// handlerOf shows rollouts by name.
func handlerOf(rollouts map[string]live) http.Handler {
	return &handler{rollouts: func() map[string]live { return rollouts }, heartbeat: time.Minute}
}

// ask is one request to a handler, with headers "Name: value".
func ask(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// wantAnswer requires a status and texts of the body.
func wantAnswer(t *testing.T, what string, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("%s: status %d, want %d: %s", what, w.Code, status, w.Body.String())
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: the body lacks %s: %s", what, text, w.Body.String())
		}
	}
}
