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
	clients clients
	next    http.Handler
	observe bool
}

// ServeHTTP decides and passes the request on.
func (s *serviceMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	decision := s.engine.Decide(r, s.clients.address(r), begin)
	s.engine.Announce(decision, r)
	if !s.observe && decision.Cookie == "" {
		s.next.ServeHTTP(w, r)
		return
	}
	o := &observer{exchange: exchange{engine: s.engine, decision: decision, request: r, begin: begin}, native: w}
	defer o.exchange.finish()
	s.next.ServeHTTP(o, r)
	o.exchange.returned = true
}

// exchange is one request on its way: what was decided, and how it turns out.
type exchange struct {
	engine   *core.Engine
	decision core.Decision
	request  *http.Request
	begin    time.Time
	status   int // of the response; 0 before it begins
	latency  time.Duration
	failed   bool // the variant gave no response
	returned bool // the handlers came back: they panic to abort a response that has begun
	reported bool
}

const statusClientGone = 499

// respond sees the response begin: the last moment at which its header can be changed.
func (e *exchange) respond(status int, header http.Header) {
	e.status = status
	e.latency = time.Since(e.begin)
	if name := e.engine.ResponseHeader(); name != "" {
		header[name] = []string{e.decision.Variant}
	}
	if e.decision.Cookie != "" {
		e.decision.SetCookie(header)
	}
	// A stream counts when its header is sent: how long it lasts, and how it ends, says nothing about the variant.
	if status == http.StatusSwitchingProtocols || strings.HasPrefix(header.Get("Content-Type"), "text/event-stream") {
		e.report(core.Outcome{Status: status, Latency: e.latency})
	}
}

// finish reports how the exchange ended, unless that is known already.
func (e *exchange) finish() {
	if e.reported {
		return
	}
	if e.status == 0 && !e.failed && e.returned {
		e.status = http.StatusOK // the server writes an empty response
		e.latency = time.Since(e.begin)
	}
	broken := e.failed || !e.returned
	e.report(core.Outcome{
		Status: e.status, Latency: e.latency, Failed: broken,
		Gone: e.status == statusClientGone || broken && e.request.Context().Err() != nil,
	})
}

func (e *exchange) report(outcome core.Outcome) {
	if !e.reported {
		e.reported = true
		e.engine.Report(e.decision, outcome, time.Now())
	}
}

// observer passes a response through and sees it begin. Of the optional methods of a writer only Hijack can be seen
// through the interpreter: nobody can flush, so what comes in parts is flushed here, part by part.
type observer struct {
	exchange exchange
	native   http.ResponseWriter
	length   string // of the body, as declared; "" if it is not known
	parts    bool   // the body comes in parts
}

// Header returns the header of the response.
func (o *observer) Header() http.Header { return o.native.Header() }

// WriteHeader sees the response begin. Informational responses (1xx) come before it, except 101, which is final.
func (o *observer) WriteHeader(status int) {
	if o.exchange.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.respond(status)
	}
	o.native.WriteHeader(status)
	if o.parts && status >= 200 {
		o.flush() // the first part may be long in coming
	}
}

// Write passes bytes on, and lets them go at once unless they are all of the body.
func (o *observer) Write(p []byte) (int, error) {
	if o.exchange.status == 0 {
		o.respond(http.StatusOK)
	}
	if !o.parts && o.length != strconv.Itoa(len(p)) {
		o.parts = true
	}
	n, err := o.native.Write(p)
	if o.parts {
		o.flush()
	}
	return n, err
}

func (o *observer) flush() {
	if flusher, ok := o.native.(http.Flusher); ok {
		flusher.Flush()
	}
}

// Hijack hands the connection over, as websockets need. Whoever takes it writes the response's header itself.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := o.native.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, buffered, err := hijacker.Hijack()
	if err == nil && o.exchange.status == 0 {
		o.respond(http.StatusSwitchingProtocols) // it is taken over for nothing else
	}
	return conn, buffered, err
}

func (o *observer) respond(status int) {
	header := o.native.Header()
	if length := header["Content-Length"]; len(length) == 1 {
		o.length = length[0]
	}
	o.parts = o.length == ""
	o.exchange.respond(status, header)
}
