package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
)

// turn is one request on its way through the shared proxy.
type turn struct {
	handler  *Handler
	observer *observer
	client   string      // its address
	upstream int         // that is being tried; -1 if none is
	tried    []int       // that failed before
	stays    bool        // whether it is a copy, which goes to its variant or to nobody
	header   http.Header // of the proxy's copy of the request, as it was before the first try; nil before
}

// Select returns the upstream to try: at first the one that was chosen with the variant. A retry stays with the variant,
// and goes to the baseline when all of the variant's upstreams failed.
func (p *pool) Select(_ reverseproxy.UpstreamPool, r *http.Request, _ http.ResponseWriter) *reverseproxy.Upstream {
	told, ok := varsOf(r)[p.told].(*told)
	if !ok || told.turn == nil {
		return nil
	}
	t := told.turn
	if t.header == nil {
		t.header = r.Header
		return at(p.proxy.Upstreams, t.upstream)
	}
	return at(p.proxy.Upstreams, t.retry(p, r))
}

// retry finds the next upstream for a request that was tried, or -1. r is the proxy's copy of the request.
func (t *turn) retry(p *pool, r *http.Request) int {
	if t.upstream >= 0 {
		t.tried = append(t.tried, t.upstream)
	}
	o := t.observer
	d := o.decision()
	may := func(picked core.Pick) bool {
		return picked.Upstream >= 0 && (picked.Variant == d.Index || !t.stays && t.handler.engine.FallsBack(*d, o.request))
	}
	picked := pick(p.pools, d.Index, p.proxy.Upstreams, o.request, t.client, t.tried)
	if !may(picked) { // all were tried: those that are available get another chance
		t.tried = nil
		picked = pick(p.pools, d.Index, p.proxy.Upstreams, o.request, t.client, nil)
	}
	t.upstream = -1
	if may(picked) {
		t.upstream = picked.Upstream
		if picked.Variant != d.Index {
			t.fallBack(*d, r)
		}
	}
	return t.upstream
}

// fallBack makes the baseline serve in the place of a variant whose upstreams failed, between two tries of the proxy.
func (t *turn) fallBack(failed core.Decision, r *http.Request) {
	h, o := t.handler, t.observer
	h.log.Warn("the variant failed before it answered, the baseline answers in its place",
		zap.String("rollout", h.Name), zap.String("variant", failed.Variant), zap.Int("tries", len(t.tried)))
	h.engine.Report(failed, core.Outcome{Failed: true})
	o.instead = &told{Decision: h.engine.Fallback(failed), keys: &h.keys, turn: t}

	// The failed try may still be dialing in the background, and reads the variables and headers, which no lock guards:
	// so the request gets others. Header operations of the proxy make a copy for every try, from the first.
	vars := maps.Clone(varsOf(o.request))
	for _, request := range []*http.Request{o.request, r} {
		*request = *request.WithContext(context.WithValue(request.Context(), caddyhttp.VarsCtxKey, vars))
	}
	h.tell(o.instead, o.request, vars)
	header := t.header
	if reflect.ValueOf(r.Header).Pointer() == reflect.ValueOf(t.header).Pointer() {
		header = r.Header.Clone()
		r.Header = header
	}
	h.engine.Announce(o.instead.Decision, &http.Request{Header: header})
}

// unavailable counts, and says once a minute, that a variant could not be tried.
func (h *Handler) unavailable(d core.Decision) {
	now := time.Now()
	h.engine.Report(d, core.Outcome{Failed: true})
	if last := h.pool.warned.Load(); now.Unix()-last >= 60 && h.pool.warned.CompareAndSwap(last, now.Unix()) {
		h.log.Warn("no upstream of the variant is available, the baseline answers in its place",
			zap.String("rollout", h.Name), zap.String("variant", d.Variant))
	}
}

// tried returns the upstreams of the shared proxy that failed to serve the request.
func (o *observer) tried() []int {
	t := o.told.turn
	if t == nil || t.upstream < 0 {
		return nil
	}
	return append(t.tried, t.upstream)
}

// Interface guard
var _ reverseproxy.Selector = (*pool)(nil)
