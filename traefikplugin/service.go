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
	observe bool
	tells   bool // responses tell the client which variant serves
}

// ServeHTTP decides and passes the request on. A decision that is recalled gives the client no cookie.
func (s *serviceMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	decision := core.Recall(s.engine, r)
	if decision == nil {
		serveAnew(s, w, r)
		return
	}
	if s.observe {
		serveObserved(s, w, r, decision, s.tells)
		return
	}
	s.next.ServeHTTP(w, r)
}

func serveAnew(s *serviceMode, w http.ResponseWriter, r *http.Request) {
	decision := core.Decide(s.engine, r, clientOf(s.clients, r), time.Now())
	core.Tell(s.engine, decision, r)
	if s.observe || decision.Cookie != "" {
		serveObserved(s, w, r, decision, s.tells || decision.Cookie != "")
		return
	}
	s.next.ServeHTTP(w, r)
}

func serveObserved(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision, tells bool) {
	o := &observer{ResponseWriter: w, exchange: exchange{engine: s.engine, decision: decision, request: r, tells: tells, begin: time.Now()}}
	defer finish(&o.exchange)
	if r.ContentLength != 0 {
		watchUpload(&o.exchange)
	}
	s.next.ServeHTTP(o, r)
	o.returned = true
}

// exchange is one request on its way: what was decided, and how it turns out.
type exchange struct {
	engine   *core.Engine
	decision *core.Decision // the engine's: only to be read
	request  *http.Request
	upload   *upload // nil if the request has no body
	begin    time.Time
	tells    bool // the response tells the client something of the decision
	status   int  // of the response; 0 before it begins
	latency  time.Duration
	length   string // of the body, as the response declares it; "" if that is not known, or has not begun
	success  bool   // the response has begun and is one, if nothing breaks off
	failed   bool   // the variant gave no response
	returned bool   // the handlers came back: they panic to abort a response that has begun
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
	e.success = status < http.StatusBadRequest // of others it depends what they mean
	if e.tells {
		core.TellClient(e.engine, e.decision, header)
	}
	length := header["Content-Length"]
	if len(length) != 1 || status == http.StatusSwitchingProtocols {
		respondedAtLength(e, header)
		return
	}
	e.length = length[0]
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
		Status: e.status, Latency: e.latency, Failed: broken,
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

// observer passes a response through and sees it begin. Of the optional methods of a writer only Hijack can be seen
// through the interpreter: nobody can flush, so what comes in parts is flushed here, part by part.
//
// It embeds the writer for the sake of Header, which proxies call several times for a response: so that is not interpreted.
type observer struct {
	http.ResponseWriter
	exchange
	parts bool // what was written was not the whole body
}

// WriteHeader sees the response begin. Informational responses (1xx) come before it, except 101, which is final.
func (o *observer) WriteHeader(status int) {
	if o.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		responded(&o.exchange, status, o.ResponseWriter.Header())
	}
	o.ResponseWriter.WriteHeader(status)
	if o.length == "" && status >= 200 {
		flush(o) // the first part may be long in coming
	}
}

// Write passes bytes on, and lets them go at once unless they are all of the body.
func (o *observer) Write(p []byte) (int, error) {
	if o.parts || o.length != strconv.Itoa(len(p)) {
		return writePart(o, p)
	}
	return o.ResponseWriter.Write(p)
}

// writePart is Write for all but the whole body of a response that has begun.
func writePart(o *observer, p []byte) (int, error) {
	if o.status == 0 {
		responded(&o.exchange, http.StatusOK, o.ResponseWriter.Header())
		return o.Write(p)
	}
	o.parts = true
	n, err := o.ResponseWriter.Write(p)
	flush(o)
	return n, err
}

// Hijack hands the connection over, as websockets need. Whoever takes it writes the response's header itself.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := o.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, buffered, err := hijacker.Hijack()
	if err == nil && o.status == 0 {
		responded(&o.exchange, http.StatusSwitchingProtocols, o.ResponseWriter.Header()) // it is taken over for nothing else
	}
	return conn, buffered, err
}

func flush(o *observer) {
	if flusher, ok := o.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
