package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
)

// replayLimit is how much of a request's body is kept so that it can be sent a second time.
const replayLimit = 64 << 10

// worthAnother reports whether the base might do better: an error below 500 is the variant's answer.
func worthAnother(err error) bool { return errorStatus(err) >= http.StatusInternalServerError }

// attempt is what a request and its response looked like before a variant tried: its handlers may have rewritten both
// before they failed.
type attempt struct {
	request http.Request
	url     url.URL
	header  http.Header // of the response
	body    *replayBody // nil if the request has none
}

// save remembers request and response header, and makes the body one that can be sent again.
func save(w http.ResponseWriter, r *http.Request) *attempt {
	a := &attempt{request: *r, url: *r.URL, header: w.Header().Clone()}
	a.request.Header = r.Header.Clone()
	a.request.Trailer = r.Trailer.Clone()
	if r.Body != nil && r.Body != http.NoBody {
		a.body = &replayBody{source: r.Body}
		r.Body = a.body
	}
	return a
}

// restore undoes what was changed since. It reports false, and changes nothing, if the request cannot be sent again:
// the client is gone, or too much of its body is.
func (a *attempt) restore(w http.ResponseWriter, r *http.Request) bool {
	if r.Context().Err() != nil {
		return false
	}
	body := a.request.Body
	if a.body != nil {
		var ok bool
		if body, ok = a.body.again(); !ok {
			return false
		}
	}
	*r = a.request // in place: others hold the same request
	*r.URL = a.url
	r.Body = body
	header := w.Header()
	clear(header)
	maps.Copy(header, a.header)
	return true
}

// replayBody passes a body through and keeps its beginning.
type replayBody struct {
	source io.ReadCloser

	mu      sync.Mutex
	kept    []byte
	over    bool // more was read than is kept
	reading bool
	closed  bool // whoever read it has done so
	retired bool // another body has taken over
}

var errRetired = errors.New("the body belongs to another attempt")

// Read passes on what the source has.
func (b *replayBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.retired {
		b.mu.Unlock()
		return 0, errRetired
	}
	b.reading = true
	b.mu.Unlock()

	n, err := b.source.Read(p)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if b.over = b.over || len(b.kept)+n > replayLimit; !b.over {
		b.kept = append(b.kept, p[:n]...)
	}
	return n, err
}

// Close leaves the source open: it may be read by another attempt, and the server closes it in the end.
func (b *replayBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// again returns the whole body once more. It fails if more was read than is kept, or if somebody may still be reading:
// a transport reads on in the background until it closes the body.
func (b *replayBody) again() (io.ReadCloser, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.reading || len(b.kept) > 0 && !b.closed {
		return nil, false
	}
	b.retired = true
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b.kept), b.source), b.source}, true
}
