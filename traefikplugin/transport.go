package traefikplugin

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// flushEvery is how long a part of a response may wait for the next, as with Traefik's own services.
const flushEvery = 100 * time.Millisecond

func newTransport(s *proxySettings) *http.Transport {
	dialer := &net.Dialer{Timeout: s.dialTimeout, KeepAlive: 30 * time.Second, Resolver: resolver(s.resolver)}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address) // Yaegi cannot pass methods of compiled types as functions
		},
		TLSClientConfig:       s.tls.Clone(), // the transport changes it
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     s.http2,
		MaxIdleConnsPerHost:   s.maxIdle,
		IdleConnTimeout:       s.idleTimeout,
		ResponseHeaderTimeout: s.responseTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // the client's encodings go to the upstream as they are
	}
}

// resolver returns the system's resolver, or one that asks the name server at address.
func resolver(address string) *net.Resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, system string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}
}

// buffers lends the room in which responses are copied.
var buffers httputil.BufferPool = &bufferPool{pool: sync.Pool{New: func() any { return make([]byte, 32<<10) }}}

type bufferPool struct{ pool sync.Pool }

// Get returns a buffer.
func (b *bufferPool) Get() []byte { return b.pool.Get().([]byte) }

// Put takes a buffer back.
func (b *bufferPool) Put(buffer []byte) { b.pool.Put(buffer) } //nolint:staticcheck // 24 bytes, where a new buffer is 32 KiB
