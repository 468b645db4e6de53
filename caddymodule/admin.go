package caddymodule

import (
	"context"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin shows and commands the rollouts of the configuration in force, at /rollouts of Caddy's admin endpoint: see package
// control.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.rollouts",
		New: func() caddy.Module { return new(Admin) },
	}
}

// Routes returns the routes of the admin endpoint.
func (*Admin) Routes() []caddy.AdminRoute {
	handler := control.Handler(running)
	serve := caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		serveWhileInForce(handler, w, r)
		return nil
	})
	return []caddy.AdminRoute{{Pattern: "/rollouts", Handler: serve}, {Pattern: "/rollouts/", Handler: serve}}
}

// running returns the rollouts of the configuration in force, by name. That is asked with every request: after a reload
// that failed, the admin endpoint is that of the configuration which was rejected.
func running() map[string]*core.Live {
	app := inForce.Load()
	if app == nil {
		return nil
	}
	app.mu.Lock()
	rollouts := maps.Clone(app.rollouts)
	app.mu.Unlock()
	live := make(map[string]*core.Live, len(rollouts))
	for name, r := range rollouts {
		live[name] = r.live
	}
	return live
}

// serveWhileInForce answers a request. What only looks, as a stream of events does, ends with the configuration, whose
// admin endpoint waits for it: clients of streams come back.
func serveWhileInForce(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	app := inForce.Load()
	if app == nil || r.Method == http.MethodPost {
		handler.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(app.ended, cancel)()
	handler.ServeHTTP(w, r.WithContext(ctx))
}

// Interface guard
var _ caddy.AdminRouter = (*Admin)(nil)
