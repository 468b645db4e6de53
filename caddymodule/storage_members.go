package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// reportKey is what the keys of what members report begin with: rollouts/members/<rollout>/<member>. A member alone
// writes his, so there are no locks.
const reportKey = "rollouts/members/"

// reported is what lies in the storage for one member.
type reported struct {
	Format  int             `json:"format"`
	Member  string          `json:"member"`  // a file that a storage is just writing has another name
	Version string          `json:"version"` // another in every report
	TTL     int64           `json:"ttl"`     // in seconds
	Content json.RawMessage `json:"content"`
}

// sightings are when reports were seen first, by their keys. A storage forgets nothing by itself, and the clocks of
// members may differ: so whoever reads forgets what has not changed for its time to live by his own clock.
type sightings struct {
	mu    sync.Mutex
	byKey map[string]sighting // guarded by mu

	said sync.Map // the keys of what this process reports itself
}

type sighting struct {
	version string
	since   time.Time
}

const (
	// leftoverTTL is how long what nobody can read may live.
	leftoverTTL = time.Minute

	// deadFor is how many times its time to live a report has not changed when whoever sees it removes it: a member that
	// lives on in spite of that reports again.
	deadFor = 4
)

// Report replaces what a member says of a rollout.
func (s *storage) Report(ctx context.Context, rollout, member string, content []byte, ttl time.Duration) error {
	if err := store.CheckReport(content); err != nil {
		return err
	}
	seconds := int64((ttl + time.Second - 1) / time.Second)
	text, err := json.Marshal(reported{Format: storageFormat, Member: member, Version: rand.Text(), TTL: seconds, Content: content})
	if err != nil {
		return fmt.Errorf("reporting to others: %w", err)
	}
	key := reportKey + rollout + "/" + member
	if err := s.in.Store(ctx, key, text); err != nil {
		return fmt.Errorf("reporting to others through Caddy's storage: %w", err)
	}
	s.seen.said.Store(key, true)
	return nil
}

// Leave forgets what a member said of a rollout.
func (s *storage) Leave(ctx context.Context, rollout, member string) error {
	key := reportKey + rollout + "/" + member
	err := s.in.Delete(ctx, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a report from Caddy's storage: %w", err)
	}
	s.seen.said.Delete(key)
	return nil
}

// Reporting returns how many reports this process has written, and not left.
func (s *storage) Reporting() int {
	n := 0
	s.seen.said.Range(func(_, _ any) bool {
		n++
		return true
	})
	return n
}

// Reports returns what the members say of a rollout, in the order of their names.
func (s *storage) Reports(ctx context.Context, rollout string, limit int) ([]store.Report, error) {
	keys, err := s.reportKeys(ctx, rollout)
	if err != nil {
		return nil, err
	}
	s.seen.keep(reportKey+rollout+"/", keys)
	var list []store.Report
	for _, key := range keys {
		if limit > 0 && len(list) == limit {
			break
		}
		text, err := s.in.Load(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the member has left since
		}
		if err != nil {
			return nil, fmt.Errorf("reading a report from Caddy's storage: %w", err)
		}
		r, is := readReport(key, text)
		old := s.seen.age(key, r.Version, time.Now())
		ttl := time.Duration(r.TTL) * time.Second
		if old > deadFor*ttl {
			_ = s.in.Delete(ctx, key) // or somebody else does
		}
		if is && old <= ttl {
			list = append(list, store.Report{Member: r.Member, Content: r.Content})
		}
	}
	return list, nil
}

// readReport returns what is in the storage, and whether it is a report. What is none has a version too, and a time to
// live.
func readReport(key string, text []byte) (reported, bool) {
	var r reported
	err := json.Unmarshal(text, &r)
	if err == nil && r.Format == storageFormat && r.Member == path.Base(key) && r.Version != "" && r.TTL > 0 && r.Content != nil {
		return r, true
	}
	sum := sha256.Sum256(text)
	return reported{Version: hex.EncodeToString(sum[:]), TTL: int64(leftoverTTL / time.Second)}, false
}

// reportKeys returns the keys of a rollout's reports, sorted.
func (s *storage) reportKeys(ctx context.Context, rollout string) ([]string, error) {
	prefix := reportKey + rollout
	const attempts = 3 // a file storage misses one that is replaced while it lists them, and then it says that there are none
	for range attempts {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		keys, err := s.in.List(ctx, prefix, false)
		if err == nil {
			slices.Sort(keys)
			return keys, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listing reports in Caddy's storage: %w", err)
		}
	}
	return nil, nil
}

// keep forgets the sightings under a prefix that are not of these keys, which are sorted.
func (s *sightings) keep(prefix string, keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.byKey {
		if _, is := slices.BinarySearch(keys, key); !is && strings.HasPrefix(key, prefix) {
			delete(s.byKey, key)
		}
	}
}

// age returns for how long a report has been seen unchanged.
func (s *sightings) age(key, version string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.byKey[key]
	if known && seen.version == version {
		return now.Sub(seen.since)
	}
	if s.byKey == nil {
		s.byKey = make(map[string]sighting)
	}
	s.byKey[key] = sighting{version: version, since: now}
	return 0
}

// Interface guard
var _ store.Members = (*storage)(nil)
