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

// ServeHTTP decides and passes the request on.
func (s *serviceMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	decision := core.Recall(s.engine, r)
	if decision == nil {
		decision = core.Decide(s.engine, r, clientOf(s.clients, r), time.Now())
		core.Tell(s.engine, decision, r)
	}
	if s.observe || decision.Cookie != "" {
		serveObserved(s, w, r, decision)
		return
	}
	s.next.ServeHTTP(w, r)
}

func serveObserved(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision) {
	o := &observer{ResponseWriter: w, exchange: exchange{engine: s.engine, decision: *decision, request: r, begin: time.Now()}}
	o.exchange.tells = s.tells || decision.Cookie != ""
	defer finish(&o.exchange)
	s.next.ServeHTTP(o, r)
	o.exchange.returned = true
}

// exchange is one request on its way: what was decided, and how it turns out.
type exchange struct {
	engine   *core.Engine
	decision core.Decision
	request  *http.Request
	begin    time.Time
	tells    bool // the response tells the client something of the decision
	status   int  // of the response; 0 before it begins
	latency  time.Duration
	failed   bool // the variant gave no response
	returned bool // the handlers came back: they panic to abort a response that has begun
	reported bool
}

const statusClientGone = 499

// responded sees the response begin: the last moment at which its header can be changed.
func responded(e *exchange, status int, header http.Header) {
	e.status = status
	e.latency = time.Since(e.begin)
	if e.tells {
		core.TellClient(e.engine, &e.decision, header)
	}
	if status == http.StatusSwitchingProtocols || len(header["Content-Length"]) == 0 && isStream(header) {
		report(e, core.Outcome{Status: status, Latency: e.latency})
	}
}

// isStream reports whether a response of unknown length counts when its header is sent: how long it lasts, and how it
// ends, says nothing about the variant.
func isStream(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/event-stream")
}

// finish reports how the exchange ended, unless that is known already.
func finish(e *exchange) {
	if e.reported {
		return
	}
	if e.status == 0 || e.failed || !e.returned {
		finishOddly(e)
		return
	}
	outcome := &core.Outcome{Status: e.status, Latency: e.latency, Gone: e.status == statusClientGone}
	core.Report(&e.decision, outcome, time.Now())
}

// finishOddly is finish for an exchange without a response, or with one that was broken off.
func finishOddly(e *exchange) {
	broken := e.failed || !e.returned
	if !broken {
		e.status = http.StatusOK // the server writes an empty response
		e.latency = time.Since(e.begin)
	}
	report(e, core.Outcome{
		Status: e.status, Latency: e.latency, Failed: broken,
		Gone: e.status == statusClientGone || broken && e.request.Context().Err() != nil,
	})
}

func report(e *exchange, outcome core.Outcome) {
	if !e.reported {
		e.reported = true
		core.Report(&e.decision, &outcome, time.Now())
	}
}

// observer passes a response through and sees it begin. Of the optional methods of a writer only Hijack can be seen
// through the interpreter: nobody can flush, so what comes in parts is flushed here, part by part.
//
// It embeds the writer for the sake of Header, which proxies call several times for a response: so that is not interpreted.
type observer struct {
	http.ResponseWriter
	exchange exchange
	length   string // of the body, as declared; "" if it is not known
	parts    bool   // the body comes in parts
}

// WriteHeader sees the response begin. Informational responses (1xx) come before it, except 101, which is final.
func (o *observer) WriteHeader(status int) {
	if o.exchange.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		beginResponse(o, status)
	}
	o.ResponseWriter.WriteHeader(status)
	if o.parts && status >= 200 {
		flush(o) // the first part may be long in coming
	}
}

// Write passes bytes on, and lets them go at once unless they are all of the body.
func (o *observer) Write(p []byte) (int, error) {
	if o.exchange.status == 0 {
		beginResponse(o, http.StatusOK)
	}
	if !o.parts && o.length != strconv.Itoa(len(p)) {
		o.parts = true
	}
	n, err := o.ResponseWriter.Write(p)
	if o.parts {
		flush(o)
	}
	return n, err
}

// Hijack hands the connection over, as websockets need. Whoever takes it writes the response's header itself.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := o.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, buffered, err := hijacker.Hijack()
	if err == nil && o.exchange.status == 0 {
		beginResponse(o, http.StatusSwitchingProtocols) // it is taken over for nothing else
	}
	return conn, buffered, err
}

func beginResponse(o *observer, status int) {
	header := o.ResponseWriter.Header()
	if length := header["Content-Length"]; len(length) == 1 {
		o.length = length[0]
	}
	o.parts = o.length == ""
	responded(&o.exchange, status, header)
}

func flush(o *observer) {
	if flusher, ok := o.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
