package caddymodule

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/store"
)

// stores holds the stores that are not Caddy's storage, by what they are configured with: one outlives a reload that does
// not change it, with its connections and its lease, and all rollouts share it.
var stores = caddy.NewUsagePool()

// opened is what stores holds.
type opened struct {
	store store.Store // nil: memory
	name  string
	seen  sightings                   // in Caddy's storage, if that is the store
	log   atomic.Pointer[slog.Logger] // of the app that was provisioned or in force last
}

// Destruct needs to close nothing: a store that nobody uses does nothing.
func (*opened) Destruct() error { return nil }

// openStore opens the store that is configured.
func (a *App) openStore() error {
	log := a.ctx.Slogger()
	a.own = &storage{in: a.ctx.Storage(), report: func(fault error) { log.Error("the state of rollouts", "error", fault) }}
	config := resolvedStore(a.Store, caddy.NewReplacer())
	key := fmt.Sprintf("%+v", config)
	value, _, err := stores.LoadOrNew(key, func() (caddy.Destructor, error) {
		o := &opened{}
		var problems []core.Problem
		report := func(fault error) { o.log.Load().Error("the state of rollouts", "error", fault) }
		o.store, o.name, problems = core.OpenStore(config, core.Host{Store: a.own}, report)
		return o, core.Join(problems)
	})
	if err != nil {
		return err
	}
	a.opened, a.openedAs = value.(*opened), key
	a.opened.log.CompareAndSwap(nil, log)
	a.store, a.storeName = a.opened.store, a.opened.name
	if _, is := a.store.(*storage); is { // which a configuration loads anew
		a.own.seen = &a.opened.seen
		a.store, a.storeName = a.own, a.own.name()
	}
	return nil
}

// secrets returns the store that keeps secrets: the one that gateways share, or else Caddy's storage.
func (a *App) secrets() store.Store {
	if _, shared := a.store.(store.Members); shared {
		return a.store
	}
	return a.own
}

// closeStore lets go of the store.
func (a *App) closeStore() error {
	if a.opened == nil {
		return nil
	}
	a.opened = nil
	_, err := stores.Delete(a.openedAs)
	return err
}
