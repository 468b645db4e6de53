package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/grayling-gateway/grayling/core"
)

// ServeHTTP lets the variant answer that the engine decides on. If that fails before it answered, and the request can be
// sent again, the base answers in its place.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	begin := time.Now()
	address, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	decision := h.engine.Decide(r, address, begin)
	h.tell(decision, r)
	guardTrailer(r, h.announced())
	if !h.engine.FallsBack(decision, r) {
		_, err := h.try(w, r, next, decision, begin)
		return err
	}

	saved := save(w, r)
	answered, err := h.try(w, r, next, decision, begin)
	if err == nil || answered || !worthAnother(err) || !saved.restore(w, r) {
		return err
	}
	decision = h.engine.Fallback(decision)
	h.tell(decision, r)
	_, err = h.try(w, r, next, decision, begin)
	return err
}

// try lets the decided variant answer and reports the outcome. answered tells whether any part of a response was
// written.
func (h *Handler) try(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d core.Decision, begin time.Time) (answered bool, err error) {
	o := &observer{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		engine:                h.engine, decision: d, request: r, begin: begin,
	}
	broken := true // until the chain returns: it panics to abort a response that has begun
	defer func() { o.finish(err, broken) }()
	err = h.serve(o, r, next, d)
	broken = false
	return o.begun, err
}

// serve runs the variant's routes. They were compiled once, so the handler after the rollout travels in a variable.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d core.Decision) error {
	vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	if !ok {
		return next.ServeHTTP(w, r) // not a request of Caddy's HTTP server
	}
	outer, nested := vars[h.nextKey]
	vars[h.nextKey] = next
	err := h.variants[d.Index].chain.ServeHTTP(w, r)
	if nested {
		vars[h.nextKey] = outer
	} else {
		delete(vars, h.nextKey)
	}
	return err
}

// serveNext goes on with the handler after the rollout: the variant's routes did not answer.
func (h *Handler) serveNext(w http.ResponseWriter, r *http.Request) error {
	return caddyhttp.GetVar(r.Context(), h.nextKey).(caddyhttp.Handler).ServeHTTP(w, r)
}

// tell makes the decision known to the upstream, and to everything in the configuration that asks.
func (h *Handler) tell(d core.Decision, r *http.Request) {
	h.engine.Announce(d, r)
	ctx := r.Context()
	vars, ok := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any)
	if !ok {
		return // not a request of Caddy's HTTP server
	}
	vars["rollout_variant"] = h.variants[d.Index].name
	t, again := vars[h.keys.told].(*told)
	if !again {
		t = &told{keys: &h.keys}
		vars[h.keys.told] = t
		if replacer, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			replacer.Map(t.placeholder)
		}
	}
	t.Decision = d
	// Before the variant runs: what is added later is missing from the entry of a response that is aborted.
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs != nil {
		if fields, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			fields.Set(t.field())
		}
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String(h.keys.attributeVariant, d.Variant), attribute.String(h.keys.attributeBy, string(d.Reason)))
	}
}
