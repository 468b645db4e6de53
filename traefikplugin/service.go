package traefikplugin

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// serviceMode announces the decision to the routers that follow, which lead to Traefik's services.
type serviceMode struct {
	engine  *core.Engine
	clients *clients
	next    http.Handler
	tells   bool // responses tell the client which variant serves, or decide which goals he reaches
}

// ServeHTTP decides and passes the request on. A decision that is recalled gives the client no cookie.
func (s *serviceMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if core.Recall(s.engine, r) == nil {
		serveAnew(s, w, r)
		return
	}
	s.next.ServeHTTP(w, r)
}

func serveAnew(s *serviceMode, w http.ResponseWriter, r *http.Request) {
	decision := decideAnew(s, r)
	if decision.Cookie != "" {
		serveObserved(s, w, r, decision)
		return
	}
	s.next.ServeHTTP(w, r)
}

// decideAnew decides a request that is not like one before, and tells the services.
func decideAnew(s *serviceMode, r *http.Request) *core.Decision {
	decision := core.Decide(s.engine, r, clientOf(s.clients, r), time.Now())
	core.Tell(s.engine, decision, r)
	return decision
}

// observedService is service mode where outcomes count, or responses tell the client something.
type observedService struct{ *serviceMode }

// ServeHTTP decides, passes the request on and sees what becomes of it. What serveObserved does is done here once more:
// interpreted, every further function costs as much as a part of it.
func (s *observedService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &exchange{ResponseWriter: w, engine: s.engine, decision: core.Recall(s.engine, r), request: r, tells: s.tells, begin: time.Now(), left: -1}
	if e.decision == nil {
		decideObserved(s, e)
	}
	defer finish(e)
	if r.ContentLength != 0 {
		watchUpload(e)
	}
	s.next.ServeHTTP(e, r)
	e.returned = true
}

func decideObserved(s *observedService, e *exchange) {
	e.decision = decideAnew(s.serviceMode, e.request)
	e.tells = e.tells || e.decision.Cookie != ""
	e.begin = time.Now() // now that it is decided
}

func serveObserved(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision) {
	e := observe(s, w, r, decision)
	defer finish(e)
	s.next.ServeHTTP(e, r)
	e.returned = true
}

// observe returns an exchange that begins now.
func observe(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision) *exchange {
	e := &exchange{ResponseWriter: w, engine: s.engine, decision: decision, request: r, begin: time.Now(), left: -1}
	e.tells = s.tells || decision.Cookie != ""
	if r.ContentLength != 0 {
		watchUpload(e)
	}
	return e
}

// exchange is one request on its way: what was decided, and how it turns out.
type exchange struct {
	// The client, in service mode. It is embedded for the sake of Header, which proxies call several times for a response:
	// so that is not interpreted.
	http.ResponseWriter

	engine   *core.Engine
	decision *core.Decision // the engine's: only to be read
	request  *http.Request
	upload   *upload // nil if the request has no body
	begin    time.Time
	tells    bool // the response tells the client something of the decision, or decides which goals he reaches
	status   int  // of the response; 0 before it begins
	latency  time.Duration
	left     int  // of the body's length, as the response declares it, that is to be written; negative if that is not known
	success  bool // the response has begun, and all that counts is that it is a success, if nothing breaks off
	failed   bool // the variant gave no response
	returned bool // the handlers came back: they panic to abort a response that has begun
	reported bool
}

// watchUpload notices when a client breaks off its upload: Traefik answers that as it answers a service that fails.
func watchUpload(e *exchange) {
	if e.request.Body != nil {
		e.upload = &upload{from: e.request.Body}
		e.request.Body = e.upload
	}
}

const statusClientGone = 499

// responded sees the response begin: the last moment at which its header can be changed.
func responded(e *exchange, status int, header http.Header) {
	e.status = status
	e.latency = time.Since(e.begin)
	e.success = status < 400 // of others it depends what they mean
	if e.tells {
		tellClient(e, header)
	}
	length := header["Content-Length"]
	if len(length) != 1 || status < 200 {
		respondedAtLength(e, header)
		return
	}
	e.left, _ = strconv.Atoi(length[0]) // servers refuse what is no number
}

func tellClient(e *exchange, header http.Header) {
	core.TellClient(e.engine, e.decision, header)
	if e.decision.AsksStatus {
		e.success = false // finishOddly reports the status
	}
}

// respondedAtLength is the rest of responded for a response of unknown length. A stream counts when its header is sent:
// how long it lasts, and how it ends, says nothing about the variant.
func respondedAtLength(e *exchange, header http.Header) {
	stream := len(header["Content-Length"]) == 0 && strings.HasPrefix(header.Get("Content-Type"), "text/event-stream")
	if stream || e.status == http.StatusSwitchingProtocols {
		report(e, core.Outcome{Status: e.status, Latency: e.latency})
	}
}

// finish reports how the exchange ended, unless that is known already.
func finish(e *exchange) {
	if e.success && e.returned {
		core.Succeeded(e.decision, e.latency)
		return
	}
	finishOddly(e)
}

// finishOddly is finish for an exchange that is no success, or was reported already.
func finishOddly(e *exchange) {
	broken := e.failed || !e.returned
	if !broken && e.status == 0 {
		e.status = http.StatusOK // the server writes an empty response
		e.latency = time.Since(e.begin)
	}
	report(e, core.Outcome{
		Status: e.status, Latency: e.latency, Failed: broken, Broken: !e.returned && e.status != 0,
		Gone: e.status == statusClientGone || broken && e.request.Context().Err() != nil || e.upload != nil && e.upload.broken.Load(),
	})
}

func report(e *exchange, outcome core.Outcome) {
	if !e.reported {
		e.reported = true
		e.success = false
		core.Report(e.decision, &outcome)
	}
}

// WriteHeader sees the response begin and passes its header on.
//
// Of the optional methods of a writer only Hijack can be seen through the interpreter: nobody can flush, so what comes in
// parts is flushed here, part by part.
func (e *exchange) WriteHeader(status int) {
	if status < 200 || e.status != 0 {
		writeOtherHeader(e, status)
		return
	}
	responded(e, status, e.Header())
	e.ResponseWriter.WriteHeader(status)
	if e.left < 0 {
		flush(e) // the first part may be long in coming
	}
}

// writeOtherHeader is WriteHeader for informational responses (1xx), which come before the response, except 101, which is
// final; and for a header that comes too late.
func writeOtherHeader(e *exchange, status int) {
	if status == http.StatusSwitchingProtocols && e.status == 0 {
		responded(e, status, e.Header())
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write passes bytes on, and lets them go at once unless they are the last of the body: those go when the handlers return.
func (e *exchange) Write(p []byte) (int, error) {
	if e.left != len(p) {
		return writePart(e, p)
	}
	return e.ResponseWriter.Write(p)
}

// writePart is Write for all but the last part of a body whose length is known.
func writePart(e *exchange, p []byte) (int, error) {
	if e.status == 0 {
		responded(e, http.StatusOK, e.Header())
		return e.Write(p)
	}
	e.left -= len(p)
	n, err := e.ResponseWriter.Write(p)
	flush(e)
	return n, err
}

// Hijack hands the connection over, as websockets need. Whoever takes it writes the response's header itself.
func (e *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := e.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, buffered, err := hijacker.Hijack()
	if err == nil && e.status == 0 {
		responded(e, http.StatusSwitchingProtocols, e.Header()) // it is taken over for nothing else
	}
	return conn, buffered, err
}

func flush(e *exchange) {
	if flusher, ok := e.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
