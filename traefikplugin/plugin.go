// Package traefikplugin is the Traefik host of Grayling: a middleware plugin that Traefik interprets with Yaegi.
//
// A rollout whose variants have upstreams is in proxy mode: the plugin proxies to them itself, with any provider of
// Traefik. A rollout whose variants have none is in service mode: the plugin announces its decision in a request header,
// and child routers (parentRefs) that match the header lead to Traefik's own services. The base's child router matches
// no header and has a lower priority, so whatever is wrong ends there.
//
// A middleware that is configured with control alone is no rollout: it answers who sees and commands all of them.
package traefikplugin

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// CreateConfig returns an empty configuration for Traefik to fill.
func CreateConfig() *core.Config { return &core.Config{} }

// New returns the middleware for one router. Traefik calls it for every router that uses the middleware and again at
// every reload, until ctx ends; all that are configured equally share one rollout. The error holds everything that is
// wrong with the configuration at once.
func New(ctx context.Context, next http.Handler, config *core.Config, middleware string) (http.Handler, error) {
	return NewFor(ctx, next, config, middleware, core.Host{})
}

// NewFor is New with conditions of the caller's own: another plugin may build upon this one.
func NewFor(ctx context.Context, next http.Handler, config *core.Config, middleware string, host core.Host) (http.Handler, error) {
	host.CamelCase = true
	host.Address = checkAddress
	host.Remember = true
	host.Gateway = gatewayName()
	if host.Log == nil {
		host.Log = logger(middleware)
	}
	if commands(*config) {
		commander, err := newCommander(ctx, *config, rollouts, host.Log)
		if err != nil {
			return nil, err
		}
		return commander, nil
	}
	rollout, err := rollouts.join(ctx, asWritten(*config), host)
	if err != nil {
		return nil, err
	}
	clients := &clients{trusted: rollout.trusted, header: rollout.clientHeader}
	tells := rollout.engine.ResponseHeader() != "" || rollout.engine.AsksStatus()
	if rollout.proxy != nil {
		mode := &proxyMode{engine: rollout.engine, proxy: rollout.proxy, clients: clients, tells: tells, mirrors: rollout.engine.Mirrors()}
		mode.proxy.upstreams.wait()
		return mode, nil
	}
	mode := &serviceMode{engine: rollout.engine, clients: clients, next: next, tells: tells}
	observe := rollout.engine.Observes() || tells
	switch {
	case rollout.engine.Mirrors():
		return &mirroredService{serviceMode: mode, observe: observe}, nil
	case observe:
		return &observedService{serviceMode: mode}, nil
	}
	return mode, nil
}

// gatewayName says which Traefik this is, as far as its program knows: one that was built from a checkout without a tag does not.
func gatewayName() string {
	info, known := debug.ReadBuildInfo()
	if !known || !strings.HasPrefix(info.Main.Path, "github.com/traefik/traefik/") || !strings.HasPrefix(info.Main.Version, "v") {
		return "traefik"
	}
	version, _, _ := strings.Cut(info.Main.Version, "+")
	return "traefik " + version
}
