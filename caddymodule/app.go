package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core"
)

func init() {
	caddy.RegisterModule(new(App))
}

const appID = "rollouts"

// memories holds what rollouts remember, by name, for as long as some configuration has a rollout of that name.
var memories = caddy.NewUsagePool()

// memory is what memories holds.
type memory struct{ live *core.Live }

// Destruct lets a rollout be forgotten that no configuration has any more.
func (memory) Destruct() error { return nil }

// App keeps one engine for every rollout of a configuration and runs its background work. Rollouts create it; it needs
// no configuration of its own.
type App struct {
	mu       sync.Mutex
	rollouts map[string]*rollout // by name; guarded by mu
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// rollout is one engine with the specification that it was compiled from.
type rollout struct {
	config        core.Config // as it was written
	live          *core.Live
	engine        *core.Engine
	pool          *pool // nil if no variant needs it, or no handler was provisioned yet
	specification string
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appID,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision shows what the rollouts count among Caddy's metrics. Every configuration has a registry of its own, and an
// app of its own in it, so a rollout is shown for as long as the configuration has it.
func (a *App) Provision(ctx caddy.Context) error {
	return ctx.GetMetricsRegistry().Register(metrics{a})
}

// rollout returns the rollout of a configuration's name. The first handler of that name compiles it; the others must have
// the same specification and share it. Nothing that an older configuration uses is changed: this one may still be
// rejected.
func (a *App) rollout(config core.Config, specification string, compile func(*core.Live) (*core.Engine, error)) (*rollout, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := config.Name
	if known, ok := a.rollouts[name]; ok {
		if known.specification != specification {
			return nil, fmt.Errorf("another rollout %w", errDifferent)
		}
		return known, nil
	}
	value, _, err := memories.LoadOrNew(name, func() (caddy.Destructor, error) { return memory{live: core.NewLive()}, nil })
	if err != nil {
		return nil, err
	}
	live := value.(memory).live
	engine, err := compile(live)
	if err != nil {
		_, _ = memories.Delete(name) // Destruct never fails
		return nil, err
	}
	if a.rollouts == nil {
		a.rollouts = make(map[string]*rollout)
	}
	compiled := &rollout{config: config, live: live, engine: engine, specification: specification}
	a.rollouts[name] = compiled
	return compiled, nil
}

var errDifferent = errors.New("has this name and is configured differently: make them equal, or give one another name")

// Start runs the background work of every rollout.
func (a *App) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.rollouts {
		a.running.Go(func() { r.engine.Run(ctx) })
	}
	return nil
}

// Stop ends the background work.
func (a *App) Stop() error {
	if a.cancel != nil {
		a.cancel()
	}
	a.running.Wait()
	return nil
}

// Cleanup lets go of what the rollouts remember, unless another configuration still holds it.
func (a *App) Cleanup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.rollouts {
		if _, err := memories.Delete(name); err != nil {
			return err
		}
	}
	a.rollouts = nil
	return nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ caddy.Destructor   = memory{}
)
