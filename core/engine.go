package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/geo"
	"github.com/grayling-gateway/grayling/core/identity"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/watch"
)

// Host is what a gateway contributes to an engine. The zero Host contributes nothing.
type Host struct {
	// Placeholder returns a named value that the gateway knows of a request. Nil: placeholder() is an error.
	Placeholder func(r *http.Request, name string) (string, bool)

	// Conditions holds, by the names of rules, conditions that the gateway evaluates itself, such as matchers of its
	// own configuration. Such a rule has no When. A condition that panics makes the base serve.
	Conditions map[string]func(r *http.Request) bool

	// Handles names the variants that the gateway reaches in a way of its own, such as a block of its configuration: they
	// have no pool.
	Handles map[string]bool

	// Secrets is the store that keeps the secret for the cookies of rollouts that name none; it is made by who needs it
	// first. Nil: such a rollout is an error.
	Secrets store.Store

	// Address returns what is wrong with the address of an upstream. Nil: nothing ever is.
	Address func(address string) error

	// Geo returns the gateway's own reader of a database, or nil where the engine's is to read it. Nil: it always is.
	Geo func(content []byte, database *geo.Database) (geo.Lookup, error)

	// CamelCase tells that the gateway's users write keys as fallbackMethods and not as fallback_methods.
	CamelCase bool

	// Store keeps the state of the rollout, so that it outlives the process, and StoreName tells that store from any other.
	// Nil: the state lives as long as the Live.
	Store     store.Store
	StoreName string

	// Prometheus, Notify and Member are what all rollouts of the gateway have in common, where it has a place of its own
	// for that: see the fields of [Config] with these names.
	Prometheus Prometheus
	Notify     []Notify
	Member     string

	// Gateway is what the gateway is, such as "caddy v2.11.4", for people who look at several.
	Gateway string

	// Veto is asked before a candidate is promoted, and returns why it must not be; nil, or a Veto that is nil: nobody is
	// against it.
	Veto func(promotion rollout.Event) error

	// Listen is told what happens to the rollout, in the order in which it does. Nil: nobody is.
	Listen func(events []rollout.Event)

	// Copy sends a copy of a request to a variant that the gateway reaches: one of Handles, or one that has a pool. It
	// returns the answer as a [mirror.Sender] does. Nil: no configuration with such a mirror is compiled.
	Copy func(variant string, r *http.Request) (*http.Response, error)

	// Detach returns the context of a request's copies: see [mirror.Rollout]. Nil: it has no values.
	Detach func(r *http.Request) context.Context

	// Remember tells that requests are to be decided once, and then again only where they differ in something that the
	// decision depends on, at up to 8 MiB for a rollout. It is for interpreted hosts, where a decision costs several times
	// what looking it up does, and not for compiled ones, where it is the other way round.
	Remember bool

	// Prepare makes of a request that [Engine.Explain] is about what the gateway would make of it before the rollout, for
	// the gateway's own conditions and placeholders to look at. address is the client's. Nil: nothing.
	Prepare func(r *http.Request, address string) *http.Request

	// LeadsOnly tells that the gateway only leads requests to variants, and lets nobody serve in the place of one that
	// fails, for explanations to say so.
	LeadsOnly bool

	// Log gets what an operator should know: files that cannot be read, decisions that broke. Nil: nobody.
	Log *slog.Logger

	watch   func(path string, load func(content []byte) error) error
	dry     bool              // secrets are not read
	missing func(what string) // is told of what is not here in a rehearsal; nil: it is no rehearsal

	tokens *identity.Memory
	secret *atomic.Value // as in Live
}

// Engine decides for one configuration of a rollout. It does not change: a new configuration is a new engine with the
// same [Live]. All methods are safe for concurrent use.
type Engine struct {
	checked
	live       *Live
	host       Host
	log        *slog.Logger
	files      *watch.Files
	splitSalt  *balance.Salt
	generation string
	order      int64 // among the engines of the Live, as they were compiled
	release    rollout.Release
	kin        string       // of the release
	memberName string       // of the configuration
	planned    string       // stands for the plan and its checks; empty without a plan
	missing    []string     // what the configuration names and is not here: only in rehearsals
	phase      atomic.Value // *phase
	renewing   sync.Mutex   // held while another phase is made
	assigner   *assigner    // nil: assignments are not remembered
	later      bool         // whether there is more to a decision than the request: the rollout ends some day, remembers assignments, or one of the next
	samples    bool         // whether clients are counted who reach goals
	reclaims   bool         // whether copies may ask for the claims that a decision has asked for
	full       bool         // whether no request is plain: some callers are followed, or assignments are remembered
	follows    bool         // whether some callers are followed
	memory     *memory      // nil if decisions are not remembered
	copiers    copiers

	// What Recall goes by. It is not left where it comes from, because interpreted every step to it costs.
	near     []expr.Header // what decisions rest on, if headers alone may be all of it; else nil
	recalled *sync.Map     // the memory's places; without near an empty one
	told     string        // the announcer's header
}

