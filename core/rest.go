package core

import (
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

const (
	// tickEvery is from one tick to the next while something may be due.
	tickEvery = time.Second

	// longestRest is how long a pursuit rests at most, unless others do what is due: nobody can foresee that somebody sets the
	// clock on the wall, reads a secret anew, or is the last of the clients that a sample needs.
	longestRest = 5 * time.Second
)

// rest returns how long the pursuit may rest: a thousand gateways with fifty rollouts each would tick fifty thousand times
// a second, most of them for nothing. Ticks stay whole seconds apart, those alone are left out in which nothing is due.
func (p *pursuit) rest(now time.Duration) time.Duration {
	until := p.ticked + tickEvery
	if due := p.nextDue(now); due > until {
		until += (due - until + tickEvery - 1).Truncate(tickEvery)
	}
	p.next = until
	return until - now
}

// nextDue returns when something is due next, on the monotonic clock.
func (p *pursuit) nextDue(now time.Duration) time.Duration {
	view := p.live.controller.View()
	if p.eager || view == nil || view.State == "" {
		return now
	}
	if p.littleToDo() {
		due := p.attendance.report
		if !p.role.follows && p.trial != nil && p.judges(view) {
			due = earlier(due, p.judged+p.engine.plan.Every)
		}
		if view.Unsaved && view.State != rollout.Progressing { // a rollback that the others wait for
			due = earlier(due, p.ticked+longestRest)
		}
		return due
	}
	due := p.ticked + longestRest
	if a := &p.attendance; a.members != nil && a.gathered == nil {
		due = earlier(due, a.report)
	}
	due = earlier(due, p.pointEnds())
	if t := p.trial; t != nil {
		due = earlier(due, t.began+t.Next())
		if p.judges(view) {
			due = earlier(due, p.judged+p.engine.plan.Every)
		}
	}
	if left := time.Until(p.engine.ends); left > 0 {
		due = earlier(due, now+left)
	}
	if left, ends := view.Left(now); ends && !p.role.follows {
		due = earlier(due, now+left)
	}
	return due
}

// littleToDo reports whether there is nothing to do but to report, and to judge alone if the store is away: there are many
// gateways, and others go on with the plan, or nobody does. What else is done every now and then is done with that. Where the
// store is away because it has too much to do, a thousand gateways that did more than before would keep it so.
func (p *pursuit) littleToDo() bool {
	c := p.live.company.council
	idle := p.role.follows || p.role.obstacle != ""
	return idle && p.attendance.members != nil && p.attendance.gathered == nil && c != nil && !c.Few()
}

func earlier(a, b time.Duration) time.Duration {
	if b < a {
		return b
	}
	return a
}
