package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// byMirror is why a variant serves a copy.
const byMirror core.Reason = "mirror"

var (
	errCopiesBusy      = errors.New("copies that were given up are still under way")
	errCopyUnanswered  = errors.New("no route of the variant answers the copy")
	errCopyUnreachable = errors.New("no upstream of the variant is available")
)

// sender sends copies of requests to variants, through their own routes.
type sender struct {
	handler *Handler
	running chan struct{} // has room for as many copies as may be under way, those included that were given up
	values  []string      // names of placeholders that the variants use and a copy does not know by itself
}

// detached is what the copies of a request know of it. Nothing in it is shared with the request.
type detached struct {
	server   *caddyhttp.Server
	original http.Request
	vars     map[string]any
	values   map[string]any // of placeholders
	response http.Header    // as it was before the variant
}

// detachedKey leads to it in a copy's context.
type detachedKey struct{}

// newSender returns what sends copies for a rollout, or nil if it has no mirrors.
func newSender(h *Handler) *sender {
	if len(h.Mirrors) == 0 {
		return nil
	}
	room := 0
	for _, m := range h.Mirrors {
		room += 2 * cmp.Or(max(m.Concurrency, 0), mirror.DefaultConcurrency) // one for the target, one for the control
	}
	return &sender{handler: h, running: make(chan struct{}, min(room, 1<<20)), values: placeholdersIn(h)}
}

var placeholderPattern = regexp.MustCompile(`\{([a-zA-Z][a-zA-Z0-9_.:$-]*)\}`)

// placeholdersIn returns the names of placeholders that somebody gave a value to for one request, such as
// http.auth.user.id. What is read from the request, its variables or the environment is known anyway.
func placeholdersIn(h *Handler) []string {
	text, err := json.Marshal([]any{h.Variants, h.Proxy})
	if err != nil {
		return nil // loading the routes will say what is wrong
	}
	known := []string{"http.request.", "http.vars.", "http.reverse_proxy.", "env.", "file.", "system.", "time."}
	var names []string
	for _, found := range placeholderPattern.FindAllStringSubmatch(string(text), -1) {
		name := found[1]
		if !slices.ContainsFunc(known, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// begin begins the copies of a request, of which somebody else is chosen to serve the original.
func (s *sender) begin(w http.ResponseWriter, r *http.Request, original choice, vars map[string]any) *mirror.Copies {
	h := s.handler
	vars[h.keys.response] = w.Header() // for detach
	copies := core.Copy(h.engine, &original.Decision, r, original.client)
	delete(vars, h.keys.response)
	return copies
}

// detach returns the context of the copies of a request. It shares nothing with the request's: handlers change what they
// find there, and some of it belongs to the client's connection.
func (s *sender) detach(r *http.Request) context.Context {
	from := r.Context()
	d := &detached{vars: maps.Clone(varsOf(r)), values: make(map[string]any)}
	d.server, _ = from.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	d.original, _ = from.Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	keys := &s.handler.keys
	if header, ok := d.vars[keys.response].(http.Header); ok {
		d.response = header.Clone()
	}
	delete(d.vars, keys.response)
	if replacer, ok := from.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		for _, name := range s.values {
			if value, isKnown := replacer.Get(name); isKnown {
				d.values[name] = value
			}
		}
	}
	ctx := context.WithValue(context.Background(), detachedKey{}, d)
	return context.WithValue(ctx, http.LocalAddrContextKey, from.Value(http.LocalAddrContextKey))
}

// send sends a copy to a variant and returns the answer when it begins. The variant's handlers may go on after the copy's
// time: what there is room for bounds them too.
func (s *sender) send(variant string, r *http.Request) (*http.Response, error) {
	d, ok := r.Context().Value(detachedKey{}).(*detached)
	if !ok {
		return nil, errCopyUnanswered
	}
	select {
	case s.running <- struct{}{}:
	default:
		return nil, errCopiesBusy
	}
	w := newCopyWriter(d.response)
	// To reverse_proxy a request that was canceled is no failure of the upstream, and one that took too long is.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	stop := context.AfterFunc(r.Context(), func() {
		w.giveUp()
		cancel()
	})
	go func() {
		defer func() {
			stop()
			cancel()
			<-s.running
		}()
		w.finish(s.serve(w, d.prepare(r.WithContext(ctx), w), variant))
	}()
	select {
	case response := <-w.answer:
		return response.Response, response.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// prepare makes a copy a request of Caddy's HTTP server with variables and placeholders of its own.
func (d *detached) prepare(r *http.Request, w http.ResponseWriter) *http.Request {
	replacer := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, replacer, w, d.server)
	vars := varsOf(r)
	began := vars["start_time"]
	maps.Copy(vars, d.vars) // two copies may have been made of one request
	vars["start_time"] = began
	replacer.Map(func(key string) (any, bool) {
		value, ok := d.values[key]
		return value, ok
	})
	// In place, because that is the request which the replacer knows.
	*r = *r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, d.original))
	return r
}

// serve lets a variant answer a copy. A panic becomes an error: it would end the process.
func (s *sender) serve(w http.ResponseWriter, r *http.Request, variant string) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("panic: %v", thrown)
			if thrown != http.ErrAbortHandler { //nolint:errorlint // what is thrown to abort is this
				s.handler.log.Error("a variant broke on a copy, no client noticed: " + err.Error())
			}
		}
	}()
	h := s.handler
	index := slices.Index(h.engine.Variants(), variant)
	o := &observer{told: told{Decision: core.Decision{Variant: variant, Index: index, Reason: byMirror}, keys: &h.keys}, request: r}
	vars := varsOf(r)
	if h.variants[index].pooled {
		client, _ := vars[caddyhttp.ClientIPVarKey].(string)
		picked := pick(h.pool.pools, index, h.pool.proxy.Upstreams, r, client, nil)
		if picked.Upstream < 0 || picked.Variant != index {
			return errCopyUnreachable
		}
		o.told.turn = &turn{handler: h, observer: o, client: client, upstream: picked.Upstream, stays: true}
	}
	vars["rollout_variant"] = variant
	vars[h.keys.told] = &o.told
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		replacer.Map(h.keys.placeholders(r))
	}
	unanswered := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errCopyUnanswered })
	return h.serve(w, r, unanswered, o.told.Decision, vars)
}
