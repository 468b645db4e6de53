package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
)

// Controller is a [Machine] that goroutines share, and whose record a store keeps. All methods are safe for concurrent
// use. It starts nothing and reads no clock.
//
// What happens does in the store first, by compare-and-swap: of several gateways one does it, and the others follow.
// Only a rollback happens at once, and is written as soon as it can be. While the store is away that is so with
// everything that gives nobody more traffic, such as a pause; for the rest weights stay and steps freeze. Before the
// store has said what it knows, the candidate of a plan gets nothing.
//
// A store that offers [store.Members] is one that gateways share: there, whoever comes with a revision that was superseded
// is outdated, where the configuration of a gateway that is alone counts whatever it is.
type Controller struct {
	settings Settings
	view     atomic.Value // *View

	turn     sync.Mutex // held while anything changes, the store included; it guards all below
	release  Release
	machine  *Machine      // nil before the store said what it knows
	now      Time          // the latest that anybody came with
	version  string        // of the record that the store had last
	known    int64         // the last event of that record
	unsaved  bool          // whether the machine's is newer
	pending  []Event       // that are not saved yet
	unsure   []Event       // that were to be saved, and may be in the store though it did not say so
	saved    time.Duration // when it was saved last, on the monotonic clock
	away     string        // why the store is; "" if it is not
	askAfter time.Duration // while it is, how long it was from one question whether it still is to the next
	askNext  time.Duration // and when the next is due, on the monotonic clock
	told     told
}

// Settings are what a controller works with.
type Settings struct {
	// Name is the rollout's, and the document's in the store.
	Name string

	// Store keeps the record.
	Store store.Store

	// Checkpoint is how often the record is saved while a step lasts and nothing happens: as much of the step's age is
	// lost with the process at most. 0: never.
	Checkpoint time.Duration

	// Veto is asked before the candidate is promoted, unless a configuration says that it is at once, and returns why it
	// must not be. It must call nothing of the controller but View. Nil: nobody is asked.
	Veto func(promotion Event) error

	// Show is shown every view at once, before anything is saved. It must call nothing of the controller. Nil: nobody is.
	Show func(v *View)

	// Listen is told what happened here, in order but for what happens at the same time, and may call the controller. Of
	// gateways that share a store one is told of each event, unless it had to be done while the store was away. Nil: nobody
	// is.
	Listen func(events []Event)

	// Learn is told what another gateway did, as Listen is. Nil: nobody is.
	Learn func(events []Event)

	// Fault is told of a store that is away, of a record that nobody can read, and with nil that the store is back. Nil:
	// nobody is.
	Fault func(fault error)
}

// Errors of [Controller.Command] wrap one of these, or of those of [Machine.Command].
var (
	ErrAway = errors.New("the store is away")
	ErrVeto = errors.New("vetoed")
)

// told is what others are to hear of when the controller is unlocked.
type told struct {
	events  []Event
	learned []Event
	faults  []error
}

// request is something to be done with the machine. act may be called several times, each time with a machine of which
// only the last is kept; obstacle says why that must not go forward.
type request struct {
	now     Time
	release *Release // to be configured; nil: nothing
	waits   bool     // others go on with the plan, or something keeps it from going on
	act     func(m *Machine, now Time, obstacle string) ([]Event, error)
}

// NewController returns a controller. It must be configured before anything else.
func NewController(settings Settings) *Controller { return &Controller{settings: settings} }

// View returns the rollout as it is now; nil before it is configured.
func (c *Controller) View() *View {
	v, _ := c.view.Load().(*View)
	return v
}

// Configure goes on with another configuration, as [Machine.Configure] does.
func (c *Controller) Configure(ctx context.Context, now Time, release Release) {
	_ = c.do(ctx, request{now: now, release: &release, act: func(m *Machine, now Time, _ string) ([]Event, error) {
		events := m.Configure(release, now)
		return events, nil
	}}) // a store that is away is a fault, and no reason against a configuration
}

// Tick goes on with what was seen since, as [Machine.Tick] does.
func (c *Controller) Tick(ctx context.Context, now Time, seen Observations) {
	_ = c.do(ctx, request{now: now, waits: seen.Follows || seen.Obstacle != "", act: func(m *Machine, now Time, obstacle string) ([]Event, error) {
		observed := seen
		if obstacle != "" {
			observed.Obstacle = obstacle
		}
		events := m.Tick(now, observed)
		return events, nil
	}}) // what cannot go forward now does with another tick
}

// Command does what somebody says, as [Machine.Command] does.
func (c *Controller) Command(ctx context.Context, now Time, command Command) error {
	return c.do(ctx, request{now: now, act: func(m *Machine, now Time, _ string) ([]Event, error) { return m.Command(now, command) }})
}

// mostFailures is how many attempts to watch in a row make the pause before the next longer, by a second each.
const mostFailures = 3

// Watch follows what others do to the record, until the context ends. now reads both clocks.
func (c *Controller) Watch(ctx context.Context, now func() Time) {
	failures := 0
	for ctx.Err() == nil {
		var watched store.Store
		c.locked(func() { watched = c.settings.Store })
		began := now().Mono
		err := watched.Watch(ctx, c.settings.Name, func(d store.Document) { c.follow(ctx, now(), d) })
		if err != nil && ctx.Err() == nil {
			c.locked(func() { c.isAway(err) })
		}
		pause := time.Second / 10
		if now().Mono-began > 5*time.Second { // it was fine
			failures = 0
		} else {
			if failures < mostFailures {
				failures++
			}
			pause = time.Duration(failures) * time.Second
		}
		await.Sleep(ctx, pause+time.Duration(rand.Int63n(int64(pause)))) // many gateways lose a store at the same time
	}
}

