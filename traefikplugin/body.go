package traefikplugin

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// upload passes on a client's body, and remembers whether the client broke off or wrote what is no body: a failure that
// says nothing about the upstream. The transport may read it in a goroutine of its own.
type upload struct {
	from   io.ReadCloser
	broken atomic.Bool
}

// Read passes on what the client sent.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) { // the last is the transport's own doing
		u.broken.Store(true)
	}
	return n, err
}

// Close closes the body.
func (u *upload) Close() error { return u.from.Close() }

// trailed passes on a request's body, and at its end the values of the trailers that the client announced, which the
// proxy of net/http would leave behind. Others, such as a forged announcement, stay behind.
type trailed struct {
	body     io.ReadCloser
	from, to http.Header
}

// Read passes on what the body has.
func (t *trailed) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	if err == io.EOF {
		for name := range t.to {
			t.to[name] = t.from[name]
		}
	}
	return n, err
}

// Close closes the body.
func (t *trailed) Close() error { return t.body.Close() }
