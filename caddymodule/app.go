package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/store"
)

func init() {
	caddy.RegisterModule(new(App))
}

const appID = "rollouts"

// inForce is the app of the configuration in force; nil if that has none.
var inForce atomic.Pointer[App]

// takeOver is how often is looked whether a configuration is in force: from the start of an app to that it is a moment.
const takeOver = 10 * time.Millisecond

// awaiting counts the apps that are about to be in force.
var awaiting atomic.Int64

// memories holds what rollouts remember, by name, for as long as some configuration has a rollout of that name.
var memories = caddy.NewUsagePool()

// memory is what memories holds.
type memory struct{ live *core.Live }

// Destruct lets a rollout be forgotten that no configuration has any more.
func (memory) Destruct() error { return nil }

// App keeps one engine for every rollout of a configuration and runs its background work. Rollouts create it, so it needs
// to be configured only where this says something that is not the default.
//
// It emits these events, with the data `id`, `time`, `rollout`, `revision`, `epoch`, `state`, `step`, `cause` and `reason`,
// and `figures` if there are any:
//
// Event | When
// ------|------
// `rollout_promotion` | Before a candidate is promoted. A handler that aborts the event keeps it from being promoted
// `rollout_<event>` | After each event of a plan: `rollout_started`, `rollout_step_advanced`, `rollout_promoted`, `rollout_rolled_back`, ...
type App struct {
	// Store is where the state of plans is kept: how far each rollout has come. Empty: Caddy's storage.
	Store core.Store `json:"store,omitzero"`

	// Prometheus is the server that prometheus() asks in the checks of plans. Empty: prometheus() is an error.
	Prometheus core.Prometheus `json:"prometheus,omitzero"`

	// Notify are those who are told what happens to any rollout, beside those that the rollout names itself. Empty: nobody
	// is.
	Notify []core.Notify `json:"notify,omitempty"`

	// Member is the name that this Caddy goes by in what it tells others. Empty: none; among gateways that share a store
	// that of its machine.
	Member string `json:"member,omitempty"`

	ctx       caddy.Context
	own       *storage // Caddy's
	opened    *opened  // the store that is configured, with its key in stores
	openedAs  string
	store     store.Store // nil: memory
	storeName string
	events    *caddyevents.App

	mu       sync.Mutex
	rollouts map[string]*rollout // by name; guarded by mu
	ended    context.Context     // when the app is stopped
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// rollout is one engine with the specification that it was compiled from.
type rollout struct {
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

// Provision opens the store, and shows what the rollouts count among Caddy's metrics. Every configuration has a registry of
// its own, and an app of its own in it, so a rollout is shown for as long as the configuration has it.
func (a *App) Provision(ctx caddy.Context) error {
	if err := core.Join(a.check()); err != nil {
		return err
	}
	warnOfShownSecrets(a.common(), ctx.Logger())
	a.ctx = ctx
	a.ended, a.stop = context.WithCancel(context.Background())
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = events.(*caddyevents.App)
	if err := a.openStore(); err != nil {
		return err
	}
	return ctx.GetMetricsRegistry().Register(metrics{a})
}

// common returns what the rollouts have in common, as the configuration of one.
func (a *App) common() core.Config {
	return core.Config{Store: a.Store, Prometheus: a.Prometheus, Notify: a.Notify, Member: a.Member}
}

// check returns what is wrong with what the rollouts have in common.
func (a *App) check() []core.Problem {
	problems := core.CheckStore(a.Store, core.Host{Store: new(storage)})
	config := a.common()
	config.Name, config.Variants = appID, []core.Variant{{Name: appID}}
	return append(problems, core.Check(config, core.Host{})...)
}

// host returns what the rollouts have in common, for one of them.
func (a *App) host(name string) core.Host {
	common := resolved(a.common())
	return core.Host{
		Store: a.store, StoreName: a.storeName, Secrets: a.secrets(), Prometheus: common.Prometheus, Notify: common.Notify, Member: common.Member,
		Gateway: gatewayName(),
		Veto:    a.veto(name), Listen: a.listen(name),
	}
}

// gatewayName says which Caddy this is.
func gatewayName() string {
	version, _ := caddy.Version()
	return "caddy " + version
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
	compiled := &rollout{live: live, engine: engine, specification: specification}
	a.rollouts[name] = compiled
	return compiled, nil
}

var errDifferent = errors.New("has this name and is configured differently: make them equal, or give one another name")

// Start runs the background work of every rollout, as soon as the configuration is the one in force: Caddy may still
// reject it, and then nothing has happened.
func (a *App) Start() error {
	awaiting.Add(1)
	a.running.Go(func() {
		defer awaiting.Add(-1)
		if !a.awaitForce() {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, r := range a.rollouts {
			r.engine.Begin()
		}
		inForce.Store(a) // and the app before may end
		for _, r := range a.rollouts {
			a.running.Go(func() { r.engine.Run(a.ended) })
		}
	})
	return nil
}

// awaitForce reports whether the app's configuration has become the one in force, before the app was stopped.
func (a *App) awaitForce() bool {
	ticker := time.NewTicker(takeOver)
	defer ticker.Stop()
	for {
		if active := caddy.ActiveContext(); active.Context != nil && active.Done() == a.ctx.Done() {
			a.opened.log.Store(a.ctx.Slogger())
			return true
		}
		select {
		case <-a.ended.Done():
			return false
		case <-ticker.C:
		}
	}
}

// Stop ends the background work. It lets the app that comes next, if there is one, take over first: that is a matter of
// milliseconds, in which nobody would know of any rollout, and other gateways would hear that this one has gone.
func (a *App) Stop() error {
	for range 100 {
		if inForce.Load() != a || awaiting.Load() == 0 {
			break
		}
		time.Sleep(takeOver)
	}
	a.stop()
	a.running.Wait()
	inForce.CompareAndSwap(a, nil)
	return nil
}

// Cleanup lets go of what the rollouts remember, unless another configuration still holds it.
func (a *App) Cleanup() error {
	if a.stop != nil {
		a.stop()
	}
	if err := a.closeStore(); err != nil {
		return err
	}
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
