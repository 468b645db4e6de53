package caddymodule

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// statusClientGone is what reverse_proxy writes when the client went away.
const statusClientGone = 499

// observer passes a response through and sees when it begins and how. It buffers nothing and keeps the ways of the
// writer that it wraps: flushing, hijacking, sendfile, deadlines.
type observer struct {
	caddyhttp.ResponseWriterWrapper
	told     told
	instead  *told // what was told last, if the baseline took over between two tries; else nil
	engine   *core.Engine
	request  *http.Request
	begin    time.Time
	status   int // of the final response; 0 before it begins
	latency  time.Duration
	begun    bool // whether anything was written, informational responses too
	reported bool
	replaced bool           // whether the baseline is to answer in its place
	copies   *mirror.Copies // of the request, which are told how it is answered; nil: nothing
}

// WriteHeader sees the response begin. Informational responses (1xx) come before it, except 101, which is final.
func (o *observer) WriteHeader(status int) {
	o.begun = true
	if o.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.respond(status)
	}
	o.ResponseWriterWrapper.WriteHeader(status)
}

// Write begins the response if nothing did.
func (o *observer) Write(p []byte) (int, error) {
	o.respondImplicitly()
	n, err := o.ResponseWriterWrapper.Write(p)
	if o.copies != nil {
		o.copies.Wrote(p[:n], err)
	}
	return n, err
}

// ReadFrom begins the response if nothing did, and leaves the copying to the wrapped writer: the kernel may do it.
func (o *observer) ReadFrom(r io.Reader) (int64, error) {
	o.respondImplicitly()
	if o.copies == nil {
		return o.ResponseWriterWrapper.ReadFrom(r)
	}
	n, err := o.ResponseWriterWrapper.ReadFrom(o.copies.Tee(r))
	o.copies.Wrote(nil, err)
	return n, err
}

// FlushError begins the response if nothing did: flushing sends its header.
func (o *observer) FlushError() error {
	o.respondImplicitly()
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// Hijack sees the connection taken over, which begins a stream that is out of sight.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err == nil && o.status == 0 {
		o.begun = true
		o.respond(http.StatusSwitchingProtocols)
	}
	return conn, buffer, err
}

func (o *observer) respondImplicitly() {
	if o.status == 0 {
		o.begun = true
		o.respond(http.StatusOK)
	}
}

// respond sees the final response begin: the last moment at which its header can be changed.
func (o *observer) respond(status int) {
	o.status, o.latency = status, time.Since(o.begin)
	header := o.Header() // once: there may be several writers below
	if o.copies != nil {
		o.copies.Answered(status, header)
	}
	core.TellClient(o.engine, o.decision(), header)
	// A stream counts when its header is sent: how long it lasts, and how it ends, says nothing about the variant.
	if status == http.StatusSwitchingProtocols || o.request.Method == http.MethodConnect || isEventStream(header) {
		o.report(core.Outcome{Status: status, Latency: o.latency})
	}
}

func isEventStream(header http.Header) bool {
	const mediaType = "text/event-stream"
	values := header["Content-Type"]
	return len(values) > 0 && len(values[0]) >= len(mediaType) && strings.EqualFold(values[0][:len(mediaType)], mediaType)
}

// decision returns the decision that holds now.
func (o *observer) decision() *core.Decision {
	if o.instead != nil {
		return &o.instead.Decision
	}
	return &o.told.Decision
}

// finish returns how the response ended. broken tells that the variant panicked, as it does to abort a response that has
// begun.
func (o *observer) finish(err error, broken bool) core.Outcome {
	outcome := core.Outcome{Status: o.status, Latency: o.latency, Failed: broken}
	if o.status == 0 && !broken { // the server will answer: with an error, or with an empty response
		core.TellClient(o.engine, o.decision(), o.Header())
		outcome.Status, outcome.Latency = http.StatusOK, time.Since(o.begin)
	}
	if err != nil {
		status := errorStatus(err)
		outcome.Failed = o.status != 0 && status >= http.StatusInternalServerError // it broke off: the client has the status before
		if !outcome.Failed {
			outcome.Status = status
		}
	}
	outcome.Broken = outcome.Failed && o.status != 0
	if o.copies != nil && !broken {
		o.tellCopies(err)
	}
	incomplete := broken || err != nil || o.status == 0
	outcome.Gone = outcome.Status == statusClientGone || incomplete && o.request.Context().Err() != nil
	return outcome
}

// tellCopies tells the copies that the answer is whole, if it is, and the variant's own. A client who closes the connection
// once he has it all cancels the request as one does who leaves early: the context does not tell.
func (o *observer) tellCopies(err error) {
	status := http.StatusOK
	if err != nil {
		status = errorStatus(err)
	}
	switch {
	case o.instead != nil, cmp.Or(o.status, status) == statusClientGone, status >= http.StatusInternalServerError, err != nil && o.status != 0:
		return
	case o.status == 0:
		o.copies.Answered(status, o.Header())
	}
	o.copies.End(true)
}

func (o *observer) report(outcome core.Outcome) {
	if !o.reported {
		o.reported = true
		core.Report(o.decision(), &outcome)
	}
}

// errorStatus returns the status that Caddy will answer an error with.
func errorStatus(err error) int {
	var handlerError caddyhttp.HandlerError
	if errors.As(err, &handlerError) && handlerError.StatusCode != 0 {
		return handlerError.StatusCode
	}
	return http.StatusInternalServerError
}

// Interface guards
var (
	_ http.ResponseWriter = (*observer)(nil)
	_ http.Hijacker       = (*observer)(nil)
	_ io.ReaderFrom       = (*observer)(nil)
)
