package traefikplugin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/replay"
)

// proxyMode proxies to the upstreams of the variant that serves.
type proxyMode struct {
	engine  *core.Engine
	proxy   *proxy
	clients *clients
	tells   bool // responses tell the client which variant serves, or decide which goals he reaches
	mirrors bool // requests may be copied
}

// proxy reaches a rollout's upstreams.
type proxy struct {
	upstreams *upstreams
	variants  []*variantProxy // in the order of the engine's variants
	log       *slog.Logger
	refused   atomic.Int64 // Unix second when the log was last told that nobody serves
}

// variantProxy is how one variant's upstreams are reached.
type variantProxy struct {
	reverse  *httputil.ReverseProxy // for requests that no target's own proxy does for
	settings *proxySettings
	policy   balance.HealthPolicy
}

// proxied is an exchange with what it is aimed at, and what another attempt needs.
type proxied struct {
	exchange
	proxy    *proxy
	clients  *clients
	body     *replay.Body // nil if the request has none, or cannot be sent again
	standing *standing
	target   *target
	position int // of the target; -1 if there is none
	attempt  balance.Attempt
	forced   bool           // the attempt is at an upstream that is out, for want of a better one
	tried    []int          // positions of the upstreams that failed
	tries    int            // how many of them failed for the variant that serves now
	copies   *mirror.Copies // nil: there are none
	serving  *core.Decision // by which copies began
}

// exchangeKey finds the exchange in a request's context. It is a pointer, because the interpreter gives all empty struct
// types one identity.
var exchangeKey = new(int)

// ServeHTTP decides and lets the variant's proxy answer.
func (p *proxyMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &proxied{
		exchange: exchange{engine: p.engine, decision: core.Recall(p.engine, r), request: r, tells: p.tells, begin: time.Now()},
		proxy:    p.proxy, clients: p.clients, standing: p.proxy.upstreams.current.Load().(*standing),
	}
	if e.decision == nil {
		decideProxied(e)
	}
	if !aim(e) && !aimElsewhere(w, e) {
		return
	}
	if p.mirrors {
		beginCopies(e)
		defer endCopies(e)
	}
	if r.ContentLength != 0 {
		wrapBody(e)
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey, e))
	e.request = r
	defer finish(&e.exchange)
	if r.Trailer == nil {
		e.target.direct[e.decision.Index].ServeHTTP(w, r)
	} else {
		serveThrough(w, e)
	}
	e.returned = true
}

// decideProxied decides a request that is not like one before.
func decideProxied(e *proxied) {
	e.decision = core.Decide(e.engine, e.request, clientOf(e.clients, e.request), e.begin)
	e.tells = e.tells || e.decision.Cookie != ""
	core.Tell(e.engine, e.decision, e.request)
}

// aimElsewhere chooses another upstream than the one whose turn it is. It reports false if there is none: the client has
// an answer then.
func aimElsewhere(w http.ResponseWriter, e *proxied) bool {
	if nobody := choose(e); nobody != nil {
		refuse(w, e, nobody)
		return false
	}
	core.Tell(e.engine, e.decision, e.request) // it may be another variant's now
	return true
}

// aim chooses the upstream whose turn it is, if nothing speaks against it. This is all that most requests need.
func aim(e *proxied) bool {
	set := e.standing.only[e.decision.Index]
	if set == nil {
		return aimNarrowed(e)
	}
	e.position = balance.Next(set)
	e.target = e.standing.targets[e.position]
	e.attempt = balance.Attempt(e.target.health.Steady.Load())
	return e.attempt != balance.Refused
}

// aimNarrowed is aim where the request may ask for some of the upstreams.
func aimNarrowed(e *proxied) bool {
	e.position = core.Next(e.standing.pools, e.decision.Index, e.request, clientOf(e.clients, e.request))
	if e.position < 0 {
		return false
	}
	e.target = e.standing.targets[e.position]
	e.attempt = balance.Attempt(e.target.health.Steady.Load())
	return e.attempt != balance.Refused
}

// wrapBody notices when a client breaks off, and remembers what it sent for as long as another attempt may need it.
func wrapBody(e *proxied) {
	watchUpload(&e.exchange)
	if e.engine.Repeats(e.request) {
		e.body = replay.NewBody(e.upload)
		e.request.Body = e.body
	}
}

