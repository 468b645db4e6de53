package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// dispatch is a request that is on its way to somebody.
type dispatch struct {
	to      Sender
	timeout time.Duration
	header  http.Header
	drop    map[string]bool // folded names of trailers that it does not carry
	keep    bool            // whether the answer's body will be compared
}

// send sends a copy, and one to the baseline where noise is measured, and compares what is answered.
func send(s *shift, c *Copies, k *copying) {
	defer s.copies.Done()
	defer k.mirror.ledger.sending.Add(-1)
	defer recovered(c.runner)
	settings := &k.mirror.settings
	copied := &dispatch{to: settings.Send, timeout: settings.Timeout, header: k.header, drop: k.mirror.drop}
	if k.differences == nil {
		count(k.mirror.ledger, exchange(s, c, copied))
		return
	}
	defer c.finish()
	copied.keep = c.keeps
	var second chan *answer
	if k.control != nil {
		second = make(chan *answer, 1)
		go control(s, c, &dispatch{to: settings.Control, timeout: settings.Timeout, header: k.control, drop: k.mirror.control, keep: c.keeps}, second)
	}
	target := exchange(s, c, copied)
	count(k.mirror.ledger, target)
	var noise *answer
	if second != nil {
		noise = received(second)
	}
	c.runner.compare(k, c.pattern, c.client(s.ctx, settings.Timeout), target, noise)
}

func control(s *shift, c *Copies, d *dispatch, to chan *answer) {
	a := exchange(s, c, d)
	to <- a
}

func received(from chan *answer) *answer {
	a := <-from
	return a
}

// count counts what became of a copy.
func count(l *Ledger, a *answer) {
	l.Counts.Sent.Add(1)
	switch a.fault {
	case none:
		l.Counts.Answered.Add(1)
	case timedOut:
		l.Counts.TimedOut.Add(1)
	case stopped:
		l.Counts.Stopped.Add(1)
	default:
		l.Counts.Failed.Add(1)
	}
	if a.cut {
		l.Counts.AnswersCut.Add(1)
	}
}

// exchange sends a request and reads the answer. It always returns one, which may say why there is none.
func exchange(s *shift, c *Copies, d *dispatch) *answer {
	a := &answer{fault: failed} // stays if the sender panics
	ctx, cancel := context.WithTimeout(c.pattern.Context(), d.timeout)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	attempt(c, d, c.request(ctx, d.header, d.drop), a)
	switch {
	case a.fault == none:
	case s.ctx.Err() != nil:
		a.fault = stopped
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		a.fault = timedOut
	}
	return a
}

// attempt fills in the answer of one request.
func attempt(c *Copies, d *dispatch, r *http.Request, a *answer) {
	defer caught(c.runner)
	began := time.Now()
	response, err := d.to(r)
	if err != nil || response == nil {
		return
	}
	a.latency = time.Since(began)
	defer response.Body.Close()
	if a.read(response, d.keep) == nil {
		a.fault = none
	}
}

// caught ends a panic of a sender. Handlers end by one when what they proxy breaks off, which is nobody's mistake.
func caught(r *Runner) {
	thrown := recover()
	if thrown == nil { // before the assertion, which Yaegi cannot make of nothing
		return
	}
	if err, ok := thrown.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	r.faulted(fmt.Sprint(thrown))
}
