package traefikplugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/store"
)

// keep is how long a rollout is remembered after the last router that used it.
const keep = 60 * time.Second

// rollouts are all rollouts of this Traefik. The interpreter, and with it this variable, outlives every reload.
var rollouts = &registry{byName: map[string]*remembered{}}

// registry remembers rollouts by name.
type registry struct {
	mu     sync.Mutex
	byName map[string]*remembered // guarded by mu
	timed  bool                   // a timer will look for rollouts to forget; guarded by mu
	warned string                 // the control that was last warned of; guarded by mu
}

// remembered is what outlives a configuration: the live state, and the rollout as it was configured last.
type remembered struct {
	live      *core.Live
	upstreams *memory
	current   *rollout
	instances []context.Context // of the middlewares that use current; they end one by one
	ended     time.Time         // when the last of them was seen to have ended; zero while some run
}

// rollout is one configuration of a rollout, shared by all middlewares that are configured so.
type rollout struct {
	specification string
	engine        *core.Engine
	trusted       []netip.Prefix
	clientHeader  string
	proxy         *proxy // nil in service mode
	store         store.Store
	storeName     string // tells the store from others
	openedAs      string // what the store is configured with
	stop          context.CancelFunc
}

// join returns the rollout of a configuration for a middleware that lives until ctx ends. Middlewares of one name that
// live at the same time must be configured equally.
func (g *registry) join(ctx context.Context, config core.Config, host core.Host) (*rollout, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	specification := fmt.Sprintf("%+v", config)
	known := g.byName[config.Name]
	if known != nil {
		known.drop(time.Now())
		if known.current.specification == specification {
			known.add(ctx, g)
			return known.current, nil
		}
		if len(known.instances) > 0 {
			return nil, fmt.Errorf("rollout %q: another middleware has this name and is configured differently: make them equal, or give one another name", config.Name)
		}
	}
	before := known
	if known == nil {
		known = &remembered{live: core.NewLive(), upstreams: &memory{}}
	}
	problems := g.openStore(config.Store, &host)
	if host.Store != nil { // asking none what it is panics where this is interpreted
		if _, shared := host.Store.(store.Members); shared {
			host.Secrets = host.Store
		}
	}
	made, err := newRollout(config, known, host, problems)
	if err != nil {
		return nil, fmt.Errorf("rollout %q:\n%w", config.Name, err)
	}
	if before != nil {
		before.current.end()
	}
	g.byName[config.Name] = known
	known.current = made
	known.add(ctx, g)
	return made, nil
}

// running returns what is known of every rollout that somebody uses, or used until a moment ago, by name.
func (g *registry) running() map[string]*core.Live {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make(map[string]*core.Live, len(g.byName))
	for name, known := range g.byName {
		list[name] = known.live
	}
	return list
}

// warnOfControl warns of a configuration of control once, and not again for every router and reload.
func (g *registry) warnOfControl(config core.Config, log *slog.Logger) {
	g.mu.Lock()
	defer g.mu.Unlock()
	specification := fmt.Sprintf("%+v", config)
	if g.warned == specification {
		return
	}
	g.warned = specification
	for _, warning := range shownSecrets(config) {
		log.Warn(warning)
	}
}

// openStore gives the host the store of a configuration: the one that other rollouts have opened with the same already,
// if there are any. Caller holds the registry's mutex.
func (g *registry) openStore(config core.Store, host *core.Host) []core.Problem {
	specification := fmt.Sprintf("%+v", config)
	for _, other := range g.byName {
		if other.current.openedAs == specification {
			host.Store = other.current.store
			host.StoreName = other.current.storeName
			return nil
		}
	}
	log := host.Log
	opened, name, problems := core.OpenStore(config, core.Host{CamelCase: true}, func(fault error) { log.Error("the store of rollouts", "error", fault) })
	host.Store = opened
	host.StoreName = name
	return problems
}

// add counts a middleware in. Caller holds the registry's mutex.
func (k *remembered) add(ctx context.Context, g *registry) {
	k.instances = append(k.instances, ctx)
	k.ended = time.Time{}
	context.AfterFunc(ctx, g.left)
}

// drop counts out the middlewares that have ended. Caller holds the registry's mutex.
func (k *remembered) drop(now time.Time) {
	var running []context.Context
	for _, ctx := range k.instances {
		if ctx.Err() == nil {
			running = append(running, ctx)
		}
	}
	k.instances = running
	if len(running) == 0 && k.ended.IsZero() {
		k.ended = now
	}
}

// left runs when a middleware has ended.
func (g *registry) left() { g.forget(time.Now()) }

// forget drops the rollouts that nobody has used for a while, and has a timer come back for the next.
func (g *registry) forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := time.Duration(0)
	for name, known := range g.byName {
		known.drop(now)
		if len(known.instances) > 0 {
			continue
		}
		wait := keep - now.Sub(known.ended)
		if wait <= 0 {
			known.current.end()
			delete(g.byName, name)
		} else if next == 0 || wait < next {
			next = wait
		}
	}
	if next > 0 && !g.timed {
		g.timed = true
		time.AfterFunc(next, g.elapsed)
	}
}

func (g *registry) elapsed() {
	g.mu.Lock()
	g.timed = false
	g.mu.Unlock()
	g.forget(time.Now())
}

// end stops what runs for a configuration, and lets go of what it is made of: the interpreter keeps, for every function
// value, the variables of all who called where it was made, and with join's variables the rollout before. Unless that is
// empty, each configuration would hold all before it. Handlers that still serve have what they need.
func (r *rollout) end() {
	r.stop()
	r.engine = nil
	r.proxy = nil
}

// newRollout compiles a configuration and starts its background work, unless there are problems.
func newRollout(config core.Config, known *remembered, host core.Host, problems []core.Problem) (*rollout, error) {
	host.LeadsOnly = !proxies(config)
	made := &rollout{specification: fmt.Sprintf("%+v", config), store: host.Store, storeName: host.StoreName, openedAs: fmt.Sprintf("%+v", config.Store)}
	read, others := readOwn(config, false)
	problems = append(problems, others...)
	made.trusted = read.trusted
	made.clientHeader = read.clientHeader
	var copies *copier
	if read.settings != nil {
		host.Copy = func(variant string, r *http.Request) (*http.Response, error) {
			response, err := copies.send(variant, r)
			return response, err
		}
	}
	engine, err := core.Compile(config, known.live, host)
	if len(problems) > 0 {
		return nil, errors.Join(err, core.Join(problems))
	}
	if err != nil {
		return nil, err
	}
	made.engine = engine
	ctx, cancel := context.WithCancel(context.Background())
	made.stop = cancel
	if read.settings != nil {
		made.proxy = newProxy(ctx, read.settings, engine, known.upstreams, host.Log)
		copies = newCopier(ctx, made.proxy, &clients{trusted: made.trusted, header: made.clientHeader})
	}
	for _, warning := range warnings(config) {
		host.Log.Warn(warning, "rollout", config.Name)
	}
	engine.Begin()
	go engine.Run(ctx)
	return made, nil
}
