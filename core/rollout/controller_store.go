package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// Move goes on with another way to the store, or, unless it is the same, with another store: what is known here goes
// there, whatever that one has, unless it is one where other gateways have something.
func (c *Controller) Move(ctx context.Context, now Time, to store.Store, same bool) {
	c.locked(func() {
		now = c.latest(now)
		c.settings.Store = to
		if same || c.machine == nil {
			return
		}
		d, err := to.Load(ctx, c.settings.Name)
		if err != nil {
			c.isAway(err)
		}
		if c.shared() && (err != nil || d.Version != "") {
			c.machine = nil
			c.isSaved()
			return
		}
		c.version = d.Version
		c.unsaved = true
		c.flush(ctx, now)
	})
}

// shared reports whether other gateways may have the store, too.
func (c *Controller) shared() bool {
	_, shared := c.settings.Store.(store.Members)
	return shared
}

// checkpoint has the step's age saved every now and then, by who goes on with the plan. While the store is away that
// is everybody: when it is back it has more to do than to hear of that from all.
func (c *Controller) checkpoint(r request) {
	every := c.settings.Checkpoint
	if every > 0 && !r.waits && c.away == "" && c.machine.State() == Progressing && r.now.Mono-c.saved >= every {
		c.unsaved = true
	}
}

// flush saves what is not saved yet.
func (c *Controller) flush(ctx context.Context, now Time) {
	for i := 0; i < attempts && c.unsaved; i++ {
		err := c.save(ctx, now, c.machine)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			c.isAway(err)
			return
		}
		if err != nil {
			c.load(ctx, now)
		}
	}
}

// save keeps the record of a machine, of which nothing is unsaved then.
func (c *Controller) save(ctx context.Context, now Time, m *Machine) error {
	err := c.put(ctx, now, m)
	if err == nil {
		c.known = m.record.LastEvent()
		c.isSaved()
	}
	return err
}

// put has the store keep the record of a machine.
func (c *Controller) put(ctx context.Context, now Time, m *Machine) error {
	content, err := m.Record().Encode()
	if err != nil {
		return err
	}
	version, err := c.settings.Store.Swap(ctx, c.settings.Name, c.version, content)
	if err != nil {
		return err
	}
	c.version = version
	c.saved = now.Mono
	c.isBack()
	return nil
}

func (c *Controller) isSaved() {
	c.unsaved = false
	c.pending = nil
}

// mostUnsure is how many events may be unsure: those of a step that cannot be ended for half a minute.
const mostUnsure = 32

// isUnsure remembers events of which the store did not say whether they were saved.
func (c *Controller) isUnsure(events []Event) {
	c.unsure = append(c.unsure, events...)
	if extra := len(c.unsure) - mostUnsure; extra > 0 {
		c.unsure = c.unsure[extra:]
	}
}

// load goes on with the record in the store, and does again on top of it what happened here meanwhile and counts for more.
func (c *Controller) load(ctx context.Context, now Time) {
	for i := 0; i < attempts; i++ {
		d, err := c.settings.Store.Load(ctx, c.settings.Name)
		if err != nil {
			c.isAway(err)
			return
		}
		record, err := c.decode(d)
		if err != nil {
			c.isAway(err)
			return
		}
		c.isBack()
		if c.adopt(ctx, now, d.Version, record) {
			return
		}
	}
}

// adopt goes on with a record of the store, and reports whether others were not faster with what follows from it here.
func (c *Controller) adopt(ctx context.Context, now Time, version string, record Record) bool {
	c.version = version
	if c.machine != nil && record.State == "" {
		c.unsaved = true
		return true
	}
	var m *Machine
	var events []Event
	if c.machine == nil {
		m, events = begin(c.release, record, now, c.shared())
	} else {
		m, events = Follow(c.release, record, now)
		c.machine.elapse(now)
		m.remember(c.machine, record.Declaration)
	}
	var err error
	if len(events) > 0 {
		err = c.put(ctx, now, m)
	}
	if errors.Is(err, store.ErrConflict) {
		return false
	}
	if err != nil {
		c.isAway(err)
		if c.machine == nil && forward(events) {
			c.isUnsure(events)
			return true // a plan that begins where nothing can be remembered would begin with every process
		}
	}
	c.saved = now.Mono
	again := c.settle(m, now, &record)
	c.isSaved()
	c.accept(m, events)
	if err == nil && len(events) > 0 {
		c.known = events[len(events)-1].ID
		c.isSaved()
	}
	c.pending = append(c.pending, again...)
	c.unsaved = c.unsaved || len(again) > 0
	return true
}

