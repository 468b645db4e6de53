package caddymodule

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/store/storetest"
)

// storageIn returns Caddy's storage in a directory, as a process of its own would have it, and a function that returns
// what it reported since.
func storageIn(directory string) (s *storage, reported func() string) {
	var reports []string
	s = &storage{in: &certmagic.FileStorage{Path: directory}, report: func(err error) { reports = append(reports, err.Error()) }, seen: &sightings{}}
	return s, func() string {
		text := strings.Join(reports, "\n")
		reports = nil
		return text
	}
}

func TestStorage(t *testing.T) {
	directory := t.TempDir()
	storetest.Contract(t, func() store.Store {
		return &storage{in: &certmagic.FileStorage{Path: directory}, report: func(err error) { t.Errorf("reported: %v", err) }}
	})
	storetest.Members(t, func() store.Members {
		s, _ := storageIn(directory)
		return s
	})
	locks, err := os.ReadDir(filepath.Join(directory, "locks"))
	if err != nil || len(locks) > 0 {
		t.Errorf("locks that are left: %v %v", locks, err)
	}
}

// TestDamagedState: what nobody can read is kept for somebody to look at, and the rollout begins anew.
func TestDamagedState(t *testing.T) {
	directory := t.TempDir()
	for name, damage := range map[string]string{
		"empty": "", "zeros": strings.Repeat("\x00", 80), "cut": `{"format":1,"version":"a","content":{"sta`, "list": "[]", "null": "null",
		"formatless": `{"version":"a","content":{}}`, "negative": `{"format":-1,"version":"a","content":{}}`, "versionless": `{"format":1,"content":{}}`,
		"contentless": `{"format":1,"version":"a"}`, "format": `{"format":"1","version":"a","content":{}}`, "twice": `{"format":1,"version":"a","content":{}} {}`,
	} {
		for _, how := range []string{"load", "swap"} {
			s, reported := storageIn(directory)
			name := name + "-" + how
			file := filepath.Join(directory, filepath.FromSlash(stateKey), name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			if how == "load" {
				if d, err := s.Load(t.Context(), name); err != nil || d.Version != "" || d.Content != nil {
					t.Errorf("%s: loaded %q %s, error %v", name, d.Version, d.Content, err)
				}
			}
			if _, err := s.Swap(t.Context(), name, "", []byte(`{"a":1}`)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if d, err := s.Load(t.Context(), name); err != nil || string(d.Content) != `{"a":1}` {
				t.Errorf("%s: afterwards %s, error %v", name, d.Content, err)
			}
			kept, err := filepath.Glob(file + ".damaged.*")
			if err != nil || len(kept) != 1 {
				t.Fatalf("%s: moved aside to %v, error %v", name, kept, err)
			}
			if text, err := os.ReadFile(kept[0]); err != nil || string(text) != damage {
				t.Errorf("%s: moved aside %q, error %v", name, text, err)
			}
			if text := reported(); strings.Count(text, "is damaged") != 1 || !strings.Contains(text, stateKey+name+".damaged.") {
				t.Errorf("%s: reported %q", name, text)
			}
		}
	}
}

// TestStateOfANewerVersion is left alone, whatever is in it.
func TestStateOfANewerVersion(t *testing.T) {
	for _, text := range []string{`{"format":2}`, `{"format":3,"version":7,"content":"?"}`} {
		directory := t.TempDir()
		s, reported := storageIn(directory)
		file := filepath.Join(directory, filepath.FromSlash(stateKey), "newer")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, loading := s.Load(t.Context(), "newer")
		_, swapping := s.Swap(t.Context(), "newer", "", []byte("{}"))
		watching := s.Watch(t.Context(), "newer", func(store.Document) { t.Error("something is seen") })
		for what, err := range map[string]error{"loading": loading, "swapping": swapping, "watching": watching} {
			if err == nil || !strings.Contains(err.Error(), "a newer version") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != text || reported() != "" {
			t.Errorf("now there is %s, error %v", now, err)
		}
	}
}

// TestStorageAway: every fault of the storage is an error that is none of those that mean something else.
func TestStorageAway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := storageIn(file)
	_, loading := s.Load(t.Context(), "away")
	_, swapping := s.Swap(t.Context(), "away", "", []byte("{}"))
	watching := s.Watch(t.Context(), "away", func(store.Document) { t.Error("something is seen") })
	for what, err := range map[string]error{"loading": loading, "swapping": swapping, "watching": watching} {
		if err == nil || !strings.Contains(err.Error(), "not a directory") || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrDocument) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestLockedState: whoever waits for a lock does not wait for longer than he wants to.
func TestLockedState(t *testing.T) {
	directory := t.TempDir()
	s, _ := storageIn(directory)
	held := &certmagic.FileStorage{Path: directory}
	if err := held.Lock(t.Context(), stateKey+"locked"); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Swap(ended, "locked", "", []byte("2")); !errors.Is(err, context.Canceled) {
		t.Errorf("while somebody else holds the lock: %v", err)
	}
	if d, err := s.Load(t.Context(), "locked"); err != nil || d.Version != "" {
		t.Errorf("reading while somebody else holds the lock: %q %v", d.Version, err)
	}
	if err := held.Unlock(t.Context(), stateKey+"locked"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), "locked", "", []byte("2")); err != nil {
		t.Error(err)
	}
}

// TestStorageName: a reload goes on with the storage that it was; another one is another.
func TestStorageName(t *testing.T) {
	one, _ := storageIn("/one")
	again, _ := storageIn("/one")
	other, _ := storageIn("/other")
	if one.name() != again.name() || one.name() == other.name() {
		t.Errorf("%s, %s, %s", one.name(), again.name(), other.name())
	}
}
