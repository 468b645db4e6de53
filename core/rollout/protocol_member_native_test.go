//go:build !race

package rollout

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// member is a gateway. A restart gives it another life: what was sent to the one before does not reach it.
type member struct {
	w     *world
	name  string
	skew  time.Duration // of its wall clock
	start time.Duration // of its monotonic clock
	life  int

	c       *Controller
	release Release
	cut     bool          // off from the store
	deaf    bool          // its watch broke, and nobody noticed yet
	flaky   bool          // calls of the store fail sometimes
	well    time.Duration // since when nothing has been between it and the store

	resume  func() (struct{}, bool) // what it does goes on; nil if it does nothing
	yield   func(struct{}) bool
	stop    func()
	waiting []action
	until   time.Duration // it gives the store up

	told    []Event
	deaths  []time.Duration // of its lives
	fallen  *Record         // of a rollback that was seen here last, in this life
	healthy bool            // what it would see of the candidate
}

type action struct {
	name string
	run  func()
}

// clock reads both of the member's clocks.
func (m *member) clock() Time {
	return Time{Wall: monday.Add(m.w.now + m.skew), Mono: m.w.now - m.start}
}

var errKilled = errors.New("killed")

// do lets a member do something, once it has done what it does.
func (m *member) do(name string, run func()) {
	m.waiting = append(m.waiting, action{name, run})
	if m.resume == nil {
		m.next()
	}
}

// next begins what the member is to do next, and goes on with it until it waits for the store.
func (m *member) next() {
	for m.resume == nil && len(m.waiting) > 0 && m.w.wrong == "" {
		todo := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.until = m.w.now + patience
		m.resume, m.stop = iter.Pull(func(yield func(struct{}) bool) {
			defer func() {
				if r := recover(); r != nil && r != errKilled { //nolint:errorlint // it is that very value
					panic(r)
				}
			}()
			m.yield = yield
			todo.run()
		})
		m.proceed()
	}
}

func (m *member) proceed() {
	if _, more := m.resume(); !more {
		m.resume = nil
		m.auditView()
		m.next()
	}
}

// wait suspends what a member does.
func (m *member) wait(d time.Duration) {
	life := m.life
	m.w.after(d, func() {
		if m.life == life {
			m.proceed()
		}
	})
	if !m.yield(struct{}{}) {
		panic(errKilled)
	}
}

// kill ends a life of a member in the midst of what it does.
func (m *member) kill() {
	m.w.note("%s is killed", m.name)
	m.life++
	m.deaths = append(m.deaths, m.w.now)
	if m.resume != nil {
		m.stop()
		m.resume = nil
	}
	m.waiting = nil
	m.fallen = nil
}

// begin starts a process of a member.
func (m *member) begin() {
	checkpoint := []time.Duration{0, 4 * time.Second, time.Minute}[m.w.random.IntN(3)]
	m.start = m.w.now - m.w.upTo(time.Hour)
	m.c = NewController(Settings{Name: "checkout", Store: link{m}, Checkpoint: checkpoint, Show: m.shown, Listen: func(events []Event) {
		for i := range events {
			m.w.note("%s tells: %s", m.name, said(&events[i]))
		}
		m.told = append(m.told, events...)
	}})
	m.well = m.w.now
	m.configure(m.release)
	life := m.life
	var tick func()
	ticks := 0
	tick = func() {
		if m.life != life {
			return
		}
		ticks++
		if len(m.waiting) == 0 { // as a ticker, it drops what nobody waits for
			m.do("", func() { m.tick(ticks) })
		}
		m.w.after(time.Second, tick)
	}
	m.w.after(m.w.upTo(time.Second), tick)
}

func (m *member) configure(release Release) {
	m.w.note("%s configures revision %s", m.name, release.Revision)
	m.release = release
	m.do("", func() { m.c.Configure(context.Background(), m.clock(), release) })
}

// deploy gives a member another revision: in the process that it is, or in a new one.
func (m *member) deploy(revision string) {
	m.w.happened["deploys"]++
	release := m.release
	release.Revision = revision
	if m.c != nil && m.w.random.IntN(2) == 0 {
		m.configure(release)
		return
	}
	m.release = release
	if m.c == nil {
		return // it is yet to begin
	}
	m.kill()
	m.begin()
}

