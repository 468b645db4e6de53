package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// RunConfig has this process serve a Caddyfile, until stop is called.
func RunConfig(caddyfile []byte) (stop func() error, err error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, nil)
	if err != nil {
		return nil, fmt.Errorf("adapting the Caddyfile: %w", err)
	}
	if err := caddy.Load(config, true); err != nil {
		return nil, err
	}
	return caddy.Stop, nil
}
