package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// URL is the site's address for Client.
func (g *Gateway) URL(path string) string { return "http://" + g.Addr() + path }

// SecureURL is the site's address for the clients of HTTP2 and HTTP3.
func (g *Gateway) SecureURL(path string) string { return "https://" + g.SecureAddr() + path }

// Client keeps connections alive and leaves responses as they are.
func (g *Gateway) Client() *http.Client {
	return g.client("1.1", func() http.RoundTripper {
		return closeIdle(g, &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100})
	})
}

// HTTP2 speaks HTTP/2 over TLS and nothing else.
func (g *Gateway) HTTP2(t testing.TB) *http.Client {
	t.Helper()
	return g.client("2", func() http.RoundTripper {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(true)
		return closeIdle(g, &http.Transport{DisableCompression: true, Protocols: protocols, TLSClientConfig: g.trust(t)})
	})
}

// HTTP3 speaks HTTP/3 over QUIC.
func (g *Gateway) HTTP3(t testing.TB) *http.Client {
	t.Helper()
	return g.client("3", func() http.RoundTripper {
		transport := &http3.Transport{DisableCompression: true, TLSClientConfig: g.trust(t)}
		g.t.Cleanup(func() { transport.Close() })
		return transport
	})
}

func (g *Gateway) client(name string, transport func() http.RoundTripper) *http.Client {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.clients[name] == nil {
		g.clients[name] = &http.Client{
			Transport:     transport(),
			Timeout:       Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return g.clients[name]
}

func closeIdle(g *Gateway, transport *http.Transport) *http.Transport {
	g.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// handshakes says whether the site has its certificate.
func (g *Gateway) handshakes() bool {
	// Whether it is the right one is for trust to say.
	conn, err := tls.Dial("tcp", g.SecureAddr(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// trust verifies the gateway by the root certificate that it made for this test.
func (g *Gateway) trust(t testing.TB) *tls.Config {
	t.Helper()
	root := g.instance.root()
	pem, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", root)
	}
	return &tls.Config{RootCAs: pool}
}
