package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// Echo is what a backend saw of a request: the body of its answer to any path that is not a probe.
type Echo struct {
	Variant string      `json:"variant"` // the backend's name
	Proto   string      `json:"proto"`
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Path    string      `json:"path"`
	Query   string      `json:"query"`
	Header  http.Header `json:"header"` // names as Go writes them: case is lost, "-" and "_" stay distinct
	Trailer http.Header `json:"trailer"`
	Length  int64       `json:"length"` // bytes of the body
	SHA256  string      `json:"sha256"` // of the body, in hexadecimal
}

// handler serves the probes:
//
//	/events          server-sent events, one for each value sent to Events
//	/socket          websocket that answers each message with itself
//	/download/{n}    the first n bytes of Body
//	/hints           103 Early Hints, then 200
//	/trailers        a body followed by the trailers X-Checksum and X-Backend-Trailer
//	/hang            no answer until the client goes away
//	/cut             half an answer, then the connection is closed
//	/half            half an answer, then the connection is closed as soon as a value is sent to Events
//	/status/{code}   that status
//	/cacheable       an answer that shared caches may keep
//	/v1/traces       takes spans
//
// Everything else is answered with an Echo. The header X-Drop with the backend's name makes it close
// the connection instead of answering. What Fail, Delay and Answer ask for comes before all that.
func (s *Server) handler() http.Handler {
	mux := s.probes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.count[r.Method]++
		latency := s.latency
		s.owed += s.errors
		failed := s.owed >= 1
		if failed {
			s.owed--
		}
		answer := s.answer
		s.mu.Unlock()
		time.Sleep(latency)
		if r.Header.Get("X-Drop") == s.Name {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Backend", s.Name)
		if failed {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if answer != nil {
			answer(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// probes answers every path as handler says.
func (s *Server) probes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/events", s.events)
	mux.HandleFunc("/socket", s.socket)
	mux.HandleFunc("/download/{n}", s.download)
	mux.HandleFunc("/hints", s.hints)
	mux.HandleFunc("/trailers", s.trailers)
	mux.HandleFunc("/hang", s.hang)
	mux.HandleFunc("/cut", s.cut)
	mux.HandleFunc("/half", s.half)
	mux.HandleFunc("/status/{code}", s.status)
	mux.HandleFunc("/cacheable", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		s.echo(w, r)
	})
	mux.HandleFunc("POST /v1/traces", s.spans)
	mux.HandleFunc("/", s.echo)
	return mux
}

// Body is the same endless noise each time: what /download sends and tests upload.
func Body(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{'g', 'r', 'a', 'y'}), n)
}

// Sum is the SHA-256 of everything that r holds, in hexadecimal, and its length.
func Sum(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func (s *Server) echo(w http.ResponseWriter, r *http.Request) {
	sum, n, err := Sum(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := Echo{
		Variant: s.Name, Proto: r.Proto, Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: r.URL.RawQuery,
		Header: r.Header, Trailer: r.Trailer, Length: n, SHA256: sum,
	}
	s.keep(e)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(e)
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	flush()
	for {
		select {
		case e, ok := <-s.Events:
			if !ok {
				return
			}
			fmt.Fprintf(w, "data: %s\n\n", e)
			flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the test is no browser
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	io.Copy(w, Body(n))
}

func (s *Server) hints(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	w.WriteHeader(http.StatusOK)
}

func (s *Server) trailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Checksum, X-Backend-Trailer")
	io.WriteString(w, "body")
	w.Header().Set("X-Checksum", "42")
	w.Header().Set("X-Backend-Trailer", s.Name)
}

func (s *Server) hang(_ http.ResponseWriter, r *http.Request) {
	s.Hanging <- struct{}{}
	<-r.Context().Done()
	s.Abandoned <- struct{}{}
}

func (s *Server) spans(_ http.ResponseWriter, r *http.Request) {
	if body, err := io.ReadAll(r.Body); err == nil {
		s.Spans <- body
	}
}

// cut promises 100 bytes and sends four.
func (s *Server) cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, "half")
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// half is cut, but not before somebody wants it.
func (s *Server) half(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, "half")
	http.NewResponseController(w).Flush()
	select {
	case <-s.Events:
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil {
		code = http.StatusBadRequest
	}
	w.WriteHeader(code)
}