// through returns the proxy by which a request reaches its target.
func through(e *proxied) *httputil.ReverseProxy {
	if len(e.request.Trailer) > 0 {
		return e.proxy.variants[e.decision.Index].reverse
	}
	return e.target.direct[e.decision.Index]
}

func serveThrough(w http.ResponseWriter, e *proxied) { through(e).ServeHTTP(w, e.request) }

// newProxy returns the proxy of a rollout, whose background work ends with ctx.
func newProxy(ctx context.Context, settings *allSettings, engine *core.Engine, known *memory, log *slog.Logger) *proxy {
	p := &proxy{upstreams: newUpstreams(ctx, engine, settings, known, log), log: log}
	for _, name := range engine.Variants() {
		s := settings.byVariant[name]
		p.variants = append(p.variants, &variantProxy{settings: s, policy: s.policy(), reverse: p.upstreams.reverse[s]})
	}
	return p
}

// newReverse returns a proxy to whatever target a request has.
func newReverse(s *proxySettings, transport *http.Transport, mirrors bool) *httputil.ReverseProxy {
	reverse := &httputil.ReverseProxy{
		Rewrite:        rewriter(s.passHost),
		Transport:      transport,
		ModifyResponse: respond,
		ErrorHandler:   fail,
		ErrorLog:       slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError), // it says only what the outcome says; Yaegi's log.New is another type
		FlushInterval:  flushEvery,
		BufferPool:     buffers,
	}
	if mirrors {
		reverse.ModifyResponse = respondMirrored
	}
	return reverse
}

// newDirect returns a proxy to one target that does the same as another for requests without trailers. What an upstream
// gets is made of what a client sent by compiled code alone, then: net/http leaves X-Forwarded headers as Traefik made
// them, and adds to X-Forwarded-For. Where it has to change the Host header, which it cannot, the other is returned.
func newDirect(to *url.URL, s *proxySettings, reverse *httputil.ReverseProxy) *httputil.ReverseProxy {
	if !s.passHost {
		return reverse
	}
	direct := httputil.NewSingleHostReverseProxy(to)
	direct.Transport = reverse.Transport
	direct.ModifyResponse = reverse.ModifyResponse
	direct.ErrorHandler = reverse.ErrorHandler
	direct.ErrorLog = reverse.ErrorLog
	direct.FlushInterval = reverse.FlushInterval
	direct.BufferPool = reverse.BufferPool
	return direct
}

// rewriter returns what turns a client's request into an upstream's.
func rewriter(passHost bool) func(pr *httputil.ProxyRequest) {
	return func(pr *httputil.ProxyRequest) {
		rewrite(pr, pr.In.Context().Value(exchangeKey).(*proxied).target.url, passHost)
	}
}

// rewrite turns a client's request into that of the upstream at a URL.
func rewrite(pr *httputil.ProxyRequest, to *url.URL, passHost bool) {
	in, out := pr.In, pr.Out
	pr.SetURL(to)
	if in.URL.RawQuery != "" {
		keepQuery(pr)
	}
	if len(in.Trailer) > 0 {
		passTrailers(pr)
	}
	if passHost {
		out.Host = in.Host
	}
	// Traefik has made sure of these; net/http takes them away so that nobody passes on what clients forge.
	out.Header["X-Forwarded-For"] = in.Header["X-Forwarded-For"]
	pr.SetXForwarded() // adds who connects
	out.Header["Forwarded"] = in.Header["Forwarded"]
	out.Header["X-Forwarded-Host"] = in.Header["X-Forwarded-Host"]
	out.Header["X-Forwarded-Proto"] = in.Header["X-Forwarded-Proto"]
}

// keepQuery leaves a query as the client wrote it: what is odd is the upstream's to judge.
func keepQuery(pr *httputil.ProxyRequest) { pr.Out.URL.RawQuery = pr.In.URL.RawQuery }

// passTrailers has the trailers of a request follow its body.
func passTrailers(pr *httputil.ProxyRequest) {
	if pr.Out.Body != nil {
		pr.Out.Body = &trailed{body: pr.Out.Body, from: pr.In.Trailer, to: pr.Out.Trailer}
	}
}

// respond sees a response's header arrive.
func respond(response *http.Response) error {
	if e, ok := response.Request.Context().Value(exchangeKey).(*proxied); ok {
		responded(&e.exchange, response.StatusCode, response.Header)
		if e.status >= 500 || e.target.health.Steady.Load() != int64(e.attempt) {
			answered(e)
		}
	}
	return nil
}