// settle compares what happened here with a record that another gateway may have written: what that one did is learned,
// what turns out to have been saved is told, and of what was not, a rollback or a pause is done again if it counts for more
// than what the others did. It returns what was done again.
func (c *Controller) settle(m *Machine, now Time, record *Record) []Event {
	var learned []Event
	for i := range record.Events {
		e := &record.Events[i]
		switch {
		case e.ID <= c.known || contain(c.pending, e):
		case contain(c.unsure, e):
			c.told.events = append(c.told.events, *e)
		case c.machine == nil:
		default:
			learned = append(learned, *e)
		}
	}
	c.told.learned = append(c.told.learned, learned...)
	c.known = record.LastEvent()
	if n := len(c.unsure); n > 0 && c.unsure[n-1].ID <= c.known {
		c.unsure = nil
	}
	var lost []Event // what the record has not got
	for i := range c.pending {
		if e := &c.pending[i]; !contain(record.Events, e) {
			lost = append(lost, *e)
		}
	}
	untold := c.untell(lost)
	for i := len(lost) - 1; i >= 0; i-- {
		again := m.redo(now, &lost[i])
		if len(again) == 0 {
			continue
		}
		if untold {
			c.told.events = append(c.told.events, again...)
		}
		return again
	}
	return nil
}

// untell takes back events that nobody was told of yet, and reports whether there were any.
func (c *Controller) untell(lost []Event) bool {
	var kept []Event
	for i := range c.told.events {
		if e := &c.told.events[i]; !contain(lost, e) {
			kept = append(kept, *e)
		}
	}
	untold := len(kept) < len(c.told.events)
	c.told.events = kept
	return untold
}

// contain reports whether an event is among others. A number alone does not tell events from those that another gateway
// gave the same.
func contain(events []Event, e *Event) bool {
	for i := range events {
		if events[i].ID == e.ID && events[i].Kind == e.Kind && events[i].Member == e.Member && events[i].Time.Equal(e.Time) {
			return true
		}
	}
	return false
}

// decode returns the record in a document, or the zero Record if it holds none. What a newer version wrote is an error:
// that one may come back.
func (c *Controller) decode(d store.Document) (Record, error) {
	if d.Version == "" {
		return Record{}, nil
	}
	record, err := Decode(d.Content)
	if errors.Is(err, ErrNewer) {
		return Record{}, err
	}
	if err != nil {
		c.told.faults = append(c.told.faults, fmt.Errorf("rollout %s: what the store has is %w; it is replaced", c.settings.Name, err))
	}
	return record, nil
}

// How long it is from one question whether the store is still away to the next, to begin with and at most, unless a watch or
// somebody else finds that it is back: in a store that gateways share their reports do.
const (
	soonAsked, seldomAsked             = time.Second, 16 * time.Second
	soonAskedByMany, seldomAskedByMany = 8 * time.Second, time.Minute
)

// askAgain asks a store that is away again for what it did not say, which may be what others did: ever more seldom, because
// one that is busy would have the more to do the longer it is.
func (c *Controller) askAgain(ctx context.Context, now Time) {
	if c.unsaved || c.away == "" || now.Mono < c.askNext {
		return
	}
	soon, seldom := soonAsked, seldomAsked
	if c.shared() {
		soon, seldom = soonAskedByMany, seldomAskedByMany
	}
	c.askAfter *= 2
	if c.askAfter < soon {
		c.askAfter = soon
	}
	if c.askAfter > seldom {
		c.askAfter = seldom
	}
	c.askNext = now.Mono + c.askAfter
	c.load(ctx, now)
}

// Ask has a store that is away asked with the next tick: it has answered somebody else.
func (c *Controller) Ask() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.askNext = 0
}

// isAway remembers that the store is away, and tells it once.
func (c *Controller) isAway(err error) {
	if c.away != err.Error() {
		c.away = err.Error()
		c.told.faults = append(c.told.faults, fmt.Errorf("rollout %s: %w: %w", c.settings.Name, ErrAway, err))
	}
}

func (c *Controller) isBack() {
	if c.away != "" {
		c.away = ""
		c.askAfter = 0
		c.askNext = 0
		c.told.faults = append(c.told.faults, nil)
	}
}
