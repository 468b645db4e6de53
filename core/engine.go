package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/geo"
	"github.com/grayling-gateway/grayling/core/identity"
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

	// Secret returns the secret that the gateway keeps for the cookies of rollouts that name none. Nil: such a rollout is
	// an error.
	Secret func() (string, error)

	// Address returns what is wrong with the address of an upstream. Nil: nothing ever is.
	Address func(address string) error

	// Geo returns the gateway's own reader of a database, or nil where the engine's is to read it. Nil: it always is.
	Geo func(content []byte, database *geo.Database) (geo.Lookup, error)

	// CamelCase tells that the gateway's users write keys as fallbackMethods and not as fallback_methods.
	CamelCase bool

	// Remember tells that requests are to be decided once, and then again only where they differ in something that the
	// decision depends on, at up to 8 MiB for a rollout. It is for interpreted hosts, where a decision costs several times
	// what looking it up does, and not for compiled ones, where it is the other way round.
	Remember bool

	// Log gets what an operator should know: files that cannot be read, decisions that broke. Nil: nobody.
	Log *slog.Logger

	watch func(path string, load func(content []byte) error) error
	dry   bool // secrets are not read

	tokens *identity.Memory
}

// Engine decides for one configuration of a rollout. It does not change: a new configuration is a new engine with the
// same [Live]. All methods are safe for concurrent use.
type Engine struct {
	checked
	live        *Live
	log         *slog.Logger
	files       *watch.Files
	splitSalt   *balance.Salt
	generation  string
	declaration string // what weights that were set by hand belong to
	base        *Decision
	rolledBack  *Decision
	split       []*Decision // for every variant
	assigner    *assigner   // nil: assignments are not remembered
	later       bool        // whether decisions depend on the time: the rollout ends some day, or remembers assignments
	full        bool        // whether no request is plain: some callers are followed, or assignments are remembered
	follows     bool        // whether some callers are followed
	memory      *memory     // nil if decisions are not remembered
	near        *memory     // the same if headers alone may be all that a decision needs; else one that stays empty
	counters    []*counters // of the variants; none if outcomes are not counted
	reasons     map[Reason]*atomic.Int64
}

