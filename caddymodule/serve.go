package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
)

// ServeHTTP lets the variant answer that the engine decides on. If that fails before it answered, and the request can be
// sent again, the base answers in its place.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	begin := time.Now()
	vars := varsOf(r)
	address, _ := vars[caddyhttp.ClientIPVarKey].(string)
	decision := h.engine.Decide(r, address, begin)
	guardTrailer(r, h.announced())
	c := h.choose(decision, r, address, nil)
	if h.sender != nil && vars != nil && c.refusal == nil {
		if c.copies = h.sender.begin(w, r, c, vars); c.copies != nil {
			defer c.copies.End(false) // unless the answer was whole
		}
	}
	if c.refusal != nil || !h.engine.FallsBack(c.Decision, r) {
		_, err := h.try(w, r, next, c, vars, begin)
		return err
	}

	c.saved = save(w, r, h.variants[c.Index].aside)
	o, err := h.try(w, r, next, c, vars, begin)
	if !o.replaced {
		return err
	}
	h.log.Warn("the variant failed before it answered, the baseline answers in its place",
		zap.String("rollout", h.Name), zap.String("variant", c.Variant), zap.Error(err))
	_, err = h.try(w, r, next, h.choose(h.engine.Fallback(c.Decision), r, address, o.tried()), varsOf(r), begin)
	return err
}

// try tells the decision, lets the decided variant answer and reports the outcome.
func (h *Handler) try(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, c choice, vars map[string]any, begin time.Time) (o *observer, err error) {
	o = &observer{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		told:                  told{Decision: c.Decision, keys: &h.keys},
		engine:                h.engine, request: r, begin: begin, copies: c.copies,
	}
	if h.variants[c.Index].pooled {
		o.told.turn = &turn{handler: h, observer: o, client: c.client, upstream: c.upstream}
	}
	h.tell(&o.told, r, vars)
	broken := true // until the chain returns: it panics to abort a response that has begun
	defer func() {
		outcome := o.finish(err, broken)
		o.replaced = !broken && h.replaces(c, o, r, err)
		outcome.Replaced = o.replaced
		o.report(outcome)
	}()
	if err = c.refusal; err != nil {
		o.report(core.Outcome{Gone: true}) // that the request asks for what there is not says nothing about the variant
	} else {
		err = h.serve(o, r, next, c.Decision, vars)
	}
	broken = false
	return o, err
}

// replaces reports whether the baseline is to answer in the place of a variant that was tried, and makes the request what it
// was before.
func (h *Handler) replaces(c choice, o *observer, r *http.Request, err error) bool {
	return c.saved != nil && err != nil && !o.begun && o.instead == nil && worthAnother(err) && h.yields(c, r) && c.saved.restore(o.ResponseWriter, r)
}

// serve runs the variant's routes. If they were compiled, the handler after the rollout travels in a variable. It stays
// there: when the routes have answered, a transport may still be dialing in the background, and it reads the variables,
// which no lock guards. Only a rollout inside itself puts back what it found.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d core.Decision, vars map[string]any) error {
	if vars == nil {
		return next.ServeHTTP(w, r) // not a request of Caddy's HTTP server
	}
	variant := &h.variants[d.Index]
	if variant.chain == nil {
		return run(variant.handlers, w, r, next)
	}
	outer, nested := vars[h.nextKey]
	vars[h.nextKey] = next
	err := variant.chain.ServeHTTP(w, r)
	if nested {
		vars[h.nextKey] = outer
	}
	return err
}

// serveNext goes on with the handler after the rollout: the variant's routes did not answer.
func (h *Handler) serveNext(w http.ResponseWriter, r *http.Request) error {
	return caddyhttp.GetVar(r.Context(), h.nextKey).(caddyhttp.Handler).ServeHTTP(w, r)
}

// tell makes the decision known to the upstream, and to everything in the configuration that asks.
func (h *Handler) tell(t *told, r *http.Request, vars map[string]any) {
	core.Tell(h.engine, &t.Decision, r)
	if vars == nil {
		return // not a request of Caddy's HTTP server
	}
	ctx := r.Context()
	vars["rollout_variant"] = h.variants[t.Index].name
	if _, again := vars[h.keys.told]; !again {
		if replacer, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			replacer.Map(h.keys.placeholders(r))
		}
	}
	vars[h.keys.told] = t
	// Before the variant runs: what is added later is missing from the entry of a response that is aborted.
	if h.logged {
		if fields, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			fields.Set(t.field())
		}
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String(h.keys.attributeVariant, t.Variant), attribute.String(h.keys.attributeBy, string(t.Reason)))
	}
}
