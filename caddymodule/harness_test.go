package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// load provisions a rollout outside of any server, from JSON. What it holds is let go of when the test ends.
func load(t testing.TB, config string) (*Handler, error) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(ctx)
	module, err := ctx.LoadModuleByID("http.handlers.rollout", []byte(config))
	if err != nil {
		cancel()
		return nil, err
	}
	t.Cleanup(cancel)
	return module.(*Handler), nil
}
