package mirror

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Runner owns the copies of a rollout that are under way, and what was learned from them. It outlives configurations. All
// methods are safe for concurrent use.
type Runner struct {
	log       atomic.Value // *slog.Logger
	faultSeen atomic.Int64 // when a fault was logged last, in seconds

	comparing sync.Mutex // held by the one comparison that is made at a time, so that they take one core at most

	mu      sync.Mutex
	running int       // guarded by mu: how many run it
	shift   *shift    // guarded by mu; nil while none does
	ledgers []*Ledger // guarded by mu
}

// shift is the time in which somebody runs it, and the copies that are sent then.
type shift struct {
	ctx    context.Context
	cancel context.CancelFunc
	copies sync.WaitGroup
}

// NewRunner returns a runner without mirrors. log gets what an operator should know; nil: nobody does.
func NewRunner(log *slog.Logger) *Runner {
	r := &Runner{}
	r.SetLog(log)
	return r
}

// SetLog sets who gets what an operator should know from now on, for where a log ends with its configuration. Nil: nobody
// does.
func (r *Runner) SetLog(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil)) // Yaegi has no slog.DiscardHandler
	}
	r.log.Store(log)
}

// Run puts a configuration in force, as Adopt does, and lets copies be sent until the context ends; then it ends those under
// way, and waits for them. Of several that run at the same time, as while one configuration replaces another, the last does
// so.
func (r *Runner) Run(ctx context.Context, m *Mirrors) {
	r.mu.Lock()
	r.adopt(m)
	r.running++
	if r.running == 1 {
		r.shift = newShift()
	}
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.running--
	var over *shift
	if r.running == 0 {
		over = r.shift
		r.shift = nil
	}
	r.mu.Unlock()
	if over != nil {
		over.cancel()
		over.copies.Wait()
	}
}

func newShift() *shift {
	ctx, cancel := context.WithCancel(context.Background())
	return &shift{ctx: ctx, cancel: cancel}
}

// begin returns the shift in which a copy may be sent, which has to tell it when it is done, or nil if nobody runs it.
func (r *Runner) begin() *shift {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shift != nil {
		r.shift.copies.Add(1)
	}
	return r.shift
}

// Ledger returns what was learned from the copies for a mirror. That of one that no configuration in force has is a new one,
// and nobody else's until its own is adopted.
func (r *Runner) Ledger(name string) *Ledger {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.ledgers {
		if l.name == name {
			return l
		}
	}
	return newLedger(name)
}

// Adopt tells that a configuration is now in force; nil: one without mirrors. What was learned for mirrors that it does not have is forgotten, and so
// is what differed where answers are compared in another way.
func (r *Runner) Adopt(m *Mirrors) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopt(m)
}

// adopt is Adopt. Requires r.mu.
func (r *Runner) adopt(m *Mirrors) {
	r.ledgers = nil
	if m == nil {
		return
	}
	for _, one := range m.mirrors {
		one.ledger.adopt(one.settings)
		r.ledgers = append(r.ledgers, one.ledger)
	}
}

// Reset forgets what differed so far, for a new revision or a new attempt to release one. Copies under way do not count.
func (r *Runner) Reset() {
	for _, l := range r.Ledgers() {
		l.reset()
	}
}

// Reports returns what was learned, by mirror, in the order of the configuration.
func (r *Runner) Reports() []Report {
	var reports []Report
	for _, l := range r.Ledgers() {
		report := l.Report()
		reports = append(reports, report)
	}
	return reports
}

// Ledgers returns what was learned, by mirror, in the order of the configuration that is in force.
func (r *Runner) Ledgers() []*Ledger {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Ledger(nil), r.ledgers...)
}

// faulted reports a mistake of our own, once a minute.
func (r *Runner) faulted(fault string) {
	now := time.Now().Unix()
	seen := r.faultSeen.Load()
	if now-seen >= 60 && r.faultSeen.CompareAndSwap(seen, now) {
		log, _ := r.log.Load().(*slog.Logger)
		log.Error("a mirror broke, the client did not notice", "panic", fault)
	}
}
