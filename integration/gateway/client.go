package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/backend"
)

// Request is one request as its bytes go over the wire.
type Request struct {
	Method string   // GET if empty
	Target string   // "/" if empty
	Host   string   // "shop.example" if empty
	Header []string // "Name: value" lines, sent in this order and spelling
	Body   string
	// Chunked says that Body is written in chunks, trailers included; Header names the encoding.
	Chunked bool
	From    string // the connection's source address, 127.0.0.1 if empty
}

// Answer is the response to a Request, read to its end.
type Answer struct {
	Probe  string // finds the request in the access log
	Status int
	Header http.Header
	Body   string
	Echo   backend.Echo // if the answer is one
}

// Backend is the name of the backend that answered; empty if the gateway answered itself.
func (a Answer) Backend() string { return a.Header.Get("X-Backend") }

// Addr is host:port of the site.
func (g *Gateway) Addr() string { return "127.0.0.1:" + strconv.Itoa(g.plain) }

// OtherAddr is host:port of the second address of a verbatim site.
func (g *Gateway) OtherAddr() string { return "127.0.0.1:" + strconv.Itoa(g.other) }

// SecureAddr is host:port of the site over TLS; its certificate is for localhost.
func (g *Gateway) SecureAddr() string { return "localhost:" + strconv.Itoa(g.secure) }

// AdminAddr is host:port of the gateway's own interface, with its own metrics at /metrics.
func (g *Gateway) AdminAddr() string { return "127.0.0.1:" + strconv.Itoa(g.admin) }

// Do sends a request on a connection of its own and fails the test if no response arrives.
func (g *Gateway) Do(t testing.TB, r Request) Answer {
	t.Helper()
	a, err := g.exchange(g.Addr(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	return a
}

// DoOther is Do on the second address.
func (g *Gateway) DoOther(t testing.TB, r Request) Answer {
	t.Helper()
	a, err := g.exchange(g.OtherAddr(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	return a
}

// Get is Do for a GET with these header lines.
func (g *Gateway) Get(t testing.TB, target string, header ...string) Answer {
	t.Helper()
	return g.Do(t, Request{Target: target, Header: header})
}

// Try is Do that returns the error: no response, or one that broke off.
func (g *Gateway) Try(r Request) (Answer, error) { return g.exchange(g.Addr(), r) }

func (g *Gateway) exchange(addr string, r Request) (Answer, error) {
	a := Answer{Probe: g.probe()}
	method := or(r.Method, http.MethodGet)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, or(r.Target, "/"), or(r.Host, "shop.example"))
	for _, line := range r.Header {
		b.WriteString(line + "\r\n")
	}
	fmt.Fprintf(&b, "%s: %s\r\n", probeHeader, a.Probe)
	if r.Body != "" && !r.Chunked {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n" + r.Body)

	dialer := net.Dialer{Timeout: Patience}
	if r.From != "" { // else the kernel may take any port that leads nowhere else: of one address it is soon out of those
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.From)}
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return a, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a.Status, a.Header, a.Body = resp.StatusCode, resp.Header, string(body)
	json.Unmarshal(body, &a.Echo)
	return a, err
}

func (g *Gateway) probe() string { return strconv.FormatInt(g.probes.Add(1), 10) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
