package traefikplugin

import (
	"bufio"
	"net"
	"net/http"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// mirroredService is service mode in a rollout with mirrors.
type mirroredService struct {
	*serviceMode
	observe bool // outcomes count, or responses tell the client something
}

// ServeHTTP decides, begins the copies, and passes the request on.
func (s *mirroredService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	decision := core.Recall(s.engine, r)
	if decision == nil {
		decision = decideAnew(s.serviceMode, r)
	}
	if copies := core.Copy(s.engine, decision, r, clientOf(s.clients, r)); copies != nil {
		serveCopied(s.serviceMode, w, r, decision, copies)
		return
	}
	if s.observe || decision.Cookie != "" {
		serveObserved(s.serviceMode, w, r, decision)
		return
	}
	s.next.ServeHTTP(w, r)
}

// serveCopied is serveObserved for a request that has copies.
func serveCopied(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision, copies *mirror.Copies) {
	e := observe(s, w, r, decision)
	c := &copied{ResponseWriter: w, exchange: e, copies: copies}
	defer finish(e)
	defer end(c)
	s.next.ServeHTTP(c, r)
	e.returned = true
}

// end tells the copies that the request is over. Traefik answers by itself where a service has no server that does, and
// nothing tells such an answer from the service's own: it is nothing to compare with. A client who closes the connection
// once he has it all cancels the request as one does who leaves early: the context does not tell.
func end(c *copied) {
	e := c.exchange
	if e.returned && e.status == 0 {
		c.copies.Answered(http.StatusOK, c.Header()) // the server writes an empty response
	}
	c.copies.End(e.returned && !isOwn(e.status))
}

// isOwn reports whether Traefik answers with a status by itself.
func isOwn(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusClientGone:
		return true
	}
	return false
}

// copied shows a response to the copies of its request. All else is the exchange's.
//
// It embeds the writer for the sake of Header, as the exchange does.
type copied struct {
	http.ResponseWriter
	exchange *exchange
	copies   *mirror.Copies
}

// WriteHeader shows the header before anything is added to it.
func (c *copied) WriteHeader(status int) {
	c.copies.Answered(status, c.Header())
	c.exchange.WriteHeader(status)
}

// Write shows what becomes of the body.
func (c *copied) Write(p []byte) (int, error) {
	if c.exchange.status == 0 {
		c.copies.Answered(http.StatusOK, c.Header())
	}
	n, err := c.exchange.Write(p)
	c.copies.Wrote(p[:n], err)
	return n, err
}

// Hijack hands the connection over, as websockets need.
func (c *copied) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := c.exchange.Hijack()
	return conn, buffered, err
}
