package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/grayling-gateway/grayling/core/store"
)

// Move goes on with another way to the store, or, unless it is the same, with another store: what is known here goes
// there, whatever that one has.
func (c *Controller) Move(ctx context.Context, now Time, to store.Store, same bool) {
	c.locked(func() {
		c.settings.Store = to
		if same || c.machine == nil {
			return
		}
		d, err := to.Load(ctx, c.settings.Name)
		if err != nil {
			c.isAway(err)
		}
		c.version = d.Version
		c.unsaved = true
		c.flush(ctx, now)
	})
}

// checkpoint has the step's age saved every now and then.
func (c *Controller) checkpoint(now Time) {
	every := c.settings.Checkpoint
	if every > 0 && c.machine.State() == Progressing && now.Mono-c.saved >= every {
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

func (c *Controller) save(ctx context.Context, now Time, m *Machine) error {
	content, err := m.Record().Encode()
	if err != nil {
		return err
	}
	version, err := c.settings.Store.Swap(ctx, c.settings.Name, c.version, content)
	if err != nil {
		return err
	}
	c.version = version
	c.unsaved = false
	c.saved = now.Mono
	c.isBack()
	return nil
}

// load goes on with the record in the store, unless what happened here meanwhile counts for more.
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
		c.version = d.Version
		if c.machine != nil {
			ours := c.machine.Record()
			if record.State == "" || c.unsaved && outranks(&ours, &record) {
				c.unsaved = true
				return
			}
		}
		m, events := New(c.release, record, now)
		if c.machine != nil {
			m.remember(c.machine)
		}
		c.saved = now.Mono
		if len(events) > 0 {
			err = c.save(ctx, now, m)
		}
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			c.isAway(err)
			if c.machine == nil && forward(events) {
				return // a plan that begins where nothing can be remembered would begin with every process
			}
		}
		c.accept(m, events)
		c.unsaved = err != nil
		return
	}
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

// outranks reports whether a record that could not be saved counts for more than what somebody else saved meanwhile:
// of one revision the later epoch does, and within an epoch what is rolled back, then what is paused.
func outranks(ours, theirs *Record) bool {
	if ours.Revision != theirs.Revision || ours.Candidate != theirs.Candidate {
		return false
	}
	if ours.Epoch != theirs.Epoch {
		return ours.Epoch > theirs.Epoch
	}
	return rank(ours.State) > rank(theirs.State)
}

func rank(state State) int {
	switch state {
	case RolledBack:
		return 2
	case Paused:
		return 1
	}
	return 0
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
		c.told.faults = append(c.told.faults, nil)
	}
}
