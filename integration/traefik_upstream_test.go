package integration

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// secureUpstream is the https address of a server with HTTP/2. It asks for certificates of clients if it
// has authorities.
func secureUpstream(t *testing.T, certificate gateway.Certificate, clients *x509.CertPool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(answerProto))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate.Certificate}}
	if clients != nil {
		server.TLS.ClientCAs = clients
		server.TLS.ClientAuth = tls.RequireAndVerifyClientCert
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that have to fail
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// names is a name server for SRV records, and for the hosts that they name: all are 127.0.0.1.
type names struct {
	addr  string
	asked atomic.Int64 // for SRV records

	mu       sync.Mutex
	services map[string][]record
}

// record is an SRV record that leads to an address of this machine.
type record struct {
	priority uint16
	addr     string
	weight   uint16
}

// startNames starts a name server that knows nothing. It ends with the test.
func startNames(t *testing.T) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{addr: conn.LocalAddr().String(), services: make(map[string][]record)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.serve(conn)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return n
}

// set replaces the records of a service.
func (n *names) set(service string, records ...record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.services[service] = records
}

func (n *names) serve(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if query.Unpack(packet[:size]) != nil || len(query.Questions) != 1 {
			continue
		}
		reply, err := n.reply(query).Pack()
		if err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

func (n *names) reply(query dnsmessage.Message) *dnsmessage.Message {
	q := query.Questions[0]
	reply := &dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true}, Questions: query.Questions}
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch q.Type {
	case dnsmessage.TypeSRV:
		n.asked.Add(1)
		for _, r := range n.services[q.Name.String()] {
			_, port, _ := net.SplitHostPort(r.addr)
			number, _ := strconv.ParseUint(port, 10, 16)
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.SRVResource{
				Priority: r.priority, Weight: r.weight, Port: uint16(number), Target: dnsmessage.MustNewName("node.test."),
			}})
		}
		if reply.Answers == nil {
			reply.RCode = dnsmessage.RCodeNameError
		}
	case dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	}
	return reply
}
