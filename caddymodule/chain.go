package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// compile makes provisioned routes one handler that goes on with next. Caddy's own Compile leaves a part of the work to
// each request, so that routes may have matchers and groups; a route that has neither, such as a variant's only
// reverse_proxy, is ready before.
func compile(routes caddyhttp.RouteList, next caddyhttp.Handler) caddyhttp.Handler {
	for _, route := range slices.Backward(routes) {
		if len(route.MatcherSets) > 0 || route.Group != "" || route.Terminal {
			next = caddyhttp.RouteList{route}.Compile(next)
			continue
		}
		for _, handler := range slices.Backward(route.Handlers) {
			next = link{handler, next}
		}
	}
	return next
}

// link is a handler and the one after it.
type link struct {
	handler caddyhttp.MiddlewareHandler
	next    caddyhttp.Handler
}

// ServeHTTP runs the handler.
func (l link) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	return l.handler.ServeHTTP(w, r, l.next)
}