// Compile reads and checks a configuration and returns its engine. The error holds all problems at once, each with its
// place, such as "rules[2].when: column 14: ...". Nothing outside is changed, so a gateway may drop the engine again.
// live must be that of the rollout's name; nil is a rollout that remembers nothing beyond this engine.
func Compile(config Config, live *Live, host Host) (*Engine, error) {
	if live == nil {
		live = NewLive()
	}
	files := &watch.Files{}
	if host.missing == nil {
		host.watch = files.Add
	}
	host.tokens = &live.tokens
	host.secret = &live.secret
	plan, problems := check(config, host)
	if len(problems) > 0 {
		return nil, Join(problems)
	}
	e := &Engine{checked: plan, live: live, host: host, log: host.Log, files: files, splitSalt: balance.NewSalt(plan.salt)}
	if e.log == nil {
		e.log = slog.New(slog.NewTextHandler(io.Discard, nil)) // Yaegi has no slog.DiscardHandler
	}
	e.generation = fingerprint(plan.revision, plan.salt)
	e.order = live.compiled.Add(1)
	if plan.sticky != nil {
		e.assigner = newAssigner(e, plan.sticky)
	}
	e.follows = len(e.announcer.follow) > 0
	e.full = e.follows || e.assigner != nil || e.goals != nil
	e.samples = e.goals != nil
	e.reclaims = e.Mirrors() && e.tokens != nil && len(e.tokens.verifier.Asked()) > 0
	e.later = !e.ends.IsZero() || e.assigner != nil || e.samples || e.reclaims
	if host.Remember {
		e.memory = newMemory(e)
	}
	e.told = e.announcer.request
	e.recalled = &sync.Map{}
	if e.memory != nil && e.memory.basis.IsNear() && !e.later {
		e.near = e.memory.basis.Headers()
		e.recalled = &e.memory.places
	}
	e.memberName = config.Member
	e.release = e.checked.released()
	e.release.Member = e.sharedName()
	e.planned = e.planPrint()
	e.kin = kinOf(e.release)
	e.copiers = newCopiers(e)
	turn := live.turn.Load()
	e.phase.Store(e.newPhase(live.preview(e), turn, true))
	return e, nil
}

// fingerprint returns 16 hexadecimal digits that stand for the parts.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Name returns the rollout's name.
func (e *Engine) Name() string { return e.name }

// Variants returns the variants' names, in the order of the configuration. The first is the baseline.
func (e *Engine) Variants() []string { return append([]string(nil), e.variants...) }

// Observes reports whether outcomes are to be reported: false if the configuration turned that off.
func (e *Engine) Observes() bool { return e.observe }

// AsksStatus reports whether decisions may do so.
func (e *Engine) AsksStatus() bool { return e.goals != nil && e.goals.byStatus != 0 }

// ResponseHeader returns the name of the header that tells the client which variant served, or "".
func (e *Engine) ResponseHeader() string { return e.announcer.response }

// Begin tells that Run is about to be called. A host that does so before it ends the Run of the engine before keeps that one from
// telling other gateways that this one has gone.
func (e *Engine) Begin() { e.live.begin(e) }

// Run puts the engine in force and does its background work until the context ends: it goes on with the plan, watches the
// files that the configuration names and fetches keys. A host runs it exactly once, when it is sure of the configuration. Of
// the engines of one Live that it runs the one that was compiled last is in force, whichever begins last.
func (e *Engine) Run(ctx context.Context) {
	e.Begin()
	if e.places != nil {
		e.places.Hold()
		defer e.places.Release()
	}
	if e.assigner != nil {
		e.assigner.settle()
		defer e.assigner.close()
	}
	var working sync.WaitGroup
	if e.memory != nil {
		defer e.live.leave(e.memory)
	}
	working.Add(1)
	go func() {
		defer working.Done()
		e.files.Run(ctx, e.reread)
	}()
	if e.tokens != nil {
		working.Add(1)
		go func() {
			defer working.Done()
			e.tokens.verifier.Run(ctx, e.fetched)
		}()
	}
	if e.sticky != nil && e.sticky.secret != nil {
		working.Add(1)
		go func() {
			defer working.Done()
			e.sticky.secret.run(ctx, e.log, e.name)
		}()
	}
	e.pursue(ctx)
	working.Wait()
}

// fetched logs what became of keys that were to be fetched.
func (e *Engine) fetched(url string, err error) {
	if err != nil {
		e.log.Error("no keys could be fetched, and those that there are stay", "rollout", e.name, "url", url, "error", err)
		return
	}
	e.log.Info("fetched keys again", "rollout", e.name, "url", url)
}

// reread logs what became of a file that changed.
func (e *Engine) reread(path string, err error) {
	if err != nil {
		e.log.Error("keeping what was read before", "rollout", e.name, "file", path, "error", err)
		return
	}
	if e.memory != nil {
		e.memory.outdate()
	}
	e.log.Info("read a file that changed", "rollout", e.name, "file", path)
}

// Announce tells the upstream which variant serves, in the request's headers: what the client sent in their place, in
// any spelling, is removed, and so is every request that a proxy strip them.
func (e *Engine) Announce(d Decision, r *http.Request) { Tell(e, &d, r) }

// FallsBack reports whether the base may serve a request whose variant failed before a byte of the response was
// written. The host must make sure that the request can be sent again.
func (e *Engine) FallsBack(d Decision, r *http.Request) bool {
	return d.Index != d.phase.base.Index && e.fallback[r.Method]
}

// Fallback returns the decision by which the base serves in the place of a variant that failed. The failure must be
// reported with the first decision; the outcome of the base's answer counts as nothing, but for goals that its status decides.
func (e *Engine) Fallback(failed Decision) Decision {
	instead := *failed.phase.instead
	instead.Generation = failed.Generation
	instead.Cookie = failed.Cookie
	instead.reached = reachedByStatus(&failed)
	instead.AsksStatus = failed.AsksStatus
	return instead
}

// Weights returns the variants' weights as they are now. The baseline's is what the others leave.
func (e *Engine) Weights() []balance.Weight {
	return append([]balance.Weight(nil), current(e).weights...)
}
