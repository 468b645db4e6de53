package main

import (
	"context"
	"embed"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"github.com/grayling-gateway/grayling/integration/port"
)

//go:embed routers.yml
var traefikRouters []byte

//go:embed noop/noop.go noop/.traefik.yml
var noop embed.FS

// traefikConfigurations are the routers of routers.yml.
var traefikConfigurations = []configuration{
	{name: "server", about: "Traefik: a service of one server"},
	{name: "server-again", about: "the same, for comparison", to: "server"},
	{name: "weighted", about: "weighted service, 9 to 1", to: "server", moved: 0.1},
	{name: "layers", about: "Headers middleware, child routers", to: "server", moved: 1},
	{name: "noop", about: "a plugin that does nothing", to: "server"},
	{name: "service-unobserved", about: "service mode: 4 rules, cookie key, 90/10, observe off", to: "noop", moved: 0.1, rules: true},
	{name: "service", about: "the same, observed", to: "noop", moved: 0.1, rules: true},
	{name: "mirroring-0", about: "Traefik's mirroring service, 0%", to: "server"},
	{name: "mirroring-10", about: "the same, 10%", to: "server", copied: 0.1, copies: "COPIES"},
	{name: "mirroring-100", about: "the same, 100%", to: "server", copied: 1, copies: "COPIES"},
	{name: "service-mirror-0", about: "service mode: cookie key, mirror 0%", to: "mirroring-0"},
	{name: "service-mirror-10", about: "the same, mirror 10%", to: "mirroring-10", copied: 0.1, copies: "COPIES"},
	{name: "service-mirror-100", about: "the same, mirror 100%", to: "mirroring-100", copied: 1, copies: "COPIES"},
	{name: "proxy", about: "the same rollout in proxy mode", to: "server", moved: 0.1, rules: true},
}

// startConfigurations are starts of Traefik until a router of routers.yml answers.
var startConfigurations = []configuration{
	{name: "start", about: "Traefik starts, without plugins"},
	{name: "start-noop", about: "the same with the plugin that does nothing", to: "start"},
	{name: "start-rollout", about: "the same with a rollout", to: "start"},
}

// plugin is one that Traefik finds in its directory: the name that routers know it by, and its module.
type plugin struct{ name, module string }

var (
	doesNothing = plugin{"noop", "bench.example/noop"}
	grayling    = plugin{"grayling", "github.com/grayling-gateway/grayling"}
)

func (b *bench) measureTraefik(ctx context.Context, s *setting, results []result) error {
	if err := b.install(s.dir); err != nil {
		return err
	}
	ports, err := port.Find(1)
	if err != nil {
		return err
	}
	s.metrics = metrics{addr: address(ports[0]), counter: "traefik_entrypoint_requests_total"}
	return b.measure(ctx, s, traefikConfigurations, func() *exec.Cmd {
		return b.traefikCommand(ctx, s, doesNothing, grayling)
	}, results)
}

// measureStarts lets the starts take turns.
func (b *bench) measureStarts(ctx context.Context, s *setting, results []result) error {
	if err := b.install(s.dir); err != nil {
		return err
	}
	for range b.starts {
		for i := range results {
			r := &results[i]
			var err error
			switch r.name {
			case "start":
				err = b.start(ctx, s, r, "server")
			case "start-noop":
				err = b.start(ctx, s, r, "noop", doesNothing)
			case "start-rollout":
				err = b.start(ctx, s, r, "service", grayling)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// start measures one start, until the router answers.
func (b *bench) start(ctx context.Context, s *setting, r *result, router string, plugins ...plugin) error {
	if err := s.place(router); err != nil {
		return err
	}
	p, err := s.launch(b.traefikCommand(ctx, s, plugins...))
	if err != nil {
		return err
	}
	cost, err := p.cpuTime()
	r.rounds = append(r.rounds, cost)
	if stopped := p.stop(); err == nil {
		err = stopped
	}
	return err
}

// traefikCommand is a Traefik with an entry point for every configuration that has a place.
func (b *bench) traefikCommand(ctx context.Context, s *setting, plugins ...plugin) *exec.Cmd {
	args := []string{"--global.checkNewVersion=false", "--global.sendAnonymousUsage=false", "--log.level=ERROR", "--log.noColor",
		"--providers.providersThrottleDuration=0s", "--providers.file.filename=routers.yml", "--providers.file.watch=false"}
	for name, addr := range s.addrs {
		args = append(args, "--entryPoints."+name+".address="+addr)
	}
	if s.workload.edge {
		for name := range s.addrs {
			args = append(args, "--entryPoints."+name+".http.tls=true")
		}
		args = append(args, "--accessLog=true", "--accessLog.format=json", "--accessLog.filePath="+accessLog, "--accessLog.bufferingSize=100",
			"--metrics.prometheus=true", "--entryPoints.metrics.address="+s.metrics.addr, "--metrics.prometheus.entryPoint=metrics")
	}
	for _, p := range plugins {
		args = append(args, "--experimental.localPlugins."+p.name+".moduleName="+p.module)
	}
	cmd := s.command(ctx, b.traefik, args...)
	cmd.Stdout = cmd.Stderr // where it logs
	return cmd
}

// install writes what Traefik reads into the directory that it runs in. It is a copy: what is edited meanwhile is not
// measured.
func (b *bench) install(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "routers.yml"), traefikRouters, 0o600); err != nil {
		return err
	}
	source := filepath.Join(dir, "plugins-local", "src")
	if err := os.CopyFS(filepath.Join(source, path.Dir(doesNothing.module)), noop); err != nil {
		return err
	}
	own := filepath.Join(source, grayling.module)
	for _, part := range []string{"core", "traefikplugin"} {
		if err := os.CopyFS(filepath.Join(own, part), os.DirFS(filepath.Join(b.plugin, part))); err != nil {
			return err
		}
	}
	const manifest = ".traefik.yml"
	text, err := os.ReadFile(filepath.Join(b.plugin, manifest))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(own, manifest), text, 0o600)
}
