package main

import (
	"context"
	_ "embed"
	"os"
	"strconv"
	"strings"
)

//go:embed Caddyfile
var caddyfile string

// caddyConfigurations are the sites of the Caddyfile.
var caddyConfigurations = []configuration{
	{name: "plain", about: "reverse_proxy"},
	{name: "plain-again", about: "the same, for comparison", to: "plain"},
	{name: "rollout", about: "rollout: 4 rules, cookie key, 90/10", to: "plain", moved: 0.1},
	{name: "rollout-unobserved", about: "the same with observe off", to: "plain", moved: 0.1},
	{name: "rollout-canary", about: "the same at 100%: every request may fall back", to: "plain", moved: 1},
	{name: "builtin", about: "4 matchers, handle, weighted_round_robin 9 1", to: "plain", moved: 0.1},
	{name: "builtin-lax", about: "the same, looking for a part of the Cookie header", to: "plain", moved: 0.1},
	{name: "plain-logged", about: "reverse_proxy, access log"},
	{name: "rollout-logged", about: "rollout, access log", to: "plain-logged", moved: 0.1},
	{name: "builtin-logged", about: "4 matchers ..., access log", to: "plain-logged", moved: 0.1},
}

// startCaddy runs one Caddy with all configurations: two processes of one program differ by some percent, because where
// their memory lies is left to chance.
func startCaddy(ctx context.Context, binary, dir string, upstreams []string) (*process, []configuration, error) {
	configurations := append([]configuration(nil), caddyConfigurations...)
	ports, err := freePorts(len(configurations) + 1)
	if err != nil {
		return nil, nil, err
	}
	cmd := program(ctx, binary, "run", "--config", "-", "--adapter", "caddyfile")
	cmd.Stdin = strings.NewReader(caddyfile)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		"FIRST="+upstreams[0], "SECOND="+upstreams[1], "ADMIN="+address(ports[len(configurations)]))
	for i := range configurations {
		c := &configurations[i]
		c.addr = address(ports[i])
		cmd.Env = append(cmd.Env, strings.ToUpper(strings.ReplaceAll(c.name, "-", "_"))+"="+strconv.Itoa(ports[i]))
	}
	p, err := start(cmd)
	if err != nil {
		return nil, nil, err
	}
	for i := range configurations {
		configurations[i].gateway = p
		if err := p.listens(configurations[i].addr); err != nil {
			p.stop()
			return nil, nil, err
		}
	}
	return p, configurations, nil
}
