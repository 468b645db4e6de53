package mirror

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
)

// MaxAnswer is how much of an answer is read, in bytes: 1 MiB. The rest is cut off.
const MaxAnswer = 1 << 20

// maxDrained is the same of an answer that nobody compares: 256 KiB. What is left of it costs a connection, and to read more
// than that takes longer than to make a new one. The server of net/http reads as much of a body that nobody wants.
const maxDrained = 256 << 10

// Copies are those of one request. They belong to the request's handler and to the goroutines that send them.
type Copies struct {
	runner   *Runner
	pattern  *http.Request // the request as it was, without its headers and body; only read
	complete bool          // whether there is no body to wait for
	keeps    bool          // whether a comparison looks at bodies
	ended    chan struct{} // closed by End

	mu      sync.Mutex
	waiting []*copying // for the body's end
	body    []byte     // what was read of it
	trailer http.Header
	ready   time.Time // when the request was known as a whole
	left    int       // copies that wait, or whose comparison does; with none, nothing is kept
	answer  *answer   // the client's
	over    bool      // whether ended is closed
}

// copying is a request's copy for one mirror.
type copying struct {
	mirror      *mirror
	header      http.Header
	control     http.Header  // of the one for the baseline; nil: there is none
	differences *differences // where they are counted; nil: answers are not compared
}

func newCopies(m *Mirrors, in *expr.Input) *Copies {
	r := in.Request
	ctx := context.Background()
	if m.rollout.Detach != nil {
		ctx = context.WithoutCancel(m.rollout.Detach(r))
	}
	ctx = context.WithValue(ctx, clientKey, in.Address)
	c := &Copies{runner: m.runner, pattern: r.WithContext(ctx), ended: make(chan struct{}), answer: &answer{}}
	url := *r.URL
	c.pattern.URL = &url
	c.pattern.Header = nil
	c.pattern.Body = nil
	c.pattern.Form = nil
	c.pattern.PostForm = nil
	c.pattern.MultipartForm = nil
	c.pattern.TransferEncoding = nil
	c.complete = r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
	if c.complete {
		c.ready = time.Now()
	}
	return c
}

// refusal returns what counts requests that a mirror does not copy for a reason that stands in their headers, or nil.
func refusal(one *mirror, r *http.Request) *atomic.Int64 {
	counts := &one.ledger.Counts
	switch {
	case len(r.Header[Header]) > 0:
		return &counts.Loop
	case len(r.Header["Upgrade"]) > 0:
		return &counts.Upgrade
	case r.ContentLength > int64(one.settings.MaxBody):
		return &counts.BodyTooLong
	}
	return nil
}

// add prepares a copy, if there is room for it.
func (c *Copies) add(one *mirror, m *Mirrors, r *http.Request, serving string) {
	slots := &one.ledger.uploads
	if c.complete {
		slots = &one.ledger.sending
	}
	if !acquire(slots, one.settings.Concurrency) {
		one.ledger.Counts.DroppedConcurrency.Add(1)
		return
	}
	k := &copying{mirror: one, header: carried(r.Header, one.drop, m.rollout.Name)}
	if compare := one.settings.Compare; compare != nil && serving == m.rollout.Baseline {
		k.differences = one.ledger.current()
		c.keeps = c.keeps || compare.Body || compare.JSON
		if one.settings.Control != nil {
			k.control = carried(r.Header, one.control, m.rollout.Name)
		}
	}
	c.waiting = append(c.waiting, k)
	c.left++
}

// acquire takes one of so many slots, if one is free.
func acquire(slots *atomic.Int64, limit int) bool {
	if slots.Add(1) > int64(limit) {
		slots.Add(-1)
		return false
	}
	return true
}

// body passes on what a client sends, and shows it to the copies. The transport may read it in a goroutine of its own.
type body struct {
	source io.ReadCloser
	copies *Copies
}

// Read passes on what the client sent.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.source.Read(p)
	b.copies.took(p[:n], err)
	return n, err
}

// Close closes the client's body.
func (b *body) Close() error { return b.source.Close() }

