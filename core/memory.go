package core

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// memory holds where requests belong, by what was looked at to find out. Interpreted, a look-up takes a fraction of the
// time of a decision; compiled, it takes longer.
//
// What may change from one request to the next is not in it: the slot is, and not who owns it.
type memory struct {
	basis  *expr.Basis
	places sync.Map     // from the basis of requests to their *finding
	size   atomic.Int64 // bytes, about
	epoch  atomic.Int64 // counts the changes of files that conditions look at
}

// A basis is mostly a Cookie header, and clients can send as many different ones as they like. When the memory is full, it
// is emptied: those who come back are decided once more.
const (
	maxBasis  = 4 << 10 // bytes: what is longer is not remembered
	maxMemory = 8 << 20 // bytes
	entrySize = 160     // bytes that an entry takes beside its basis, about
)

// newMemory returns nil for an engine whose decisions rest on more than what conditions and the key look at.
func newMemory(e *Engine) *memory {
	basis := expr.NewBasis(e.table, e.key)
	if basis == nil || e.full || e.key.Random() {
		return nil
	}
	return &memory{basis: basis}
}

// finding is where a request belongs.
type finding struct {
	decision *Decision // nil: that of the variant which owns the slot
	slot     int
}

// Recall returns the decision of a request that is like one which was decided before; nil if there is none, or more than
// its headers has to be looked at: then [Decide]. What it returns belongs to the engine and is only to be read.
//
// It is all that most requests need. What they do not need stands in other functions.
func Recall(e *Engine, r *http.Request) *Decision {
	if e.near == nil {
		return nil
	}
	known, ok := e.memory.places.Load(expr.Near(e.near, r.Header))
	if !ok {
		return nil
	}
	return owned(e, known.(*finding))
}

// owned returns the decision for a place by the weights as they are now.
func owned(e *Engine, f *finding) *Decision {
	if f.decision != nil {
		return f.decision
	}
	if e.live.weighed.Load() {
		return e.split[lineSet(e).Owners[f.slot]]
	}
	return e.split[e.line.Owners[f.slot]]
}

// settled returns the decision for a place as things are now.
func settled(e *Engine, f *finding, now time.Time) *Decision {
	if e.later {
		return ended(e, owned(e, f), now)
	}
	return owned(e, f)
}

// ended returns the decision of a rollout that may have ended.
func ended(e *Engine, d *Decision, now time.Time) *Decision {
	if d.Index != 0 && over(e, now) {
		return e.rolledBack
	}
	return d
}

// Decide is [Engine.Decide] for hosts that are interpreted, where a function costs a fifth of a method. What it returns is
// only to be read.
func Decide(e *Engine, r *http.Request, address string, now time.Time) *Decision {
	if e.near != nil {
		if d := decidePlain(e, r, now); d != nil {
			return d
		}
	}
	if e.memory != nil {
		return decideOnce(e, &expr.Input{Request: r, Address: address}, now)
	}
	d := e.Decide(r, address, now)
	return &d
}

// decidePlain is Decide for plain requests. It returns nil for others.
func decidePlain(e *Engine, r *http.Request, now time.Time) *Decision {
	epoch := e.memory.epoch.Load()
	key := expr.Plain(e.table, e.key, r.Header)
	if key == "" {
		return nil
	}
	f := &finding{slot: balance.Slot(e.splitSalt, key)}
	if expr.IsDistinct(e.near, r.Header) {
		remember(e.memory, expr.Near(e.near, r.Header), f, epoch)
	}
	return settled(e, f, now)
}

// decideOnce is Decide for requests that are anything but plain.
func decideOnce(e *Engine, in *expr.Input, now time.Time) *Decision {
	basis := expr.Whole(e.memory.basis, in)
	if known, ok := e.memory.places.Load(basis); ok {
		return settled(e, known.(*finding), now)
	}
	epoch := e.memory.epoch.Load()
	f := &finding{decision: e.base}
	if find(e, f, in) && expr.IsDistinct(e.memory.basis, in.Request.Header) {
		remember(e.memory, basis, f, epoch)
	}
	return settled(e, f, now)
}

// find finds the first that applies. It returns false if it broke.
func find(e *Engine, f *finding, in *expr.Input) bool {
	defer recovered(e)
	if ruled(e, &f.decision, in) {
		return true
	}
	if key := expr.Read(e.key, in); key != "" {
		f.slot = balance.Slot(e.splitSalt, key)
		f.decision = nil
	}
	return true
}

// remember keeps a place that was found in an epoch, unless that is over.
func remember(m *memory, basis string, f *finding, epoch int64) {
	if len(basis) > maxBasis {
		return
	}
	if m.size.Add(int64(len(basis)+entrySize)) > maxMemory {
		m.forget()
	}
	m.places.Store(basis, f)
	if m.epoch.Load() != epoch { // whoever ended it forgot everything before or after this was stored
		m.places.Delete(basis)
	}
}

// outdate forgets everything because what conditions look at has changed.
func (m *memory) outdate() {
	m.epoch.Add(1)
	m.forget()
}

// forget makes room. In this order what is stored meanwhile may be counted without being there, but not be there without
// being counted.
func (m *memory) forget() {
	m.size.Store(0)
	m.places.Clear()
}
