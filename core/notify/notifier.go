package notify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/rollout"
)

const (
	capacity = 1000      // events that wait for a target
	expiry   = time.Hour // the age at which an event is given up
)

// Counts count what became of events, each once for every target. They only grow.
type Counts struct {
	Delivered atomic.Int64
	Refused   atomic.Int64 // given up: the target will never take it
	Expired   atomic.Int64 // given up: the target did not take it for too long
	Dropped   atomic.Int64 // gave way to newer ones, or their target is no longer configured
	Retried   atomic.Int64 // attempts that failed and are made again
}

// ByName returns the counts by the names that people are shown.
func (c *Counts) ByName() map[string]int64 {
	return map[string]int64{
		"delivered": c.Delivered.Load(), "refused": c.Refused.Load(), "expired": c.Expired.Load(),
		"dropped": c.Dropped.Load(), "retried": c.Retried.Load(),
	}
}

// Notifier tells webhooks what happens. It outlives configurations, and with it do events that wait for a target which
// does not answer. All methods are safe for concurrent use.
type Notifier struct {
	Counts Counts

	log   atomic.Value  // *slog.Logger
	first time.Duration // the wait after the first failed attempt
	most  time.Duration // the longest wait
	drain time.Duration // for what still waits when everything ends
	limit int           // events that wait for a target

	turn    chan bool    // holds what the one has that runs
	next    atomic.Int64 // how many wait for their turn to run
	changed chan bool    // holds one wish to look at the hooks again

	mu    sync.Mutex
	hooks []*hook // guarded by mu, as is all of each but its channels
}

// hook is a target, and what it is still to be told.
type hook struct {
	target   Target
	queue    []delivery
	flying   bool   // whether the first of the queue is on its way
	failures int    // attempts in a row that failed
	fault    string // of the last of them, so that it is reported once
	served   bool   // whether somebody works the queue off

	wake chan bool     // holds one wish to look at the queue again
	gone chan struct{} // closed when the target is no longer configured
}

// delivery is an event for a target.
type delivery struct {
	id      string
	message message
	queued  time.Time
}

// New returns a notifier without targets. log is as in [Notifier.SetLog].
func New(log *slog.Logger) *Notifier {
	n := &Notifier{
		first: time.Second, most: time.Minute, drain: 5 * time.Second, limit: capacity, turn: make(chan bool, 1), changed: make(chan bool, 1),
	}
	n.SetLog(log)
	return n
}

// SetLog sets who gets what an operator should know from now on, for where a log ends with its configuration. Nil: nobody
// does.
func (n *Notifier) SetLog(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil)) // Yaegi has no slog.DiscardHandler
	}
	n.log.Store(log)
}

// logger returns who gets what an operator should know now.
func (n *Notifier) logger() *slog.Logger {
	log, _ := n.log.Load().(*slog.Logger)
	return log
}

// Configure sets the targets, which are without problems. What waits for a URL that there was before goes on waiting;
// what waits for one that is gone is dropped.
func (n *Notifier) Configure(targets []Target) {
	n.mu.Lock()
	before := n.hooks
	n.hooks = nil
	for _, target := range targets {
		var h *hook
		h, before = take(before, target)
		h.target = target
		n.hooks = append(n.hooks, h)
	}
	for _, h := range before {
		close(h.gone)
	}
	n.mu.Unlock()
	for _, h := range before {
		n.abandon(h)
	}
	await.Wake(n.changed)
}

// take returns the hook of a target out of those that there were, or a new one, and what is left of them.
func take(before []*hook, target Target) (*hook, []*hook) {
	var found *hook
	var rest []*hook
	for _, h := range before {
		if found == nil && h.target.URL == target.URL {
			found = h
		} else {
			rest = append(rest, h)
		}
	}
	if found == nil {
		found = &hook{wake: make(chan bool, 1), gone: make(chan struct{})}
	}
	return found, rest
}

// abandon drops what waits for a target that is gone.
func (n *Notifier) abandon(h *hook) {
	n.mu.Lock()
	dropped := h.queue
	h.queue = nil
	n.mu.Unlock()
	for _, d := range dropped {
		n.lost(h, d, &n.Counts.Dropped, "the webhook is no longer configured")
	}
}

// Send tells the targets of events of a rollout, seen by a member of the fleet; "" if it has no name. It waits for
// nobody: [Notifier.Run] delivers them.
func (n *Notifier) Send(name, member string, events []rollout.Event) {
	now := time.Now()
	for _, e := range events {
		m := newMessage(name, member, e)
		n.mu.Lock()
		hooks := n.hooks
		n.mu.Unlock()
		for _, h := range hooks {
			n.push(h, delivery{id: newID(), message: m, queued: now})
		}
	}
}

// push queues an event for a target that wants it.
func (n *Notifier) push(h *hook, d delivery) {
	n.mu.Lock()
	if await.Closed(h.gone) || !h.target.wants(rollout.Kind(d.message.Event)) {
		n.mu.Unlock()
		return
	}
	var dropped []delivery
	oldest := 0
	if h.flying {
		oldest = 1
	}
	if last := len(h.queue) - 1; last+1 >= n.limit+oldest {
		dropped = append(dropped, h.queue[oldest])
		copy(h.queue[oldest:], h.queue[oldest+1:])
		h.queue = h.queue[:last]
	}
	h.queue = append(h.queue, d)
	n.mu.Unlock()
	await.Wake(h.wake)
	for _, old := range dropped {
		n.lost(h, old, &n.Counts.Dropped, "too many events wait for the webhook")
	}
}

// lost counts and reports an event that a target will not get.
func (n *Notifier) lost(h *hook, d delivery, count *atomic.Int64, reason string) {
	count.Add(1)
	n.logger().Error("a webhook was not told of an event", "webhook", n.shown(h), "rollout", d.message.Rollout, "event", d.message.Event,
		"revision", d.message.Revision, "id", d.message.ID, "reason", reason)
}

// shown returns what logs call a target.
func (n *Notifier) shown(h *hook) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return shown(h.target.URL)
}

// Waiting returns how many events wait to be delivered, for all targets together.
func (n *Notifier) Waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	waiting := 0
	for _, h := range n.hooks {
		waiting += len(h.queue)
	}
	return waiting
}

// Run delivers events until the context ends. Then, for five seconds at most, it still delivers what waits; unless
// somebody else waits to run, as with a new configuration, who goes on with it. Only one runs at a time.
func (n *Notifier) Run(ctx context.Context) {
	n.next.Add(1)
	mine := await.Acquire(ctx, n.turn)
	n.next.Add(-1)
	if !mine {
		return
	}
	defer func() { <-n.turn }()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s := &shift{ctx: work, stop: make(chan struct{})}
	for ctx.Err() == nil {
		n.staff(s)
		await.First(n.changed, ctx.Done())
	}
	s.handOver = n.next.Load() > 0
	close(s.stop)
	overtime := time.AfterFunc(n.drain, func() { cancel() })
	s.workers.Wait()
	overtime.Stop()
	if left := n.Waiting(); left > 0 && n.next.Load() == 0 {
		n.logger().Warn("webhooks were not told of everything before the end", "events", left)
	}
}

// staff has somebody work off the queue of every target.
func (n *Notifier) staff(s *shift) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hooks {
		if !h.served {
			h.served = true
			s.workers.Add(1)
			go work(n, s, h) // not a method: Yaegi would run it for the last hook only
		}
	}
}

// newID returns an id that there is only once.
func newID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // an operating system without randomness ends the process
	return hex.EncodeToString(random[:])
}