// tick goes on with the time, and every other second with what was seen.
func (m *member) tick(ticks int) {
	v := m.c.View()
	seen := Observations{Follows: m.follows()}
	if v != nil && m.isUnopposed(v.Record.Revision) {
		seen.Unopposed = v.Record.Version()
	}
	if ticks%2 == 0 && v != nil && v.State != "" && !seen.Follows {
		seen.Evaluation = &Evaluation{Position: v.Position, Verdict: Pass, Requests: int64(ticks) * 100, Reason: "good"}
		switch {
		case !m.healthy:
			seen.Evaluation.Verdict, seen.Evaluation.Reason = Fail, "bad"
		case m.w.one(8):
			seen.Evaluation.Verdict, seen.Evaluation.Reason = Hold, "not enough"
		case m.w.one(40):
			seen.Evaluation.Verdict, seen.Evaluation.Reason = Fail, "bad luck"
		}
	}
	m.c.Tick(context.Background(), m.clock(), seen)
}

// follows reports whether others judge, as far as the member can know.
func (m *member) follows() bool {
	if !m.w.delegates || m.cut {
		return false
	}
	for _, other := range m.w.members {
		if other == m {
			return false
		}
		if other.c != nil && !other.cut && other.release.Revision == m.release.Revision {
			return true
		}
	}
	return false
}

// isUnopposed reports whether nobody else speaks for a revision: who is cut off is not heard after a while.
func (m *member) isUnopposed(revision string) bool {
	const heard = 15 * time.Second
	if m.cut || m.w.now-m.well < heard {
		return false
	}
	for _, other := range m.w.members {
		gone := other.c == nil || other.cut && m.w.now-other.well > heard
		if other != m && !gone && other.release.Revision == revision {
			return false
		}
	}
	return true
}

// isolate cuts a member off, or joins it again. Its watch is made anew then: it begins with what the store has.
func (m *member) isolate(cut bool) {
	m.w.note("%s is cut off: %v", m.name, cut)
	m.cut, m.deaf = cut, false
	m.well = m.w.now
	if !cut {
		m.w.announce(m, m.w.latest().doc)
	}
}

// link is a member's way to the store.
type link struct{ *member }

var errAway = errors.New("no answer")

// fate is what becomes of a request.
type fate = string

const (
	answered   fate = "answered"
	lost       fate = "lost"       // the request is
	unanswered fate = "unanswered" // the answer is
	late       fate = "late"       // it arrives when nobody waits for it any more
)

func (l link) fate() fate {
	if l.cut {
		return []fate{lost, lost, lost, late}[l.w.random.IntN(4)]
	}
	if l.flaky && l.w.one(3) {
		return []fate{lost, unanswered, unanswered, unanswered, late}[l.w.random.IntN(5)]
	}
	return answered
}

// call carries a request out, or not, and returns whether an answer came.
func (l link) call(request func()) error {
	if l.w.now >= l.until {
		return context.DeadlineExceeded
	}
	f := l.fate()
	l.w.happened[f]++
	if f == late {
		l.w.after(l.until-l.w.now+l.w.upTo(longestLate), request)
	}
	if f == lost || f == late {
		l.w.note("%s gets no answer: its request is %s", l.name, f)
		if l.w.one(2) {
			l.wait(l.w.upTo(longestHop)) // refused
			return errAway
		}
		l.wait(l.until - l.w.now)
		return errAway
	}
	hop := l.w.upTo(longestHop)
	l.w.after(hop, request) // whether or not the member lives to see it
	l.wait(hop)
	if f == unanswered || l.cut {
		l.w.note("%s gets no answer: that is lost", l.name)
		l.wait(l.until - l.w.now)
		return errAway
	}
	l.wait(l.w.upTo(longestHop))
	return nil
}

func (l link) Load(_ context.Context, _ string) (store.Document, error) {
	var d store.Document
	err := l.call(func() { d = l.w.latest().doc })
	return d, err
}

func (l link) Swap(_ context.Context, _, version string, content []byte) (string, error) {
	var next string
	var conflict error
	life := l.life
	if err := l.call(func() { next, conflict = l.w.swap(l.member, life, version, content) }); err != nil {
		return "", err
	}
	return next, conflict
}

func (l link) Watch(_ context.Context, _ string, _ func(store.Document)) error { return errAway }

// A store that gateways share has reports of its members, which the controller does not look at.
func (l link) Report(_ context.Context, _, _ string, _ []byte, _ time.Duration) error { return errAway }
func (l link) Leave(_ context.Context, _, _ string) error                             { return errAway }
func (l link) Reporting() int                                                         { return 0 }
func (l link) Reports(_ context.Context, _ string, _ int) ([]store.Report, error) {
	return nil, errAway
}
