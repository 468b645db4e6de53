package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// served is a variant ready to serve.
type served struct {
	name     any                           // boxed once for all requests
	chain    caddyhttp.Handler             // the routes, compiled; nil if the handlers below are all there is to them
	handlers []caddyhttp.MiddlewareHandler // in their order
	aside    bool                          // whether the handlers work on a copy of the request
	pooled   bool                          // whether it is the shared proxy that serves
}

// newServed returns the variant of that name with provisioned routes, and next after them.
func newServed(name string, routes caddyhttp.RouteList, next caddyhttp.Handler, traced bool) served {
	handlers, ok := unconditional(routes)
	if !ok || traced { // Caddy traces the handlers that it compiles
		return served{name: name, chain: routes.Compile(next)}
	}
	return served{name: name, handlers: handlers, aside: len(handlers) == 1 && isPlainProxy(handlers[0])}
}

// isPlainProxy reports whether a handler is a reverse_proxy, without routes of its own for the upstream's response.
func isPlainProxy(handler caddyhttp.MiddlewareHandler) bool {
	proxy, ok := handler.(*reverseproxy.Handler)
	return ok && len(proxy.HandleResponse) == 0
}

// unconditional returns the handlers of provisioned routes that serve every request, such as a variant's only
// reverse_proxy. ok is false if any route has matchers or the like: then Caddy's own Compile is needed, which leaves a
// good part of its work to each request.
func unconditional(routes caddyhttp.RouteList) (handlers []caddyhttp.MiddlewareHandler, ok bool) {
	for _, route := range routes {
		if len(route.MatcherSets) > 0 || route.Group != "" || route.Terminal {
			return nil, false
		}
		handlers = append(handlers, route.Handlers...)
	}
	return handlers, true
}

// run runs the handlers, each of which may go on with the one after it, and the last with next.
func run(handlers []caddyhttp.MiddlewareHandler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if len(handlers) == 0 {
		return next.ServeHTTP(w, r)
	}
	for _, handler := range slices.Backward(handlers[1:]) {
		next = link{handler, next}
	}
	return handlers[0].ServeHTTP(w, r, next)
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
