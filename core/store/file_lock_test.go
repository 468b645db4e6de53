package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A process that was so slow that others took its turn away replaces nothing, and takes nobody's turn.
func TestSlowProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	file := NewFile(path, nil)
	if _, err := file.Swap(context.Background(), "checkout", "", []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := file.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slow.evict(slow.token)
	if holder := slow.holder(); holder != "" {
		t.Errorf("a turn that was taken away is that of %q", holder)
	}
	faster, err := file.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := file.write(contents{Format: fileFormat}, slow); !errors.Is(err, ErrConflict) {
		t.Errorf("the slow one writes: %v", err)
	}
	slow.unlock()
	if !faster.held() {
		t.Errorf("the slow one took the turn of the faster one")
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file is %s, %v; before it was %s", after, err, before)
	}
	faster.unlock()
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Of two that wait for the same abandoned turn one takes it away, and the other gives back what he took by mistake.
func TestTurnTakenAwayByMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	fresh, err := NewFile(path, nil).lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	waiter := &fileLock{path: fresh.path, token: "waiter"}
	waiter.evict("who had abandoned it")
	if !fresh.held() {
		t.Errorf("the turn is that of %q", fresh.holder())
	}
	if left, err := filepath.Glob(path + ".lock-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
