package traefikplugin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/replay"
)

// proxyMode proxies to the upstreams of the variant that serves.
type proxyMode struct {
	engine  *core.Engine
	proxies *proxies
	clients clients
}

// proxies are the reverse proxies of a rollout's variants, in the order of the engine's variants.
type proxies struct {
	engine    *core.Engine
	byVariant []*httputil.ReverseProxy
	log       *slog.Logger
}

// proxied is an exchange with what a second attempt needs.
type proxied struct {
	exchange
	body *replay.Body // nil if the request has none, or cannot fall back
	log  *slog.Logger
}

// exchangeKey finds the exchange in a request's context. It is a pointer, because the interpreter gives all empty struct
// types one identity.
var exchangeKey = new(int)

// ServeHTTP decides and lets the variant's proxy answer.
func (p *proxyMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	engine := p.engine
	decision := engine.Decide(r, p.clients.address(r), begin)
	engine.Announce(decision, r)
	e := &proxied{log: p.proxies.log}
	e.engine = engine
	e.decision = decision
	e.begin = begin
	if r.ContentLength != 0 && engine.FallsBack(decision, r) {
		e.body = replay.NewBody(r.Body)
		r.Body = e.body
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey, e))
	e.request = r
	defer e.finish()
	p.proxies.byVariant[decision.Index].ServeHTTP(w, r)
	e.returned = true
}

// newProxies returns the proxies of a rollout, whose background work ends with ctx.
func newProxies(ctx context.Context, settings []proxySettings, engine *core.Engine, logger *slog.Logger) *proxies {
	p := &proxies{engine: engine, log: logger}
	silent := slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError) // Yaegi's log.New is another type
	for _, s := range settings {
		transport := newTransport(s)
		context.AfterFunc(ctx, func() { transport.CloseIdleConnections() })
		p.byVariant = append(p.byVariant, &httputil.ReverseProxy{
			Rewrite:        rewriter(newPool(ctx, s, logger), s.passHost),
			Transport:      transport,
			ModifyResponse: respond,
			ErrorHandler:   p.fail,
			ErrorLog:       silent, // it says only what the outcome says
			FlushInterval:  flushEvery,
			BufferPool:     buffers,
		})
	}
	return p
}

func newTransport(s proxySettings) *http.Transport {
	dialer := &net.Dialer{Timeout: s.dialTimeout, KeepAlive: 30 * time.Second, Resolver: resolver(s.resolver)}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address) // Yaegi cannot pass methods of compiled types as functions
		},
		TLSClientConfig:       s.tls,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     s.http2,
		MaxIdleConnsPerHost:   s.maxIdle,
		IdleConnTimeout:       s.idleTimeout,
		ResponseHeaderTimeout: s.responseTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // the client's encodings go to the upstream as they are
	}
}

// flushEvery is how long a part of a response may wait for the next, as with Traefik's own services.
const flushEvery = 100 * time.Millisecond

// rewriter returns what turns a client's request into an upstream's.
func rewriter(p *pool, passHost bool) func(pr *httputil.ProxyRequest) {
	return func(pr *httputil.ProxyRequest) {
		query := pr.In.URL.RawQuery
		if target := p.pick(); target != nil {
			pr.SetURL(target)
		} else {
			pr.Out.URL.Host = "" // the transport refuses it, and the error handler takes over
		}
		if pr.Out.URL.RawQuery != query && query != "" {
			pr.Out.URL.RawQuery = query // as the client wrote it: what is odd is the upstream's to judge
		}
		if len(pr.In.Trailer) > 0 && pr.Out.Body != nil {
			pr.Out.Body = &trailed{body: pr.Out.Body, from: pr.In.Trailer, to: pr.Out.Trailer}
		}
		if passHost {
			pr.Out.Host = pr.In.Host
		}
		// Traefik has made sure of these; net/http takes them away so that nobody passes on what clients forge.
		for _, name := range forwarded {
			if fields := pr.In.Header[name]; len(fields) > 0 {
				pr.Out.Header[name] = fields
			}
		}
		pr.Out.Header["X-Forwarded-For"] = appended(pr.In.Header["X-Forwarded-For"], host(pr.In.RemoteAddr))
	}
}

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

var forwarded = []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"}

// appended returns the fields of X-Forwarded-For with one address more.
func appended(fields []string, address string) []string {
	if len(fields) == 0 {
		return []string{address}
	}
	joined := fields[0]
	for _, field := range fields[1:] {
		joined += ", " + field
	}
	return []string{joined + ", " + address}
}

// respond sees a response's header arrive.
func respond(response *http.Response) error {
	if e, ok := response.Request.Context().Value(exchangeKey).(*proxied); ok {
		e.respond(response.StatusCode, response.Header)
	}
	return nil
}

// fail answers a request whose variant gave no response: by the base if that may be, else by an error.
func (p *proxies) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := r.Context().Value(exchangeKey).(*proxied)
	if !ok {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	gone := e.request.Context().Err() != nil
	if !gone && e.status == 0 && p.fallBack(w, e) {
		return
	}
	status := http.StatusBadGateway
	var timeout net.Error
	switch {
	case gone:
		status = statusClientGone
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	e.failed = true
	e.status = status
	e.latency = time.Since(e.begin)
	if !gone {
		e.log.Warn("the variant did not answer", "rollout", e.engine.Name(), "variant", e.decision.Variant, "error", err)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status))
}

// fallBack lets the base answer in the place of a variant that failed, if the request can be sent again.
func (p *proxies) fallBack(w http.ResponseWriter, e *proxied) bool {
	if !e.engine.FallsBack(e.decision, e.request) {
		return false
	}
	if e.body != nil {
		again := e.body.Again()
		if again == nil {
			return false
		}
		e.request.Body = again
	}
	e.report(core.Outcome{Failed: true, Latency: time.Since(e.begin)})
	e.decision = e.engine.Fallback(e.decision)
	e.reported = false
	e.engine.Announce(e.decision, e.request)
	p.byVariant[e.decision.Index].ServeHTTP(w, e.request)
	return true
}

// buffers lends the room in which responses are copied.
var buffers httputil.BufferPool = &bufferPool{pool: sync.Pool{New: func() any { return make([]byte, 32<<10) }}}

type bufferPool struct{ pool sync.Pool }

// Get returns a buffer.
func (b *bufferPool) Get() []byte { return b.pool.Get().([]byte) }

// Put takes a buffer back.
func (b *bufferPool) Put(buffer []byte) { b.pool.Put(buffer) } //nolint:staticcheck // 24 bytes, where a new buffer is 32 KiB
