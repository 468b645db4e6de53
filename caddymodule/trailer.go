package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// announced returns the name of the request header that tells the upstream, or "".
func (h *Handler) announced() string {
	switch h.Announce.Request {
	case "":
		return core.DefaultHeader
	case "off":
		return ""
	}
	return h.Announce.Request
}

// guardTrailer keeps clients from announcing in a trailer. Trailers come after the body: Go's server adds all there are
// to the request when the body ends, if the client declared any.
func guardTrailer(r *http.Request, header string) {
	if r.Trailer != nil && header != "" {
		r.Body = &guardedBody{ReadCloser: r.Body, trailer: r.Trailer, header: folded(header)}
	}
}

// guardedBody is a body after which a trailer does not appear.
type guardedBody struct {
	io.ReadCloser
	trailer http.Header
	header  string
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		for name := range b.trailer {
			if folded(name) == b.header {
				delete(b.trailer, name)
			}
		}
	}
	return n, err
}

// folded makes the spellings equal that CGI, WSGI and their kin cannot tell from each other.
func folded(header string) string { return strings.ToLower(strings.ReplaceAll(header, "_", "-")) }
