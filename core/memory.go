package core

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// memory holds decisions, by what was looked at to find them. Interpreted, a look-up takes a fraction of the time of a
// decision; compiled, it takes longer.
//
// Nothing in it needs a second look: whatever changes what it holds, as weights and files do, outdates it.
type memory struct {
	basis  *expr.Basis
	places sync.Map // from the basis of requests to their *Decision

	joined atomic.Bool  // whether the rollout's Live outdates it
	epoch  atomic.Int64 // counts how often it was outdated
	mu     sync.Mutex   // held while something is stored or everything forgotten, so that nothing old is stored later
	size   int64        // bytes, about
	closed bool         // the engine has ended: nothing is stored any more
	left   bool         // nor does Live outdate it; guarded by Live
}

// A basis is mostly a Cookie header, and clients can send as many different ones as they like. When the memory is full, it
// is emptied: those who come back are decided once more.
const (
	maxBasis  = 4 << 10 // bytes: what is longer is not remembered
	maxMemory = 8 << 20 // bytes
	entrySize = 160     // bytes that an entry takes beside its basis, about
)

// newMemory returns nil for an engine whose decisions rest on more than what conditions and the key look at. The basis
// covers what telling the upstream depends on as well.
func newMemory(e *Engine) *memory {
	basis := expr.NewBasis(e.table, e.key, append([]string{"Connection", "Trailer"}, e.announcer.others...)...)
	if basis == nil || e.full || e.key.Random() {
		return nil
	}
	return &memory{basis: basis}
}

// Recall decides a request that is like one which was decided before, and tells the upstream, as [Tell] does; nil if there
// is none, or more than the request's headers has to be looked at: then [Decide], and Tell. What it returns belongs to the
// engine and is only to be read.
//
// It is all that most requests need, so it is one function: interpreted, every further one costs as much as a part of it.
// What [expr.Near] and Tell do is done here once more for that reason.
func Recall(e *Engine, r *http.Request) (d *Decision) {
	basis := ""
	for _, header := range e.near {
		if len(r.Header[header.Name]) > 0 { // interpreted, to range over nothing costs more
			for _, field := range r.Header[header.Name] {
				basis += header.Mark + field
			}
		}
	}
	known, ok := e.recalled.Load(basis)
	if !ok {
		return nil
	}
	d = known.(*Decision)
	if d.fully || r.Trailer != nil {
		Tell(e, d, r)
		return d
	}
	r.Header[e.told] = []string{d.Variant}
	return d
}

// ended returns a decision as things are now: the rollout may have ended.
func ended(e *Engine, p *phase, d *Decision, now time.Time) *Decision {
	if e.later && d.Index != 0 && over(e, now) {
		return p.over
	}
	return d
}

// Decide is [Engine.Decide] for hosts that are interpreted, where a function costs a fifth of a method. What it returns is
// only to be read.
func Decide(e *Engine, r *http.Request, address string, now time.Time) *Decision {
	if e.near != nil {
		if d := decidePlain(e, r); d != nil {
			return d
		}
	}
	if e.memory != nil {
		return decideOnce(e, &expr.Input{Request: r, Address: address}, now)
	}
	d := e.Decide(r, address, now)
	return &d
}

// decidePlain is Decide for plain requests of a rollout that does not end. It returns nil for others.
func decidePlain(e *Engine, r *http.Request) *Decision {
	epoch := begin(e)
	key := expr.Plain(e.table, e.key, r.Header)
	if key == "" {
		return nil
	}
	p := current(e)
	d := p.split[balance.Place(p.line, e.splitSalt, key)]
	if expr.IsDistinct(e.memory.basis, r.Header) {
		remember(e, r, expr.Near(e.memory.basis, r.Header), d, epoch)
	}
	return d
}

// decideOnce is Decide for requests that are anything but plain.
func decideOnce(e *Engine, in *expr.Input, now time.Time) *Decision {
	basis := expr.Whole(e.memory.basis, in)
	if known, ok := e.memory.places.Load(basis); ok {
		d := known.(*Decision)
		return ended(e, d.phase, d, now)
	}
	epoch := begin(e)
	p := current(e)
	d := p.base
	if find(e, p, &d, in) && expr.IsDistinct(e.memory.basis, in.Request.Header) {
		remember(e, in.Request, basis, d, epoch)
	}
	return ended(e, p, d, now)
}

// find finds the first that applies. It returns false if it broke.
func find(e *Engine, p *phase, d **Decision, in *expr.Input) bool {
	defer recovered(e)
	if ruled(e, p, d, in) {
		return true
	}
	if key := expr.Read(e.key, in); key != "" {
		*d = p.split[balance.Place(p.line, e.splitSalt, key)]
	}
	return true
}

// begin returns the epoch in which a decision is about to be made that may be remembered.
func begin(e *Engine) int64 {
	if !e.memory.joined.Load() {
		e.live.join(e.memory)
	}
	return e.memory.epoch.Load()
}

// remember keeps a decision that was made in an epoch, unless that is over.
func remember(e *Engine, r *http.Request, basis string, d *Decision, epoch int64) {
	if len(basis) > maxBasis {
		return
	}
	if isToldFully(e.announcer, r) {
		fully := *d
		fully.fully = true
		d = &fully
	}
	m := e.memory
	m.mu.Lock()
	if m.epoch.Load() == epoch && !m.closed {
		m.size += int64(len(basis) + entrySize)
		if m.size > maxMemory {
			m.forget()
		}
		m.places.Store(basis, d)
	}
	m.mu.Unlock()
}

// isToldFully reports whether telling the upstream of a decision takes more than one header, whatever the decision is.
func isToldFully(a *announcer, r *http.Request) bool {
	for _, name := range a.others {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return a.baggage || a.request == "" || len(r.Header["Connection"]) > 0 || len(r.Header["Trailer"]) > 0
}

// outdate forgets everything because what decisions rest on has changed.
func (m *memory) outdate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch.Add(1)
	m.forget()
}

// close forgets everything for good.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.forget()
}

// forget makes room; mu is held.
func (m *memory) forget() {
	m.size = 0
	m.places.Clear()
}

// join has a memory outdated when weights change, until it leaves. Joining is left to the first decision because engines
// may be dropped that never made one.
func (l *Live) join(m *memory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !m.joined.Load() && !m.left {
		l.memories = append(l.memories, m)
	}
	m.joined.Store(true)
}

// leave is for the memory of an engine that has ended.
func (l *Live) leave(m *memory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.left = true
	m.close()
	var others []*memory
	for _, other := range l.memories {
		if other != m {
			others = append(others, other)
		}
	}
	l.memories = others
}
