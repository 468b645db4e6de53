package notify

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// shift is one run, and those who work in it.
type shift struct {
	ctx      context.Context // ends when nobody may work any longer
	stop     chan struct{}   // closed when the run ends
	handOver bool            // whether somebody else goes on then; set before stop is closed
	workers  sync.WaitGroup
}

// over reports whether somebody who has so many events left may go.
func (s *shift) over(left int) bool {
	return await.Closed(s.stop) && (left == 0 || s.handOver || s.ctx.Err() != nil)
}

// work works off the queue of a target.
func work(n *Notifier, s *shift, h *hook) {
	defer s.workers.Done()
	defer n.leave(h)
	for !await.Closed(h.gone) {
		d, left := n.head(h)
		if s.over(left) {
			return
		}
		if left > 0 {
			ending := await.Closed(s.stop)
			pause := n.deliver(s.ctx, h, d)
			n.rest(s, h, pause, ending)
			continue
		}
		await.First(h.wake, h.gone, s.stop)
	}
}

// leave tells that nobody works off the queue of a target any longer.
func (n *Notifier) leave(h *hook) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.served = false
}

// head returns the first event that waits for a target, and how many do.
func (n *Notifier) head(h *hook) (delivery, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	left := len(h.queue)
	if left == 0 {
		return delivery{}, 0
	}
	return h.queue[0], left
}

// deliver makes one attempt to deliver the first event that waits, and returns how long to wait for the next attempt.
func (n *Notifier) deliver(ctx context.Context, h *hook, d delivery) time.Duration {
	if time.Since(d.queued) > expiry {
		n.drop(h)
		n.lost(h, d, &n.Counts.Expired, "the webhook did not take it for "+expiry.String())
		return 0
	}
	target := n.launch(h)
	now := time.Now()
	body := d.message.body(target.Format)
	a, err := post(ctx, target.URL, body, headers(target, d, body, now))
	if ctx.Err() != nil && err != nil { // not the target's fault
		n.land(h)
		return 0
	}
	if err == nil && a.ok() {
		n.drop(h)
		n.Counts.Delivered.Add(1)
		n.report(h, "")
		return 0
	}
	if err == nil && !transient(a.code) {
		n.drop(h)
		n.lost(h, d, &n.Counts.Refused, "it answered "+a.status)
		return 0
	}
	n.Counts.Retried.Add(1)
	fault := "it answered " + a.status
	if err != nil {
		fault = err.Error()
	}
	wait := n.backOff(h)
	n.land(h)
	n.report(h, fault)
	if asked := retryAfter(a.after, now); asked > wait {
		return asked
	}
	return wait
}

// transient reports whether a status may be another the next time.
func transient(code int) bool {
	return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

// headers returns what a body is sent with.
func headers(target Target, d delivery, body []byte, now time.Time) http.Header {
	if target.Format == Slack {
		return nil
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header := http.Header{}
	header.Set("X-Rollout-Event", d.message.Event)
	header.Set("X-Rollout-Delivery", d.id)
	header.Set("X-Rollout-Timestamp", timestamp)
	if target.Secret != "" {
		header.Set("X-Rollout-Signature", sign(target.Secret, timestamp, body))
	}
	return header
}

// launch marks the first event as on its way and returns its target.
func (n *Notifier) launch(h *hook) Target {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.flying = true
	return h.target
}

// land leaves the first event where it is, for another attempt.
func (n *Notifier) land(h *hook) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.flying = false
}

// drop takes the first event out of the queue: it was delivered or given up.
func (n *Notifier) drop(h *hook) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.flying = false
	h.failures = 0
	if len(h.queue) > 0 { // else the target is gone
		h.queue = h.queue[1:]
	}
}

// backOff returns how long to wait after another failure.
func (n *Notifier) backOff(h *hook) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	wait := n.first
	for i := 0; i < h.failures && wait < n.most; i++ {
		wait *= 2
	}
	if wait > n.most {
		wait = n.most
	}
	h.failures++
	return wait - time.Duration(rand.Int64N(int64(wait)/2+1)) // so that a fleet does not come all at once
}

// rest waits before another attempt; when the run ends it is time for one, unless the last one began after that.
func (n *Notifier) rest(s *shift, h *hook, pause time.Duration, ending bool) {
	if pause == 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	if ending {
		await.First(timer.C, h.gone, s.ctx.Done())
		return
	}
	await.First(timer.C, h.gone, s.stop)
}

// report logs what is newly wrong with a target; "" if nothing is.
func (n *Notifier) report(h *hook, fault string) {
	n.mu.Lock()
	before := h.fault
	h.fault = fault
	n.mu.Unlock()
	switch {
	case fault == before:
	case fault == "":
		n.logger().Info("a webhook takes events again", "webhook", n.shown(h))
	default:
		n.logger().Warn("a webhook takes no events, and is tried again", "webhook", n.shown(h), "error", fault)
	}
}
