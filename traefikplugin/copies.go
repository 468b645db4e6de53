package traefikplugin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

// copier sends copies of requests to the upstreams of variants. It takes turns of its own, and makes connections of its
// own, so that copies take neither from requests. What becomes of a copy says nothing about an upstream's health.
type copier struct {
	upstreams  *upstreams
	clients    *clients
	variants   map[string]int // by name
	transports map[*proxySettings]*http.Transport
}

// newCopier returns the copier of a proxy, whose connections end with ctx.
func newCopier(ctx context.Context, p *proxy, c *clients) *copier {
	made := &copier{upstreams: p.upstreams, clients: c, variants: map[string]int{}, transports: map[*proxySettings]*http.Transport{}}
	for i, name := range p.upstreams.engine.Variants() {
		made.variants[name] = i
		made.connect(ctx, p.variants[i].settings)
	}
	return made
}

// connect makes the connections of settings, once.
func (c *copier) connect(ctx context.Context, s *proxySettings) {
	if c.transports[s] == nil {
		transport := newTransport(s)
		c.transports[s] = transport
		context.AfterFunc(ctx, func() { transport.CloseIdleConnections() })
	}
}

var errNoUpstream = errors.New("no upstream of the variant is available")

// send sends a copy to an upstream of a variant, and returns its answer. In all but whom it reaches, what the upstream gets
// is made as for other requests.
func (c *copier) send(variant string, r *http.Request) (*http.Response, error) {
	i := c.variants[variant]
	standing := c.upstreams.current.Load().(*standing)
	now := time.Now()
	available := func(position int) bool { return standing.targets[position].health.Available(now) }
	pick := standing.copies.Pick(i, &expr.Input{Request: r, Address: clientOf(c.clients, r)}, available, nil)
	if pick.Upstream < 0 || pick.Variant != i {
		return nil, errNoUpstream
	}
	settings := c.upstreams.settings.byVariant[variant]
	pr := &httputil.ProxyRequest{In: r, Out: r.Clone(r.Context())}
	rewrite(pr, standing.targets[pick.Upstream].url, settings.passHost)
	if len(pr.Out.Header["User-Agent"]) == 0 {
		pr.Out.Header["User-Agent"] = []string{""} // or the transport names itself
	}
	pr.Out.Close = false // which is about the client's connection
	response, err := c.transports[settings].RoundTrip(pr.Out)
	return response, err
}

// beginCopies begins the copies of a request, if there are any, when it is decided who serves it.
func beginCopies(e *proxied) {
	e.serving = e.decision
	e.copies = core.Copy(e.engine, e.decision, e.request, clientOf(e.clients, e.request))
}

// endCopies tells the copies that the request is over. What another variant answered in the place of the one that failed is
// nothing to compare with. Of an answer that broke off nothing returns: the proxy panics.
func endCopies(e *proxied) {
	if e.copies != nil {
		e.copies.End(e.returned && !e.failed && e.decision == e.serving)
	}
}

// respondMirrored sees a response's header arrive, as respond does, in a rollout with mirrors: before anything is added to it.
func respondMirrored(response *http.Response) error {
	e, ok := response.Request.Context().Value(exchangeKey).(*proxied)
	if ok && e.copies != nil && e.copies.Compares() {
		e.copies.Watch(response)
	}
	return respond(response)
}