// follow goes on with what somebody else wrote. What it is told may be old: what is certainly new needs not be asked for,
// which a thousand gateways would do at once.
func (c *Controller) follow(ctx context.Context, now Time, d store.Document) {
	c.locked(func() {
		now = c.latest(now)
		c.isBack()
		if len(c.release.Variants) == 0 || c.machine != nil && d.Version == c.version {
			return
		}
		record, err := Decode(d.Content)
		last := record.LastEvent()
		fresh := c.machine != nil && err == nil && (last > c.known || last == c.known && !c.unsaved) // the same: its age was saved
		if !fresh || !c.adopt(ctx, now, d.Version, record) {
			c.load(ctx, now)
		}
		c.flush(ctx, now)
	})
}

func (c *Controller) do(ctx context.Context, r request) error {
	var err error
	c.locked(func() {
		r.now = c.latest(r.now)
		err = c.attempt(ctx, r)
	})
	return err
}

// latest returns the time for what is done now: who waited for his turn, as behind a store that is slow, may come with an
// older one than who came after him, and the time between the two would pass twice.
func (c *Controller) latest(now Time) Time {
	if now.Mono >= c.now.Mono {
		c.now = now
	}
	return c.now
}

// locked calls change in its turn, and tells others what became of it when that is over.
func (c *Controller) locked(change func()) {
	c.turn.Lock()
	change()
	c.publish()
	t := c.told
	c.told = told{}
	c.turn.Unlock()
	for _, fault := range t.faults {
		if c.settings.Fault != nil {
			c.settings.Fault(fault)
		}
	}
	if len(t.learned) > 0 && c.settings.Learn != nil {
		c.settings.Learn(t.learned)
	}
	if len(t.events) > 0 && c.settings.Listen != nil {
		c.settings.Listen(t.events)
	}
}

// attempts is how often a change is tried that others are faster with.
const attempts = 10

func (c *Controller) attempt(ctx context.Context, r request) error {
	insists := false // what was in force here gives way to what is configured here, whatever others do meanwhile
	if r.release != nil {
		insists = c.machine != nil && c.machine.outdated == nil && !c.machine.release.same(r.release)
		c.release = *r.release
	}
	if len(c.release.Variants) == 0 {
		return fmt.Errorf("%w: the rollout is not configured", ErrState)
	}
	for i := 0; i < attempts; i++ {
		begins := c.machine == nil
		if begins {
			c.load(ctx, r.now)
		}
		if c.machine == nil {
			return fmt.Errorf("%w: %s", ErrAway, c.away)
		}
		if begins && r.release != nil {
			return nil
		}
		trial := *c.machine
		events, err := r.act(&trial, r.now, "")
		if err != nil {
			return err
		}
		if insists {
			events = append(events, trial.TakeOver(r.now)...)
		}
		if len(events) == 0 || trial.recorded() == RolledBack {
			c.accept(&trial, events)
			c.checkpoint(r)
			c.askAgain(ctx, r.now)
			c.flush(ctx, r.now)
			return nil
		}
		if c.unsaved { // what happened before comes first
			before := c.machine
			c.flush(ctx, r.now)
			if !c.unsaved || c.machine != before {
				continue
			}
		}
		refusal := c.approve(ctx, r, &trial, events)
		if refusal == nil {
			c.accept(&trial, events)
			c.isSaved()
			return nil
		}
		if errors.Is(refusal, store.ErrConflict) {
			c.load(ctx, r.now)
			continue
		}
		if r.release != nil || !forward(events) {
			c.accept(&trial, events)
			return nil
		}
		return c.freeze(r, refusal)
	}
	return store.ErrConflict
}

// approve saves what is going to happen, and returns what is against it.
func (c *Controller) approve(ctx context.Context, r request, trial *Machine, events []Event) error {
	if last := events[len(events)-1]; last.Kind == KindPromoted && c.settings.Veto != nil && r.release == nil {
		if veto := c.settings.Veto(last); veto != nil {
			return fmt.Errorf("%w: %w", ErrVeto, veto)
		}
	}
	if c.unsaved {
		return fmt.Errorf("%w: %s", ErrAway, c.away)
	}
	err := c.save(ctx, r.now, trial)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		c.isAway(err)
		c.isUnsure(events)
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// freeze goes on without what would move the rollout forward. A command that wants only that is refused.
func (c *Controller) freeze(r request, refusal error) error {
	trial := *c.machine
	events, err := r.act(&trial, r.now, refusal.Error())
	if err != nil {
		return err
	}
	if forward(events) {
		return refusal
	}
	c.accept(&trial, events)
	return nil
}

// accept goes on with a machine, at once.
func (c *Controller) accept(m *Machine, events []Event) {
	c.machine = m
	if len(events) > 0 {
		c.unsaved = true
		c.pending = append(c.pending, events...)
		c.told.events = append(c.told.events, events...)
		c.publish()
	}
}

// forward reports whether events give anybody more traffic.
func forward(events []Event) bool {
	for i := range events {
		switch events[i].Kind {
		case KindStarted, KindStepAdvanced, KindResumed, KindRestarted, KindPromoted, KindWeightSet:
			return true
		}
	}
	return false
}

// publish shows everybody the rollout as it is now.
func (c *Controller) publish() {
	if len(c.release.Variants) == 0 {
		return // it is not configured
	}
	var v *View
	if c.machine != nil {
		v = viewOf(c.machine)
	} else {
		v = Unknown(c.release)
	}
	v.Away = c.away
	v.Unsaved = c.unsaved
	c.view.Store(v)
	if c.settings.Show != nil {
		c.settings.Show(v)
	}
}
