package core

import (
	"context"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/notify"
	"github.com/grayling-gateway/grayling/core/prometheus"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// progress is how far a rollout has come. It is a part of Live, and outlives engines: its controller has the record, and
// of all engines one is in force, whose configuration the controller goes by.
type progress struct {
	turn     atomic.Int64 // counts the views that made a difference to requests
	shown    atomic.Value // *shown; nothing before an engine was in force
	compiled atomic.Int64 // counts engines
	begun    atomic.Int64 // the order of the last that was run, or is about to be

	taking     sync.Mutex // held while an engine takes over
	controller *rollout.Controller
	storeName  string       // of the controller's store
	ownStore   store.Store  // of rollouts that have no other
	engine     atomic.Value // *Engine that is in force; nothing before one is

	verdicts verdicts
	notifier *notify.Notifier // nil until it is needed; guarded by Live's mu, as the client
	client   *prometheus.Client
	census   census
	company  company
	series   series

	trial *trial        // of the present position; guarded by Live's mu
	news  chan struct{} // closed when there are more events; nil if nobody waits; guarded by Live's mu

	stirred chan bool // has room for one: the last pursuit that began has something to look at; nil before there is one; guarded by Live's mu
}

// shown is a view, and for which engines it is.
type shown struct {
	view *rollout.View
	kin  string
}

// storeTimeout bounds every wait for the store.
const storeTimeout = 2 * time.Second

// began is where the monotonic clock of this process starts.
var began = time.Now()

// clocks reads both.
func clocks() rollout.Time {
	now := time.Now()
	return rollout.Time{Wall: now, Mono: now.Sub(began)}
}

// preview returns the rollout as an engine that is not in force would find it, without changing anything: its
// configuration may still be rejected.
func (l *Live) preview(e *Engine) *rollout.View {
	l.taking.Lock()
	defer l.taking.Unlock()
	if s, _ := l.shown.Load().(*shown); s != nil && s.view.State != "" {
		return s.view.Configured(e.release, clocks())
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	keeper := e.keeper(l)
	document, err := keeper.Load(ctx, e.name)
	if err != nil {
		return rollout.Unknown(e.release)
	}
	record := rollout.Record{}
	if document.Version != "" {
		record, err = rollout.Decode(document.Content)
	}
	if err != nil {
		return rollout.Unknown(e.release) // the engine in force says what is wrong
	}
	_, shared := keeper.(store.Members) // never of nil, which Yaegi cannot ask
	v, _ := rollout.Preview(e.release, record, clocks(), shared)
	return v
}

// keeper returns the store that an engine's host has, or else the rollout's own.
func (e *Engine) keeper(l *Live) store.Store {
	if e.host.Store != nil {
		return e.host.Store
	}
	if l.ownStore == nil {
		l.ownStore = store.NewMemory()
	}
	return l.ownStore
}

// begin notes that an engine is about to be put in force.
func (l *Live) begin(e *Engine) {
	before := l.begun.Load()
	for before < e.order && !l.begun.CompareAndSwap(before, e.order) {
		before = l.begun.Load()
	}
}

// replaced reports whether an engine is in force that was compiled later. Where configurations follow each other faster than
// the work in the background begins, the last may be the first to begin.
func (l *Live) replaced(e *Engine) bool {
	in := l.inForce()
	return in != nil && in.order > e.order
}

// takeOver puts an engine in force, unless it was replaced already: the rollout goes on with its configuration.
func (l *Live) takeOver(ctx context.Context, e *Engine) {
	l.taking.Lock()
	defer l.taking.Unlock()
	if l.replaced(e) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	keeper := e.keeper(l)
	if l.controller == nil {
		l.controller = rollout.NewController(rollout.Settings{Name: e.name, Store: keeper, Checkpoint: checkpoint(),
			Veto: l.veto, Show: l.show, Listen: l.hear, Learn: l.learn, Fault: l.fault})
	}
	l.engine.Store(e)
	l.controller.Move(ctx, clocks(), keeper, e.host.StoreName == l.storeName)
	l.storeName = e.host.StoreName
	l.controller.Configure(ctx, clocks(), e.release)
	if e.goals != nil {
		l.turn.Add(1) // only who is in force begins to count, and the view may be as it was
	}
}

// checkpoint is how often the age of a step is saved: not by all gateways of a fleet at the same time.
func checkpoint() time.Duration {
	return time.Minute + time.Duration(rand.Int63n(int64(time.Minute/2)))
}

// inForce returns the engine whose configuration counts, or nil.
func (l *Live) inForce() *Engine {
	e, _ := l.engine.Load().(*Engine)
	return e
}

// settled is inForce when no engine is taking over: the controller knows its configuration.
func (l *Live) settled() *Engine {
	l.taking.Lock()
	defer l.taking.Unlock()
	return l.inForce()
}

// show has requests decided as a view says.
func (l *Live) show(v *rollout.View) {
	next := &shown{view: v, kin: kinOf(v.Release)}
	old, _ := l.shown.Load().(*shown)
	l.shown.Store(next)
	same := old != nil && old.kin == next.kin && alike(old.view, v)
	if same && old.view.Away == v.Away {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stir()
	if same {
		return
	}
	l.turn.Add(1)
	for _, m := range l.memories {
		m.outdate()
	}
}

// stirring returns what has a value when the pursuit that begins has something to look at. The one before it, which is about
// to end, would take that away.
func (l *Live) stirring() chan bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stirred = make(chan bool, 1)
	return l.stirred
}

// stir has the last pursuit that began look at what there is. Live's mu must be held.
func (l *Live) stir() {
	await.Wake(l.stirred)
}

// alike reports whether requests are decided by two views in the same way.
func alike(a, b *rollout.View) bool {
	if a.State != b.State || a.Position != b.Position || !a.Record.Since.Equal(b.Record.Since) || len(a.Weights) != len(b.Weights) {
		return false
	}
	for i := range a.Weights {
		if a.Weights[i] != b.Weights[i] {
			return false
		}
	}
	return true
}

// kinOf stands for the releases whose engines go by each other's views: those of one revision with the same variants and
// declared weights, so that an engine that is about to be replaced takes part in what happens.
func kinOf(r rollout.Release) string {
	return fmt.Sprint(r.Revision, "\x00", strings.Join(r.Variants, " "), "\x00", r.Declaration, "\x00", r.Candidate, r.Plan == nil)
}

// shownTo returns the last view if it is for an engine, or nil.
func (l *Live) shownTo(e *Engine) *rollout.View {
	s, _ := l.shown.Load().(*shown)
	if s == nil || s.kin != e.kin {
		return nil
	}
	return s.view
}

// trialOf returns the trial of the position that a view shows, which goes on over reloads. Where somebody sets other
// weights within the position, another one begins. A preview of a position to come gets one that nobody else knows.
//
// A trial is as old as the step, though this process may be younger: what other gateways counted before is not recent.
func (l *Live) trialOf(v *rollout.View, variants []string, candidate int, preview bool) *trial {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.trial
	same := last != nil && last.position == v.Position
	division := divisionOf(variants, v.Weights, candidate)
	if same && last.division == division {
		return last
	}
	now := clocks().Mono
	next := &trial{Trial: analysis.NewTrial(variants), position: v.Position, division: division, candidate: candidate, began: now - v.Record.Age, made: now}
	if preview {
		return next
	}
	if same {
		next.seen = last.requests()
	}
	l.trial = next
	return next
}

// divisionOf stands for how traffic is divided. It is the same in all gateways.
func divisionOf(variants []string, weights []balance.Weight, candidate int) string {
	parts := []string{strconv.Itoa(candidate)}
	for i, name := range variants {
		parts = append(parts, name, weights[i].String())
	}
	return strings.Join(parts, "\x00")
}

func (l *Live) veto(promotion rollout.Event) error {
	if e := l.inForce(); e != nil && e.host.Veto != nil {
		return e.host.Veto(promotion)
	}
	return nil
}

// hear tells everybody what happened here.
func (l *Live) hear(events []rollout.Event) {
	l.wake()
	if e := l.inForce(); e != nil {
		e.tellOf(events)
	}
}

// learn tells those who ask this gateway what happened at another, which tells everybody else.
func (l *Live) learn(events []rollout.Event) {
	l.wake()
	if e := l.inForce(); e != nil {
		for i := range events {
			e.logEvent(&events[i])
		}
	}
}

// wake tells those who wait for events that there are some.
func (l *Live) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}

func (l *Live) fault(fault error) {
	e := l.inForce()
	if e == nil {
		return
	}
	l.mu.Lock()
	l.stir() // it may have another part in what happens now
	l.mu.Unlock()
	if fault == nil {
		e.log.Info("the store of the rollout's state is back", "rollout", e.name)
		return
	}
	e.log.Error("the rollout's state", "rollout", e.name, "error", fault)
}

// Command does what somebody wants of the rollout, and returns how it stands then. version is the Status.Version that the
// command was meant for; empty: any. Errors wrap those of [rollout.Controller.Command].
func (l *Live) Command(ctx context.Context, c rollout.Command, version string) (Status, error) {
	e := l.settled()
	if e == nil {
		return Status{}, fmt.Errorf("%w: the rollout does not run yet", rollout.ErrState)
	}
	c.Version = version
	if c.Verb == rollout.SetWeight {
		if hint := expr.Suggest(c.Variant, e.variants); hint != "" && !e.has(c.Variant) {
			return Status{}, fmt.Errorf("weight: %w: unknown variant %.64q%s", rollout.ErrCommand, c.Variant, hint)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := l.controller.Command(ctx, clocks(), c); err != nil {
		return Status{}, err
	}
	status, _ := l.Status()
	return status, nil
}

func (e *Engine) has(variant string) bool {
	for _, name := range e.variants {
		if name == variant {
			return true
		}
	}
	return false
}

// Events returns the events with IDs above after, of those that are remembered, and a channel that is closed when there
// are more.
func (l *Live) Events(after int64) (events []rollout.Event, changed <-chan struct{}) {
	l.mu.Lock()
	if l.news == nil {
		l.news = make(chan struct{})
	}
	changed = l.news // before looking: what happens meanwhile closes it
	l.mu.Unlock()
	s, _ := l.shown.Load().(*shown)
	if s == nil {
		return nil, changed
	}
	all := s.view.Record.Events
	for i := range all {
		if all[i].ID > after {
			events = append(events, all[i])
		}
	}
	return events, changed
}
