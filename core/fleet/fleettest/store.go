// Package fleettest has a store that gateways share, in memory, for tests.
package fleettest

import (
	"context"
	"errors"
	"sort"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// Store is one gateway's way to a store that gateways share.
type Store struct {
	*store.Memory
	desk *desk

	mu  sync.Mutex
	cut bool // guarded by mu

	// Rollouts is how many this gateway says to report.
	Rollouts int
}

// desk is where reports lie.
type desk struct {
	mu      sync.Mutex
	reports map[string]map[string]filed // by rollout and member; guarded by mu
}

type filed struct {
	content []byte
	until   time.Time
}

// ErrCut is what a way that is cut off says.
var ErrCut = errors.New("the cable is cut")

// New returns the way of the first gateway to an empty store.
func New() *Store {
	return &Store{Memory: store.NewMemory(), desk: &desk{reports: map[string]map[string]filed{}}}
}

// Link returns the way of another gateway.
func (s *Store) Link() *Store { return &Store{Memory: s.Memory, desk: s.desk} }

// Cut cuts this way off, or puts it together again.
func (s *Store) Cut(off bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = off
}

func (s *Store) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return ErrCut
	}
	return nil
}

// Load returns a document.
func (s *Store) Load(ctx context.Context, name string) (store.Document, error) {
	if err := s.fault(); err != nil {
		return store.Document{}, err
	}
	document, err := s.Memory.Load(ctx, name)
	return document, err
}

// Swap replaces a document.
func (s *Store) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := s.fault(); err != nil {
		return "", err
	}
	next, err := s.Memory.Swap(ctx, name, version, content)
	return next, err
}

// Watch tells of changes, but of none while the way is cut off.
func (s *Store) Watch(ctx context.Context, name string, changed func(store.Document)) error {
	return s.Memory.Watch(ctx, name, func(d store.Document) {
		for s.fault() != nil && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		changed(d)
	})
}

// Report replaces what a member says.
func (s *Store) Report(_ context.Context, rollout, member string, content []byte, ttl time.Duration) error {
	if err := s.fault(); err != nil {
		return err
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if s.desk.reports[rollout] == nil {
		s.desk.reports[rollout] = map[string]filed{}
	}
	s.desk.reports[rollout][member] = filed{content: append([]byte(nil), content...), until: time.Now().Add(ttl)}
	return nil
}

// Reports returns what the members say.
func (s *Store) Reports(_ context.Context, rollout string, limit int) ([]store.Report, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	var reports []store.Report
	for member, f := range s.desk.reports[rollout] {
		if time.Now().Before(f.until) {
			reports = append(reports, store.Report{Member: member, Content: f.content})
		}
	}
	sort.Slice(reports, func(a, b int) bool { return reports[a].Member < reports[b].Member })
	if limit > 0 && len(reports) > limit {
		reports = reports[:limit]
	}
	return reports, nil
}

// Leave forgets what a member said.
func (s *Store) Leave(_ context.Context, rollout, member string) error {
	if err := s.fault(); err != nil {
		return err
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	delete(s.desk.reports[rollout], member)
	return nil
}

// Reporting returns what Rollouts says.
func (s *Store) Reporting() int { return s.Rollouts }
