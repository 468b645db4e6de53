package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core/replay"
)

// worthAnother reports whether the base might do better: an error below 500 is the variant's answer.
func worthAnother(err error) bool { return errorStatus(err) >= http.StatusInternalServerError }

// attempt is what a request and its response looked like before a variant tried: its handlers may have changed both
// before they failed.
type attempt struct {
	request  http.Request
	url      url.URL
	response http.Header
	body     *replay.Body // nil if the request has none

	// What follows is nil if the handlers leave it alone.
	vars   map[string]any
	groups map[string]struct{}
}

// save remembers request and response header, and makes the body one that can be sent again. aside tells that the
// variant's handlers work on a copy of the request.
func save(w http.ResponseWriter, r *http.Request, aside bool) *attempt {
	a := &attempt{request: *r, url: *r.URL, response: w.Header().Clone()}
	if !aside {
		a.vars, a.groups = maps.Clone(varsOf(r)), maps.Clone(groupsOf(r))
		a.request.Header = r.Header.Clone()
	}
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		a.body = replay.NewBody(r.Body)
		r.Body = a.body
	}
	return a
}

// restore undoes what was changed since. It reports false, and changes nothing, if the request cannot be sent again:
// the client is gone, or too much of its body is.
func (a *attempt) restore(w http.ResponseWriter, r *http.Request) bool {
	if r.Context().Err() != nil {
		return false
	}
	body := a.request.Body
	if a.body != nil {
		if body = a.body.Again(); body == nil {
			return false
		}
	}
	// The failed attempt may still be dialing in the background, and reads the variables, which no lock guards: so the
	// request gets others, and keeps its place, because others hold it.
	vars := a.vars
	if vars == nil {
		vars = maps.Clone(varsOf(r))
	}
	*r = *a.request.WithContext(context.WithValue(a.request.Context(), caddyhttp.VarsCtxKey, vars))
	*r.URL = a.url
	r.Body = body
	refill(w.Header(), a.response)
	if a.groups != nil {
		refill(groupsOf(r), a.groups)
	}
	return true
}

// refill gives a map, which others hold, the content of another.
func refill[M ~map[K]V, K comparable, V any](m, content M) {
	clear(m)
	maps.Copy(m, content)
}

// varsOf returns the request's variables, or nil if it is none of Caddy's HTTP server.
func varsOf(r *http.Request) map[string]any {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	return vars
}

// groupsOf returns the groups of routes, such as the handle blocks of a site, of which the request took one already: the
// others of a group are passed over, and a second attempt would find nothing left that answers. Caddy keeps them under a
// key that it does not export.
func groupsOf(r *http.Request) map[string]struct{} {
	groups, _ := r.Context().Value(caddy.CtxKey("route_group")).(map[string]struct{})
	return groups
}
