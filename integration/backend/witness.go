package backend

import (
	"net/http"
	"time"
)

// Answer has h answer every request from now on, whatever its path. Nil: the backend answers by itself, as at the start.
func (s *Server) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

// As answers every request as the backend would one for this path.
func (s *Server) As(path string) http.HandlerFunc {
	mux := s.probes()
	return func(w http.ResponseWriter, r *http.Request) {
		url := *r.URL
		url.Path, url.RawPath = path, ""
		asked := r.Clone(r.Context())
		asked.URL = &url
		mux.ServeHTTP(w, asked)
	}
}

// Keep remembers every request from now on that is answered with an echo, for Kept.
func (s *Server) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeps = true
}

// Kept returns what the requests were since Keep, in the order in which their bodies had arrived.
func (s *Server) Kept() []Echo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Echo(nil), s.kept...)
}

func (s *Server) keep(e Echo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeps {
		s.kept = append(s.kept, e)
	}
}

// Hang never answers: it waits until the client goes away.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Flood answers 100 MB.
func Flood(w http.ResponseWriter, _ *http.Request) {
	part := make([]byte, 1<<20)
	for range 100 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// Drip answers one byte a second for as long as somebody reads.
func Drip(w http.ResponseWriter, r *http.Request) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	flush := http.NewResponseController(w).Flush
	for {
		if _, err := w.Write([]byte("x")); err != nil || flush() != nil {
			return
		}
		select {
		case <-every.C:
		case <-r.Context().Done():
			return
		}
	}
}
