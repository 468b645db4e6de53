package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/grayling-gateway/grayling/core/await"
)

// Memory is a store that ends with its process. The zero value is empty and ready.
type Memory struct {
	mu        sync.Mutex
	documents map[string]Document // guarded by mu
	changes   int64               // guarded by mu
	changed   chan struct{}       // closed with the next change; nil if nobody watches; guarded by mu
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{} }

// Load returns a document.
func (m *Memory) Load(_ context.Context, name string) (Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.documents[name], nil
}

// Swap replaces the content of a document.
func (m *Memory) Swap(_ context.Context, name, version string, content []byte) (string, error) {
	if err := Check(content); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.documents[name].Version != version {
		return "", ErrConflict
	}
	if m.documents == nil {
		m.documents = map[string]Document{}
	}
	m.changes++
	next := strconv.FormatInt(m.changes, 10)
	m.documents[name] = Document{Version: next, Content: append([]byte(nil), content...)}
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
	return next, nil
}

// Watch calls changed with every version that it sees, until the context ends.
func (m *Memory) Watch(ctx context.Context, name string, changed func(Document)) error {
	seen := Document{Version: "none yet"}
	for {
		document, change := m.next(name)
		if document.Version != seen.Version {
			seen = document
			changed(document)
		}
		if at, _ := await.First(change, ctx.Done()); at != 0 {
			return ctx.Err()
		}
	}
}

// next returns a document and a channel that is closed when any has changed since.
func (m *Memory) next(name string) (Document, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.documents[name], m.changed
}

// Check returns the error, an ErrDocument, with which every store refuses content that is none for it.
func Check(content []byte) error {
	if len(content) > MaxContent {
		return fmt.Errorf("%w: %d bytes, and it may have %d", ErrDocument, len(content), MaxContent)
	}
	if !json.Valid(content) {
		return fmt.Errorf("%w: not JSON", ErrDocument)
	}
	return nil
}
