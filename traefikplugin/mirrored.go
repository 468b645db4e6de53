package traefikplugin

import (
	"bufio"
	"net"
	"net/http"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// mirroredService is service mode in a rollout with mirrors.
type mirroredService struct{ *serviceMode }

// ServeHTTP decides, begins the copies, and passes the request on.
func (s *mirroredService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := clientOf(s.clients, r)
	tells := s.tells
	decision := core.Recall(s.engine, r)
	if decision == nil {
		decision = core.Decide(s.engine, r, address, time.Now())
		core.Tell(s.engine, decision, r)
		tells = tells || decision.Cookie != ""
	}
	if copies := core.Copy(s.engine, decision, r, address); copies != nil {
		serveCopied(s.serviceMode, w, r, decision, tells, copies)
		return
	}
	if s.observe || tells {
		serveObserved(s.serviceMode, w, r, decision, tells)
		return
	}
	s.next.ServeHTTP(w, r)
}

// serveCopied is serveObserved for a request that has copies.
func serveCopied(s *serviceMode, w http.ResponseWriter, r *http.Request, decision *core.Decision, tells bool, copies *mirror.Copies) {
	o := &observer{ResponseWriter: w, exchange: exchange{engine: s.engine, decision: decision, request: r, tells: tells, begin: time.Now()}}
	c := &copied{ResponseWriter: w, observer: o, copies: copies}
	defer finish(&o.exchange)
	defer end(c)
	if r.ContentLength != 0 {
		watchUpload(&o.exchange)
	}
	s.next.ServeHTTP(c, r)
	o.returned = true
}

// end tells the copies that the request is over. Traefik answers by itself where a service has no server that does, and
// nothing tells such an answer from the service's own: it is nothing to compare with. A client who closes the connection
// once he has it all cancels the request as one does who leaves early: the context does not tell.
func end(c *copied) {
	e := &c.observer.exchange
	if e.returned && e.status == 0 {
		c.copies.Answered(http.StatusOK, c.Header()) // the server writes an empty response
	}
	c.copies.End(e.returned && !c.torn && !isOwn(e.status))
}

// isOwn reports whether Traefik answers with a status by itself.
func isOwn(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusClientGone:
		return true
	}
	return false
}

// copied shows a response to the copies of its request. All else is the observer's.
//
// It embeds the writer for the sake of Header, as the observer does.
type copied struct {
	http.ResponseWriter
	observer *observer
	copies   *mirror.Copies
	torn     bool // whether the client did not get all that was written
}

// WriteHeader shows the header before anything is added to it.
func (c *copied) WriteHeader(status int) {
	c.copies.Answered(status, c.Header())
	c.observer.WriteHeader(status)
}

// Write shows what becomes of the body.
func (c *copied) Write(p []byte) (int, error) {
	if c.observer.status == 0 {
		c.copies.Answered(http.StatusOK, c.Header())
	}
	n, err := c.observer.Write(p)
	c.copies.Wrote(p[:n])
	c.torn = c.torn || err != nil
	return n, err
}

// Hijack hands the connection over, as websockets need.
func (c *copied) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := c.observer.Hijack()
	return conn, buffered, err
}
