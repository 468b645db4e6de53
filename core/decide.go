package core

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Decide chooses the variant for a request. address is the client's address as the gateway resolved it, never a raw
// header; empty or malformed, it is unknown. The request is only read. Decide never fails: whatever breaks inside means
// the base, is counted, and is logged once a minute.
//
// All decisions that an engine can make were made when its phase began; Decide finds the right one. It runs through
// functions, and not methods, that are small, because interpreted a method costs five times as much to call as a
// function, and a function by the number of its variables.
func (e *Engine) Decide(r *http.Request, address string, now time.Time) Decision {
	p := current(e)
	if e.later {
		return decideAt(e, p, &expr.Input{Request: r, Address: address}, now)
	}
	d := p.base // stays if nothing applies, or the rest panics
	decide(e, p, &d, &expr.Input{Request: r, Address: address})
	return *d
}

// decideAt returns the decision of a rollout where there is more to it than the request.
func decideAt(e *Engine, p *phase, in *expr.Input, now time.Time) Decision {
	d := p.base
	if e.assigner != nil {
		decideAssigned(e, p, &d, in, now)
	} else {
		decide(e, p, &d, in)
	}
	if d.Index != 0 && over(e, now) {
		d = p.over
	}
	if e.samples {
		visit(e, &d, in)
	}
	if e.reclaims && expr.Unclaimed(in) {
		return unclaimed(d)
	}
	return *d
}

// unclaimed returns a decision about a request that was found to have no claims.
func unclaimed(d *Decision) Decision {
	found := *d
	found.unclaimed = true
	return found
}

// over reports whether the rollout has ended.
func over(e *Engine, now time.Time) bool { return !e.ends.IsZero() && !now.Before(e.ends) }

// decide finds the first that applies.
func decide(e *Engine, p *phase, d **Decision, in *expr.Input) {
	key := expr.Plain(e.table, e.key, in.Request.Header)
	if key == "" || e.full {
		decideFully(e, p, d, in)
		return
	}
	*d = p.split[balance.Place(p.line, e.splitSalt, key)]
}

// decideFully is decide for requests that are anything but plain.
func decideFully(e *Engine, p *phase, d **Decision, in *expr.Input) {
	defer recovered(e)
	if e.follows && followed(e, p, d, in) || ruled(e, p, d, in) {
		return
	}
	if slot := place(e, e.splitSalt, expr.Read(e.key, in)); slot >= 0 {
		*d = p.split[balance.Owner(p.line, slot)]
	}
}

// recovered ends a panic of the function that defers it.
func recovered(e *Engine) {
	if fault := recover(); fault != nil {
		faulted(e, fault)
	}
}

func faulted(e *Engine, fault any) {
	e.live.faults.Add(1)
	if shouldLog(&e.live.faultSeen, time.Now()) {
		e.log.Error("the decision broke, the base serves", "rollout", e.name, "panic", fmt.Sprint(fault))
	}
}

func followed(e *Engine, p *phase, d **Decision, in *expr.Input) bool {
	variant := e.announcer.followed(in.Request)
	if variant < 0 {
		return false
	}
	*d = p.followed[variant]
	return true
}

// ruled finds the first rule that matches and whose percentage takes the client in.
func ruled(e *Engine, p *phase, d **Decision, in *expr.Input) bool {
	for i := expr.Next(e.table, in, expr.None); i >= 0; i = expr.Next(e.table, in, i) {
		if takes(e, in, e.rules[i]) {
			*d = p.rules[i]
			return true
		}
	}
	return false
}

func takes(e *Engine, in *expr.Input, rule *rule) bool {
	if rule.slots < balance.Slots {
		slot := place(e, rule.salt, expr.Read(e.key, in))
		return slot >= 0 && slot < rule.slots
	}
	return true
}

// place finds a client's slot on a line. Without a key there is none, -1, unless the rollout draws such requests: then
// every line draws for itself, so that missing one says nothing about the next.
func place(e *Engine, salt *balance.Salt, key string) int {
	if key != "" {
		return balance.Slot(salt, key)
	}
	if e.key.Random() {
		return int(rand.Uint32() >> 16)
	}
	return -1
}
