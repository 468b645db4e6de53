package caddymodule

import (
	"io"
	"net/http"
	"sync"

	"github.com/quic-go/quic-go/http3"
)

// errEnough is what a handler gets that goes on with an answer of which nobody wants the rest. To reverse_proxy it is a
// client who canceled his request: no reason for a line in the log, for each copy of a request for something large.
var errEnough = &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestCanceled}

// copyWriter is the response of a copy. It hands on what is written as the answer that a client would get.
type copyWriter struct {
	header http.Header
	answer chan copyAnswer // gets one
	once   sync.Once
	reader *io.PipeReader
	writer *io.PipeWriter
}

// copyAnswer is an answer to a copy, or why there is none.
type copyAnswer struct {
	*http.Response
	err error
}

// newCopyWriter returns a response that has a header already.
func newCopyWriter(header http.Header) *copyWriter {
	w := &copyWriter{header: header.Clone(), answer: make(chan copyAnswer, 1)}
	if w.header == nil {
		w.header = make(http.Header)
	}
	w.reader, w.writer = io.Pipe()
	return w
}

// Header returns the response's header.
func (w *copyWriter) Header() http.Header { return w.header }

// WriteHeader begins the answer. Informational responses are nobody's answer.
func (w *copyWriter) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	w.once.Do(func() {
		w.answer <- copyAnswer{Response: &http.Response{StatusCode: status, Header: w.header.Clone(), Body: copyBody{w.reader}}}
	})
}

// Write waits until somebody has read.
func (w *copyWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.writer.Write(p)
}

// Flush begins the answer. Nothing waits to be sent.
func (w *copyWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the answer when the handlers are done. An error below 500 is an answer, without what handle_errors would make
// of it.
func (w *copyWriter) finish(err error) {
	switch status := errorStatus(err); {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case status < http.StatusInternalServerError:
		w.WriteHeader(status)
		err = nil
	default:
		w.once.Do(func() { w.answer <- copyAnswer{err: err} })
	}
	_ = w.writer.CloseWithError(err)
}

// giveUp lets the handlers write no more.
func (w *copyWriter) giveUp() { _ = w.reader.CloseWithError(errEnough) }

// copyBody is the body of an answer.
type copyBody struct{ *io.PipeReader }

// Close lets the handlers write no more.
func (b copyBody) Close() error { return b.CloseWithError(errEnough) }

// Interface guard
var _ http.Flusher = (*copyWriter)(nil)
