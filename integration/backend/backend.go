// Package backend is one version of a service as a gateway under test reaches it: a real HTTP server
// in the test's own process, which tells what arrived and misbehaves on demand.
package backend

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Server is one backend. Its address stays the same, and stays reserved, while it is down.
type Server struct {
	// Name is answered in the header X-Backend of every response.
	Name string
	// Events feeds GET /events: each value sent is one event; closing ends the stream.
	Events chan string
	// Abandoned gets one value for each GET /hang whose client went away.
	Abandoned chan struct{}
	// Hanging gets one value for each GET /hang that arrived.
	Hanging chan struct{}

	// Spans gets the body of each POST /v1/traces: OpenTelemetry's protocol.
	Spans chan []byte

	addr string

	mu    sync.Mutex
	http  *http.Server // nil while down
	open  net.Listener // its own; kept to be closed though it may not have begun to serve
	place *place
	count map[string]int

	errors  float64       // share of requests that are answered 500
	owed    float64       // part of an error that is due
	latency time.Duration // before each answer

	answer http.HandlerFunc // of every request; nil: that of its path
	keeps  bool             // requests are kept
	kept   []Echo
}

// Start starts a backend on a free loopback port and closes it at the test's end.
func Start(t testing.TB, name string) *Server {
	t.Helper()
	p, err := hold()
	if err != nil {
		t.Fatalf("backend %s: %v", name, err)
	}
	l, err := p.listen()
	if err != nil {
		t.Fatalf("backend %s: %v", name, err)
	}
	s := &Server{
		Name:      name,
		Events:    make(chan string),
		Abandoned: make(chan struct{}, 100),
		Hanging:   make(chan struct{}, 100),
		Spans:     make(chan []byte, 100),
		addr:      l.Addr().String(),
		place:     p,
		count:     make(map[string]int),
	}
	s.serve(l)
	t.Cleanup(s.close)
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// Count is how many requests of the method arrived; of all methods if it is empty.
func (s *Server) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method != "" {
		return s.count[method]
	}
	n := 0
	for _, c := range s.count {
		n += c
	}
	return n
}

// Fail answers this share of requests with 500 from now on, evenly spread: 0.25 is every fourth, 0 none.
func (s *Server) Fail(share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors, s.owed = share, 0
}

// Delay waits so long before each answer from now on.
func (s *Server) Delay(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = latency
}

// Stop closes the port and every connection: from now on connections are refused.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut()
}

// Resume listens on the same port again after Stop.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.place.listen()
	if err != nil {
		t.Fatalf("backend %s: listening on %s again: %v", s.Name, s.addr, err)
	}
	s.serve(l)
}

func (s *Server) serve(l net.Listener) {
	s.http = &http.Server{Handler: s.handler()}
	s.open = l
	go s.http.Serve(l)
}

func (s *Server) shut() {
	s.http.Close()
	s.open.Close()
	s.http = nil
}

func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		s.shut()
	}
	s.place.release()
}
