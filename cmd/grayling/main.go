// Command grayling shows and commands the progressive rollouts of a gateway, and validates configurations of Caddy and
// Traefik.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/grayling-gateway/grayling"
	"github.com/grayling-gateway/grayling/caddymodule"
	"github.com/grayling-gateway/grayling/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	program := command.Program{Name: "grayling", Caddy: caddymodule.ValidateConfig, Rehearse: caddymodule.Rehearse, RunCaddy: caddymodule.RunConfig, Plugin: grayling.Plugin}
	err := command.New(program).ExecuteContext(ctx)
	stop()
	os.Exit(command.ExitCode(err))
}
