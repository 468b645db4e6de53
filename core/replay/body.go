// Package replay lets a request be sent a second time.
package replay

import (
	"errors"
	"io"
	"sync"
)

// Limit is how much of a body is kept: 64 KiB.
const Limit = 64 << 10

// Body passes a request's body through and keeps what was read of it, up to [Limit]. It is safe for concurrent use, as
// a transport may still read it when the attempt that it was for has failed.
type Body struct {
	source io.ReadCloser

	mu      sync.Mutex
	kept    []byte // what was read from the source so far
	over    bool   // more was read than is kept
	reading bool
	closed  bool // whoever read it has done so
	retired bool // another body has taken over
}

// ErrRetired is what reading a body gives after [Body.Again].
var ErrRetired = errors.New("the body belongs to another attempt")

// NewBody returns a body that passes source through.
func NewBody(source io.ReadCloser) *Body { return &Body{source: source} }

// Read passes on what the source has.
func (b *Body) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, ErrRetired
	}
	n, err := b.source.Read(p)
	b.keep(p[:n])
	return n, err
}

func (b *Body) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = !b.retired
	return b.reading
}

func (b *Body) keep(read []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if len(b.kept)+len(read) > Limit {
		b.over = true
		b.kept = nil
	}
	if !b.over {
		b.kept = append(b.kept, read...)
	}
}

// Close leaves the source open: another attempt may read it, and the server closes it in the end.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// Again returns the whole body once more, for another attempt; this one is retired. It returns nil if more was read than
// is kept, or if somebody may still be reading: a transport reads on in the background until it closes the body.
func (b *Body) Again() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.reading || b.retired || len(b.kept) > 0 && !b.closed {
		return nil
	}
	b.retired = true
	return &replayed{kept: b.kept, rest: b.source}
}

// replayed is what was kept, followed by the rest of the source.
type replayed struct {
	kept []byte
	rest io.ReadCloser
}

// Read returns what was kept, then what the source has left.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.kept) > 0 {
		n := copy(p, r.kept)
		r.kept = r.kept[n:]
		return n, nil
	}
	return r.rest.Read(p)
}

// Close closes the source.
func (r *replayed) Close() error { return r.rest.Close() }
