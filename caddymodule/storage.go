package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/grayling-gateway/grayling/core/store"
)

// storage keeps the state of rollouts in Caddy's storage, where all Caddys with the same storage find it: a document for
// each rollout, under rollouts/state/<name>.
//
// Such a storage can neither compare and swap nor tell of changes. So a document holds its version, whoever replaces it
// takes Caddy's lock for as long as that needs, and whoever watches asks again every two seconds. Reading takes no lock:
// a storage shows a value as a whole.
//
// A document that is damaged is moved aside, to a key with ".damaged." and the time behind it, and reported. One that a
// newer version of this program wrote is left alone: that is an error.
type storage struct {
	in     certmagic.Storage
	report func(error) // is told what an operator should know
	seen   *sightings  // of what members report
}

const (
	stateKey      = "rollouts/state/"
	storageFormat = 1
)

// stored is what lies in the storage.
type stored struct {
	Format  int             `json:"format"`
	Version string          `json:"version"`
	Content json.RawMessage `json:"content"`
}

var errDamaged = errors.New("damaged")

// name tells a storage from others over reloads, by what it is configured with.
func (s *storage) name() string {
	config, err := json.Marshal(s.in)
	if err != nil {
		config = nil // another storage of the same kind is taken for this one: what it has counts, as after a restart
	}
	return "caddy " + fingerprint(fmt.Appendf(config, " %T", s.in))
}

// Load returns a document.
func (s *storage) Load(ctx context.Context, name string) (store.Document, error) {
	d, err := s.read(ctx, name)
	if errors.Is(err, errDamaged) {
		err = s.locked(ctx, name, func() error {
			d, err = s.readOrMoveAside(ctx, name)
			return err
		})
	}
	return store.Document{Version: d.Version, Content: d.Content}, err
}

// Swap replaces the content of a document.
func (s *storage) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := store.Check(content); err != nil {
		return "", err
	}
	next := stored{Format: storageFormat, Version: rand.Text(), Content: content}
	text, err := json.Marshal(next)
	if err != nil {
		return "", fmt.Errorf("writing the state: %w", err)
	}
	err = s.locked(ctx, name, func() error {
		now, err := s.readOrMoveAside(ctx, name)
		if err != nil {
			return err
		}
		if now.Version != version {
			return store.ErrConflict
		}
		if err := s.in.Store(ctx, stateKey+name, text); err != nil {
			return fmt.Errorf("writing the state to Caddy's storage: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return next.Version, nil
}

// Watch calls changed with every version that it sees, about every two seconds. The time varies, so that many gateways do
// not all ask at once.
func (s *storage) Watch(ctx context.Context, name string, changed func(store.Document)) error {
	seen := store.Document{Version: "none yet"}
	for {
		d, err := s.Load(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if d.Version != seen.Version {
			seen = d
			changed(d)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(1500*time.Millisecond + mathrand.N(time.Second)):
		}
	}
}

// locked calls change while nobody else changes that document.
func (s *storage) locked(ctx context.Context, name string, change func() error) error {
	if err := s.in.Lock(ctx, stateKey+name); err != nil {
		return fmt.Errorf("locking the state in Caddy's storage: %w", err)
	}
	defer func() {
		if err := s.in.Unlock(context.WithoutCancel(ctx), stateKey+name); err != nil {
			s.report(fmt.Errorf("unlocking the state of %s in Caddy's storage: %w", name, err))
		}
	}()
	return change()
}

// read returns what is in the storage; the zero value if nothing is.
func (s *storage) read(ctx context.Context, name string) (stored, error) {
	return decode(s.in.Load(ctx, stateKey+name))
}

func decode(text []byte, err error) (stored, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, fmt.Errorf("reading the state from Caddy's storage: %w", err)
	}
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(text, &head) == nil && head.Format > storageFormat {
		return stored{}, fmt.Errorf("the state in Caddy's storage was written by a newer version, and this one knows format %d: use that version, or another storage", storageFormat)
	}
	var d stored
	if err := json.Unmarshal(text, &d); err != nil {
		return stored{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if d.Format != storageFormat || d.Version == "" || d.Content == nil {
		return stored{}, fmt.Errorf("%w: it says nothing of its format or version", errDamaged)
	}
	return d, nil
}

// readOrMoveAside returns what is in the storage. The document must be locked.
func (s *storage) readOrMoveAside(ctx context.Context, name string) (stored, error) {
	key := stateKey + name
	text, err := s.in.Load(ctx, key)
	d, damage := decode(text, err)
	if !errors.Is(damage, errDamaged) {
		return d, damage
	}
	aside := key + ".damaged." + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := s.in.Store(ctx, aside, text); err != nil {
		return stored{}, fmt.Errorf("the state in Caddy's storage is %w; moving it aside: %w", damage, err)
	}
	if err := s.in.Delete(ctx, key); err != nil {
		return stored{}, fmt.Errorf("the state in Caddy's storage is %w; moving it aside: %w", damage, err)
	}
	s.report(fmt.Errorf("the state under %s in Caddy's storage is %w; it is under %s now, and what it held is forgotten", key, damage, aside))
	return stored{}, nil
}

// Interface guard
var _ store.Store = (*storage)(nil)
