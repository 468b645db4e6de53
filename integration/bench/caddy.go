package main

import (
	"context"
	_ "embed"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed Caddyfile
var caddyfile string

// caddyConfigurations are the sites of the Caddyfile.
var caddyConfigurations = []configuration{
	{name: "plain", about: "Caddy: reverse_proxy"},
	{name: "plain-again", about: "the same, for comparison", to: "plain"},
	{name: "rollout", about: "rollout: 4 rules, cookie key, 90/10", to: "plain", moved: 0.1, rules: true},
	{name: "rollout-unobserved", about: "the same with observe off", to: "plain", moved: 0.1, rules: true},
	{name: "rollout-canary", about: "the same at 100%: every request may fall back", to: "plain", moved: 1},
	{name: "builtin", about: "4 matchers, handle, weighted_round_robin 9 1", to: "plain", moved: 0.1, rules: true},
	{name: "builtin-lax", about: "the same, looking for a part of the Cookie header", to: "plain", moved: 0.1, rules: true},
	{name: "caddy-mirror-0", about: "rollout: cookie key, mirror 0%", to: "plain"},
	{name: "caddy-mirror-10", about: "the same, mirror 10%", to: "plain", copied: 0.1, copies: "COPIES"},
	{name: "caddy-mirror-100", about: "the same, mirror 100%", to: "plain", copied: 1, copies: "COPIES"},
	{name: "caddy-mirror-compared", about: "the same, comparing status and json", to: "plain", copied: 1, copies: "COPIES"},
	{name: "policy-builtin", about: "reverse_proxy, weighted_round_robin 9 1", moved: 0.1},
	{name: "policy", about: "reverse_proxy, lb_policy rollout, weights 9 and 1", to: "policy-builtin", moved: 0.1},
	{name: "pool", about: "rollout with one pool, weights 9 and 1", to: "policy-builtin", moved: 0.1},
}

func (b *bench) measureCaddy(ctx context.Context, s *setting, results []result) error {
	s.metrics = metrics{addr: "admin", counter: "caddy_http_requests_total"}
	s.metrics.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "admin"))
	}}
	return b.measure(ctx, s, caddyConfigurations, func() *exec.Cmd {
		cmd := s.command(ctx, b.caddy, "run", "--config", "-", "--adapter", "caddyfile")
		cmd.Stdin = strings.NewReader(caddyfile)
		return cmd
	}, results)
}