// took begins the copies when the body was read as a whole.
func (c *Copies) took(p []byte, err error) {
	c.mu.Lock()
	ready := c.gather(p, err)
	c.mu.Unlock()
	c.launch(ready)
}

// gather keeps what was read of the body, as long as somebody waits for it, and returns who has it now. Requires c.mu.
func (c *Copies) gather(p []byte, err error) []*copying {
	if len(c.waiting) == 0 {
		return nil
	}
	c.refuse(len(c.body) + len(p))
	if len(c.waiting) == 0 {
		c.body = nil
		return nil
	}
	c.body = append(c.body, p...)
	ended := errors.Is(err, io.EOF)
	if !ended && len(c.pattern.Trailer) == 0 { // a transport that knows the length may not ask for the end
		ended = int64(len(c.body)) == c.pattern.ContentLength
	}
	if ended {
		c.ready = time.Now()
		c.trailer = c.pattern.Trailer.Clone() // has its values now
		return c.release()
	}
	if err != nil {
		c.abandon()
	}
	return nil
}

// release returns the copies that wait, which do so no longer. Requires c.mu, or that nobody else knows c.
func (c *Copies) release() []*copying {
	ready := c.waiting
	c.waiting = nil
	return ready
}

// refuse drops the copies for which a body of so many bytes is too long. Requires c.mu.
func (c *Copies) refuse(length int) {
	var rest []*copying
	for _, k := range c.waiting {
		if length > k.mirror.settings.MaxBody {
			c.drop(k, &k.mirror.ledger.Counts.BodyTooLong)
		} else {
			rest = append(rest, k)
		}
	}
	c.waiting = rest
}

// abandon drops the copies that wait for a body which does not come. Requires c.mu.
func (c *Copies) abandon() {
	if len(c.waiting) == 0 {
		return // those that are sent may still read it
	}
	for _, k := range c.waiting {
		c.drop(k, &k.mirror.ledger.Counts.BodyIncomplete)
	}
	c.waiting = nil
	c.body = nil
}

// drop counts a copy that waited in vain. Requires c.mu.
func (c *Copies) drop(k *copying, reason *atomic.Int64) {
	reason.Add(1)
	k.mirror.ledger.uploads.Add(-1)
	c.leave()
}

// leave tells that one copy less waits for anything. Requires c.mu.
func (c *Copies) leave() {
	c.left--
	if c.left == 0 {
		c.answer = &answer{}
	}
}

// launch sends copies whose body is known.
func (c *Copies) launch(ready []*copying) {
	for _, k := range ready {
		if c.complete {
			c.start(k)
			continue
		}
		k.mirror.ledger.uploads.Add(-1)
		if acquire(&k.mirror.ledger.sending, k.mirror.settings.Concurrency) {
			c.start(k)
		} else {
			k.mirror.ledger.Counts.DroppedConcurrency.Add(1)
			c.finish()
		}
	}
}

// start sends a copy that has a slot.
func (c *Copies) start(k *copying) {
	s := c.runner.begin()
	if s == nil {
		k.mirror.ledger.Counts.Stopped.Add(1)
		k.mirror.ledger.sending.Add(-1)
		c.finish()
		return
	}
	if k.differences == nil {
		c.finish() // nothing waits for the client's answer
	}
	go send(s, c, k)
}

// finish is leave for those who do not hold c.mu.
func (c *Copies) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave()
}

// request returns a new copy with these headers.
func (c *Copies) request(ctx context.Context, header http.Header, drop map[string]bool) *http.Request {
	r := c.pattern.WithContext(ctx)
	url := *c.pattern.URL
	r.URL = &url
	r.Header = header
	r.Body = http.NoBody
	r.ContentLength = int64(len(c.body))
	r.Trailer = nil
	for name, fields := range c.trailer {
		if len(fields) > 0 && !drop[folded(name)] {
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			r.Trailer[name] = append([]string(nil), fields...)
		}
	}
	if len(c.body) > 0 || r.Trailer != nil {
		r.Body = io.NopCloser(newReader(c.body))
	}
	if r.Trailer != nil {
		r.ContentLength = -1 // HTTP/1.1 has trailers only where the length is not told
	}
	return r
}
