package caddymodule

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

func init() {
	caddy.RegisterModule(new(heard))
}

// hearers are what handlers of events do, by name.
var hearers sync.Map

// heard is a handler of Caddy's events that does what a test says.
type heard struct {
	Hearer string `json:"hearer,omitempty"`
}

func (*heard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.heard", New: func() caddy.Module { return new(heard) }}
}

func (h *heard) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&h.Hearer) {
		return d.ArgErr()
	}
	return nil
}

func (h *heard) Handle(_ context.Context, e caddy.Event) error {
	hearer, ok := hearers.Load(h.Hearer)
	if !ok {
		return fmt.Errorf("nobody called %q hears", h.Hearer)
	}
	return hearer.(func(caddy.Event) error)(e)
}

var (
	_ caddyevents.Handler   = (*heard)(nil)
	_ caddyfile.Unmarshaler = (*heard)(nil)
)