// Compile reads and checks a configuration and returns its engine. The error holds all problems at once, each with its
// place, such as "rules[2].when: column 14: ...". Nothing outside is changed, so a gateway may drop the engine again.
// live must be that of the rollout's name; nil is a rollout that remembers nothing beyond this engine.
func Compile(config Config, live *Live, host Host) (*Engine, error) {
	if live == nil {
		live = NewLive()
	}
	files := &watch.Files{}
	host.watch = files.Add
	host.tokens = &live.tokens
	plan, problems := check(config, host)
	if len(problems) > 0 {
		return nil, Join(problems)
	}
	e := &Engine{checked: plan, live: live, log: host.Log, files: files, splitSalt: balance.NewSalt(plan.salt)}
	if e.log == nil {
		e.log = slog.New(slog.NewTextHandler(io.Discard, nil)) // Yaegi has no slog.DiscardHandler
	}
	e.generation = fingerprint(config.Revision, plan.salt)
	declared := make([]string, 0, len(plan.variants))
	for i, name := range plan.variants {
		declared = append(declared, name+"="+plan.weights[i].String())
		if e.observe {
			e.counters = append(e.counters, live.counters(name))
		}
	}
	e.reasons = map[Reason]*atomic.Int64{}
	for _, reason := range []Reason{ByFollowing, ByRule, ByAssigned, ByRouter, BySplit, ByBase, ByFallback, ByRolledBack} {
		e.reasons[reason] = live.reason(reason)
	}
	e.base = e.decision(0, ByBase, "")
	e.rolledBack = e.decision(0, ByRolledBack, "")
	for i := range plan.variants {
		e.split = append(e.split, e.decision(i, BySplit, ""))
	}
	for i := range e.rules {
		e.rules[i].decision = e.decision(e.rules[i].variant, ByRule, e.rules[i].name)
	}
	if plan.sticky != nil {
		e.assigner = newAssigner(e, plan.sticky)
	}
	e.follows = len(e.announcer.follow) > 0
	e.full = e.follows || e.assigner != nil
	e.later = !e.ends.IsZero() || e.assigner != nil
	if host.Remember {
		e.memory = newMemory(e)
	}
	e.near = &memory{}
	if e.memory != nil && e.memory.basis.IsNear() && !e.later {
		e.near = e.memory
	}
	e.declaration = fingerprint(e.generation, strings.Join(declared, " "))
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

// ResponseHeader returns the name of the header that tells the client which variant served, or "".
func (e *Engine) ResponseHeader() string { return e.announcer.response }

// Run does the engine's background work until the context ends: it watches the files that the configuration names and
// fetches keys. A host runs it exactly once.
func (e *Engine) Run(ctx context.Context) {
	if e.places != nil {
		e.places.Hold()
		defer e.places.Release()
	}
	if e.assigner != nil {
		e.assigner.settle()
		defer e.assigner.close()
	}
	var fetching sync.WaitGroup
	if e.memory != nil {
		defer e.live.leave(e.memory)
	}
	if e.tokens != nil {
		fetching.Add(1)
		go func() {
			defer fetching.Done()
			e.tokens.verifier.Run(ctx, e.fetched)
		}()
	}
	e.files.Run(ctx, e.reread)
	fetching.Wait()
}

// fetched logs what became of keys that were to be fetched.
func (e *Engine) fetched(url string, err error) {
	if err != nil {
		e.log.Error("fetching keys", "rollout", e.name, "url", url, "error", err)
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
	return d.Index != 0 && e.fallback[r.Method]
}

// Fallback returns the decision by which the base serves in the place of a variant that failed. The failure must be
// reported with the first decision; the outcome of the base's answer counts as nothing.
func (e *Engine) Fallback(failed Decision) Decision {
	failed.Variant, failed.Rule = e.variants[0], ""
	failed.Index = 0
	failed.Reason = ByFallback
	failed.decided = e.reasons[ByFallback]
	failed.served = nil
	return failed
}

// Report counts how a decision turned out, at the time when that became known. An outcome after a fallback is counted as
// a decision only: the base did not get that request by its own merit.
func (e *Engine) Report(d Decision, o Outcome, now time.Time) { Report(&d, &o, now) }

// Report is [Engine.Report] for hosts that are interpreted, as [Decide] is.
func Report(d *Decision, o *Outcome, now time.Time) {
	if o.Gone || o.Failed || o.Status >= 500 || o.Status == 0 {
		d.reportFailure(o, now)
		return
	}
	Succeeded(d, o.Latency, now)
}

// Succeeded is [Report] for an outcome that is a success, as most are.
func Succeeded(d *Decision, latency time.Duration, now time.Time) {
	if d.decided != nil {
		d.decided.Add(1)
	}
	c := d.served
	if c == nil {
		return
	}
	c.success.Add(1)
	c.latency.Add(int64(latency))
	c.last.Store(now.UnixNano())
}

// reportFailure is Report for an outcome that is no success.
func (d *Decision) reportFailure(o *Outcome, now time.Time) {
	if d.decided != nil {
		d.decided.Add(1)
	}
	if d.served != nil {
		d.served.last.Store(now.UnixNano())
		d.served.countFailure(o)
	}
}

// countFailure counts an outcome that is no success.
func (c *counters) countFailure(o *Outcome) {
	if o.Gone {
		c.neutral.Add(1)
		return
	}
	c.failure.Add(1)
	if o.Status != 0 {
		c.latency.Add(int64(o.Latency))
	}
}

// SetWeight gives a variant another share of the split, at once and until the configuration declares other weights,
// salt or revision. The baseline takes what the others leave.
func (e *Engine) SetWeight(variant, weight string) error {
	share, err := balance.ParseWeight(weight)
	if err != nil {
		return err
	}
	e.live.mu.Lock()
	defer e.live.mu.Unlock()
	weights := e.Weights()
	for i, name := range e.variants {
		if name != variant {
			continue
		}
		if i == 0 {
			return fmt.Errorf("%q is the baseline, which takes what the others leave: set their weights", variant)
		}
		weights[i] = share
		line, err := balance.NewLine(weights)
		if err != nil {
			return err
		}
		e.live.weights.Store(&liveWeights{declaration: e.declaration, line: line, weights: weights})
		e.live.weighed.Store(true)
		for _, m := range e.live.memories {
			m.outdate()
		}
		return nil
	}
	return fmt.Errorf("unknown variant %q%s", variant, expr.Suggest(variant, e.variants))
}

// Weights returns the variants' weights as they are now. The baseline's is what the others leave.
func (e *Engine) Weights() []balance.Weight {
	weights := e.weights
	if set := e.live.weightsFor(e.declaration); set != nil {
		weights = set.weights
	}
	weights = append([]balance.Weight(nil), weights...)
	weights[0] = balance.Full
	for _, w := range weights[1:] {
		weights[0] -= w
	}
	return weights
}
