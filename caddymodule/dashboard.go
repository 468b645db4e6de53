package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core/control"
	"github.com/grayling-gateway/grayling/dashboard"
)

func init() {
	caddy.RegisterModule(new(Dashboard))
	httpcaddyfile.RegisterHandlerDirective("rollout_dashboard", parseDashboard)
	httpcaddyfile.RegisterDirectiveOrder("rollout_dashboard", httpcaddyfile.Before, "respond")
}

// Dashboard serves a page that shows the rollouts of the configuration in force, of all its sites, and commands them. It
// asks nobody who he is: put it behind an authentication, such as basic_auth or forward_auth.
//
// The page is at every path that ends with a slash, and what it needs below that.
type Dashboard struct {
	// ReadOnly refuses commands, and shows no buttons for them. False: whoever sees the page may command.
	ReadOnly bool `json:"read_only,omitempty"`

	page http.Handler
}

// CaddyModule returns the Caddy module information.
func (*Dashboard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.rollout_dashboard",
		New: func() caddy.Module { return new(Dashboard) },
	}
}

// Provision prepares the page.
func (d *Dashboard) Provision(ctx caddy.Context) error {
	d.page = dashboard.Handler(control.Handler(running), dashboard.Options{ReadOnly: d.ReadOnly, Done: ctx.Done()})
	return nil
}

// ServeHTTP serves the page and what it needs.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	d.page.ServeHTTP(w, r)
	return nil
}

// parseDashboard reads the directive:
//
//	rollout_dashboard [<matcher>] {
//		read_only
//	}
func parseDashboard(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	d := new(Dashboard)
	err := d.UnmarshalCaddyfile(h.Dispenser)
	return d, err
}

// UnmarshalCaddyfile reads the directive, as parseDashboard says.
func (d *Dashboard) UnmarshalCaddyfile(t *caddyfile.Dispenser) error {
	t.Next() // the directive's name
	if t.NextArg() {
		return t.ArgErr()
	}
	for t.NextBlock(0) {
		if t.Val() != "read_only" {
			return t.Errf("unrecognized subdirective %q: there is read_only", t.Val())
		}
		if t.NextArg() {
			return t.ArgErr()
		}
		d.ReadOnly = true
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Dashboard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Dashboard)(nil)
	_ caddyfile.Unmarshaler       = (*Dashboard)(nil)
)
