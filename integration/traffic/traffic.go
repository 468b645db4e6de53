// Package traffic asks a gateway at a steady rate, as many clients, and remembers every answer.
package traffic

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What bounds every flow, whatever a test forgets.
const (
	maxTime      = 15 * time.Minute
	maxResponses = 50_000
	workers      = 32
)

// Response is one answer, or none.
type Response struct {
	Client  int // which of the clients
	Began   time.Time
	Ended   time.Time
	Variant string // that the gateway says
	Backend string // that answered
	Status  int
	Err     error // if there was no answer, not even when the client asked again
}

// Flow makes requests until it is stopped, or the test ends.
type Flow struct {
	client  *http.Client
	url     string
	clients []http.Header // of their requests

	stop    chan struct{}
	once    sync.Once
	workers sync.WaitGroup
	next    atomic.Int64

	mu        sync.Mutex
	responses []Response
}

// Start asks url perSecond times a second, as one client after the other: those whose requests have these headers.
func Start(t testing.TB, client *http.Client, url string, perSecond int, clients []http.Header) *Flow {
	t.Helper()
	f := &Flow{client: client, url: url, clients: clients, stop: make(chan struct{})}
	due := make(chan struct{})
	f.workers.Go(func() { f.pace(due, time.Second/time.Duration(perSecond)) })
	for range workers {
		f.workers.Go(func() {
			for range due {
				f.ask()
			}
		})
	}
	t.Cleanup(f.Stop)
	return f
}

// pace has one request made at every tick; where all workers wait for answers, none is.
func (f *Flow) pace(due chan<- struct{}, every time.Duration) {
	defer close(due)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	end := time.After(maxTime)
	for range maxResponses {
		select {
		case <-ticker.C:
		case <-end:
			return
		case <-f.stop:
			return
		}
		select {
		case due <- struct{}{}:
		default:
		}
	}
}

// ask makes a request. One that gets no answer is made again, as browsers do: a gateway that takes another configuration
// may close a connection that it has just accepted.
func (f *Flow) ask() {
	r := Response{Client: int(f.next.Add(1)-1) % len(f.clients)}
	for range 3 {
		r.Began = time.Now()
		if r.Err = f.try(&r); r.Err == nil {
			break
		}
	}
	r.Ended = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.responses = append(f.responses, r)
}

func (f *Flow) try(r *Response) error {
	request, err := http.NewRequest(http.MethodGet, f.url, nil)
	if err != nil {
		return err
	}
	request.Header = f.clients[r.Client].Clone()
	response, err := f.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	r.Status = response.StatusCode
	r.Variant = response.Header.Get("X-Variant")
	r.Backend = response.Header.Get("X-Backend")
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// Stop ends the load, and waits for the answers that are due.
func (f *Flow) Stop() {
	f.once.Do(func() { close(f.stop) })
	f.workers.Wait()
}

// Responses returns what was answered so far, in the order in which the answers ended.
func (f *Flow) Responses() []Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Response(nil), f.responses...)
}

// Count is how many answers there are of which a condition is true.
func (f *Flow) Count(condition func(Response) bool) int {
	n := 0
	for _, r := range f.Responses() {
		if condition(r) {
			n++
		}
	}
	return n
}
