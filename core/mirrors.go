package core

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Mirrors reports whether requests may be copied. If not, a host has nothing to do with [Copy].
func (e *Engine) Mirrors() bool { return len(e.mirrors) > 0 }

// Copy begins the copies of a request that a decision is about, before anything that the decision does to the request.
// address is the client's, as for [Engine.Decide]. It returns nil if nothing more is expected of the host: see package
// mirror for what is. The request's body may be another one afterwards.
func Copy(e *Engine, d *Decision, r *http.Request, address string) *mirror.Copies {
	var c *mirror.Copies
	if m := mirrorsIn(e, d); m != nil {
		in := &expr.Input{Request: r, Address: address}
		if d.unclaimed {
			in.Assume(nil) // a token that is refused would be verified once more, and counted
		}
		c = mirror.Begin(m, in, d.Variant)
	}
	if len(e.announcer.follow) == 0 || !trusts(e.announcer, r) {
		mirror.Unmark(r.Header)
	}
	return c
}

// mirrorsIn returns who gets copies in the phase of a decision; nil: nobody.
func mirrorsIn(e *Engine, d *Decision) *mirror.Mirrors {
	if d.phase == nil || !e.ends.IsZero() && over(e, time.Now()) {
		return nil
	}
	return d.phase.mirrors
}

// copiers are the mirrors of an engine: all, and those that there are while the candidate is rolled back, which gets
// nothing then. Nil: there are none.
type copiers struct{ all, without *mirror.Mirrors }

// newCopiers makes what was checked ready to send copies.
func newCopiers(e *Engine) copiers {
	var made copiers
	if len(e.mirrors) == 0 {
		return made
	}
	var settings []mirror.Settings
	for i := range e.mirrors {
		one := settingsOf(e, e.mirrors[i])
		settings = append(settings, one)
	}
	common := mirror.Rollout{Name: e.name, Salt: e.salt, Key: e.key, Baseline: e.variants[0], Detach: e.host.Detach}
	made.all = mirror.New(common, settings, e.live.mirrorRunner(e.log))
	made.without = made.all
	if e.candidate > 0 {
		made.without = made.all.Without(e.variants[e.candidate])
	}
	return made
}

// in returns who gets copies while the rollout is in a state.
func (c *copiers) in(state rollout.State) *mirror.Mirrors {
	if state == rollout.RolledBack {
		return c.without
	}
	return c.all
}

// settingsOf completes the settings of a mirror with how copies are sent.
func settingsOf(e *Engine, m *mirroring) mirror.Settings {
	s := m.settings
	s.Send = senderTo(e, m.variant, m.url)
	if s.Outside && e.announcer.request != "" {
		s.Drop = append([]string{e.announcer.request}, s.Drop...)
	}
	if m.controlled {
		s.Control = senderTo(e, e.variants[0], m.controlURL)
	}
	return s
}

// senderTo returns what sends a copy to a variant, or to a URL that may stand for one. A variant is told that it serves.
func senderTo(e *Engine, variant string, target *url.URL) mirror.Sender {
	send := e.host.Copy
	if target != nil {
		to := mirror.To(target, variant != "")
		send = func(_ string, r *http.Request) (*http.Response, error) {
			response, err := to(r)
			return response, err
		}
	}
	told := &Decision{Variant: variant}
	return func(r *http.Request) (*http.Response, error) {
		if variant != "" {
			Tell(e, told, r)
		}
		response, err := send(variant, r)
		return response, err
	}
}

// mirrorRunner returns who sends the copies, and knows what was learned from them. He outlives engines.
func (l *Live) mirrorRunner(log *slog.Logger) *mirror.Runner {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mirroring == nil {
		l.mirroring = mirror.NewRunner(log)
	}
	return l.mirroring
}

// MirrorLedgers returns what is learned from the mirrors of the configuration in force, in its order.
func (l *Live) MirrorLedgers() []*mirror.Ledger { return l.mirrorRunner(nil).Ledgers() }

// Mirrors returns what was learned from the mirrors of the configuration in force, in its order; false if it has none.
func (l *Live) Mirrors() ([]mirror.Report, bool) {
	e := l.inForce()
	if e == nil || !e.Mirrors() {
		return nil, false
	}
	reports := l.mirrorRunner(nil).Reports()
	return reports, true
}

// mirror lets copies be sent until the context ends. The engine is in force, and what was learned for the configuration
// before counts as far as it is about the same.
func (e *Engine) mirror(ctx context.Context) {
	if e.live.replaced(e) {
		return
	}
	runner := e.live.mirrorRunner(e.log)
	if !e.Mirrors() {
		runner.Adopt(nil)
		return
	}
	runner.SetLog(e.log) // that of the engine before ends with its configuration
	runner.Run(ctx, e.copiers.all)
}

// mirrored returns what comparing a variant's answers to copies has shown.
func (l *Live) mirrored(variant string) analysis.Mirrored {
	s := l.mirrorRunner(nil).Ledger(variant).Sample()
	return analysis.Mirrored{Compared: s.Compared, Different: s.Different, Share: s.Mismatch, Certain: s.Controlled}
}

// mirrored returns how many answers of mirrors were compared, if the checks look at that: to them a copy is a request.
func (p *pursuit) mirrored() int64 {
	total := int64(0)
	if p.engine.checks.Mirrors() {
		for _, ledger := range p.live.MirrorLedgers() {
			total += ledger.Counts.Compared.Load()
		}
	}
	return total
}

// beginAnew forgets what differed when another revision, or another attempt to release one, begins. When one ends it is
// kept: it may be why.
func (l *Live) beginAnew(v *rollout.View) {
	if v == nil || v.State == "" || v.State == rollout.RolledBack || v.State == rollout.Promoted {
		return
	}
	attempt := v.Position.Revision + "\x00" + strconv.Itoa(v.Position.Epoch)
	runner := l.mirrorRunner(nil)
	l.mu.Lock()
	before := l.attempt
	l.attempt = attempt
	l.mu.Unlock()
	if before != "" && before != attempt {
		runner.Reset()
	}
}
