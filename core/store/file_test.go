package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/store/storetest"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state [1]*.json")
	storetest.Contract(t, func() store.Store {
		return store.NewFile(path, func(fault error) { t.Errorf("reported: %v", fault) })
	})
	only(t, path)
}

// only expects that nothing but the file is left in its directory.
func only(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			t.Errorf("left behind: %s", entry.Name())
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: mode %v, error %v", info.Mode(), err)
	}
}

func TestDamagedFile(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "state.json")
	if _, err := store.NewFile(whole, nil).Swap(context.Background(), "checkout", "", []byte(`{"step": 2}`)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string]string{"empty": "", "null": "null", "another document": "{}", "zeros": strings.Repeat("\x00", len(good)), "twice": string(good) + string(good),
		"half": string(good[:len(good)/2]), "a byte less": string(good[:len(good)-1]), "a format of none": `{"format":-1}`, "a list": "[1]"}
	for what, damage := range damages {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		var faults []string
		file := store.NewFile(path, func(fault error) { faults = append(faults, fault.Error()) })
		d, err := file.Load(context.Background(), "checkout")
		if err != nil || d.Version != "" {
			t.Errorf("%s: version %q, error %v; want none", what, d.Version, err)
		}
		if len(faults) != 1 || !strings.Contains(faults[0], path+" is damaged") || !strings.Contains(faults[0], path+".damaged-") {
			t.Errorf("%s: reported %q", what, faults)
		}
		if _, err := file.Swap(context.Background(), "checkout", "", []byte(`1`)); err != nil {
			t.Errorf("%s: and then: %v", what, err)
		}
		aside, err := filepath.Glob(path + ".damaged-*")
		if err != nil || len(aside) != 1 {
			t.Errorf("%s: aside are %v, %v", what, aside, err)
			continue
		}
		if kept, err := os.ReadFile(aside[0]); err != nil || string(kept) != damage {
			t.Errorf("%s: aside is %q, error %v", what, kept, err)
		}
	}
}

func TestDamageMetByWhoWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	reported := 0
	file := store.NewFile(path, func(_ error) { reported++ })
	version, err := file.Swap(context.Background(), "checkout", "", []byte(`1`))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("damage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Swap(context.Background(), "checkout", version, []byte(`2`)); !errors.Is(err, store.ErrConflict) || reported != 1 {
		t.Errorf("error %v, %d reports; want a conflict, and one", err, reported)
	}
	again, err := file.Swap(context.Background(), "checkout", "", []byte(`2`))
	if err != nil || again == version {
		t.Errorf("version %q after a damage, error %v; before it was %q", again, err, version)
	}
}

func TestFilesLeftAlone(t *testing.T) {
	directory := t.TempDir()
	newer := filepath.Join(directory, "newer")
	if err := os.WriteFile(newer, []byte(`{"format": 2, "documents": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	newest := filepath.Join(directory, "newest")
	if err := os.WriteFile(newest, []byte(`{"format": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, says string }{
		{newer, "newer version, and this one knows format 1"},
		{newest, "newer version, and this one knows format 1"},
		{directory, "is a directory"},
		{filepath.Join(newer, "state.json"), "not a directory"},
	} {
		c := c
		file := store.NewFile(c.path, func(fault error) { t.Errorf("%s: reported: %v", c.path, fault) })
		if _, err := file.Load(context.Background(), "checkout"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: loading: %v, want an error that says %q", c.path, err, c.says)
		}
		if _, err := file.Swap(context.Background(), "checkout", "", []byte(`1`)); err == nil {
			t.Errorf("%s: it was written", c.path)
		}
	}
	missing := store.NewFile(filepath.Join(directory, "missing", "state.json"), nil)
	if d, err := missing.Load(context.Background(), "checkout"); err == nil || !strings.Contains(err.Error(), "the directory has to be there") {
		t.Errorf("a directory that is missing, as of a volume that is not mounted yet, is no rollout of which nothing is known: %q, %v", d.Version, err)
	}
	if _, err := missing.Swap(context.Background(), "checkout", "", []byte(`1`)); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("writing to a directory that is missing: %v", err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory has %v, %v; want the two files", entries, err)
	}
}

func TestSymbolicLink(t *testing.T) {
	directory := t.TempDir()
	target := filepath.Join(t.TempDir(), "state.json")
	link := filepath.Join(directory, "link.json")
	if err := os.WriteFile(target, []byte(`{"format": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	version, err := store.NewFile(link, nil).Swap(context.Background(), "checkout", "", []byte(`1`))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := store.NewFile(target, nil).Load(context.Background(), "checkout"); err != nil || d.Version != version {
		t.Errorf("behind the link is %q, %v; want %q", d.Version, err, version)
	}
	only(t, target)
}

// A process that died in its turn holds up the others for a while, and not for ever.
func TestAbandonedTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for name, content := range map[string]string{".lock": "of a dead process", ".new-dead": "half of a fi"} {
		if err := os.WriteFile(path+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.NewFile(path, nil).Swap(soon, "checkout", "", []byte(`1`)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("the turn is somebody's: %v", err)
	}
	if _, err := store.NewFile(path, nil).Swap(context.Background(), "checkout", "", []byte(`1`)); err != nil {
		t.Errorf("a turn that was abandoned: %v", err)
	}
	only(t, path)
}

// Who waits with less patience, as gateways do, learns all the same that a turn was abandoned.
func TestAbandonedTurnAndNoPatience(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path+".lock", []byte("of a dead process"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := store.NewFile(path, nil)
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := file.Swap(ctx, "checkout", "", []byte(`1`))
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Now().After(deadline) {
			t.Fatalf("a turn that was abandoned: %v", err)
		}
	}
	only(t, path)
}
