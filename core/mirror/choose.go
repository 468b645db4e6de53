package mirror

import (
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Begin chooses the mirrors that get a copy of a request which a variant is about to serve. It returns nil if none does.
// A copy of a request without a body is on its way when Begin returns; if the request has one, its body is replaced by one
// that keeps what the variant reads of it, and copies begin when that was all. Begin neither waits nor fails.
//
// A share is a share of clients, by the slot of their key; what nobody is known to have sent is drawn. The target's own
// requests are not copied: it sees them anyway.
//
// Begin is a function, as is all that every request runs through: interpreted, methods cost several times more.
func Begin(m *Mirrors, in *expr.Input, serving string) *Copies {
	if !m.methods[in.Request.Method] || m.partial && spares(m, in.Request.Header) {
		return nil
	}
	var c *Copies
	choose(m, in, serving, &c)
	return c
}

// spares reports whether a client lies in no mirror's share, if his key is where most have it. It is all that most requests
// run through.
func spares(m *Mirrors, h http.Header) bool {
	key := expr.Plain(m.unconditional, m.rollout.Key, h)
	if key == "" {
		return false
	}
	for _, one := range m.mirrors {
		if balance.Slot(one.salt, key) < one.slots {
			return false
		}
	}
	return true
}

func choose(m *Mirrors, in *expr.Input, serving string, to **Copies) {
	defer recovered(m.runner)
	var chosen []*mirror
	for i := expr.Next(m.table, in, expr.None); i >= 0; i = expr.Next(m.table, in, i) {
		if takes(m, m.mirrors[i], in) && m.mirrors[i].settings.Name != serving {
			chosen = append(chosen, m.mirrors[i])
		}
	}
	if len(chosen) > 0 {
		*to = begin(m, chosen, in, serving)
	}
}

func takes(m *Mirrors, one *mirror, in *expr.Input) bool {
	if !one.methods[in.Request.Method] {
		return false
	}
	if one.slots >= balance.Slots {
		return true
	}
	key := expr.Read(m.rollout.Key, in)
	if key == "" {
		return int(rand.Uint32()>>16) < one.slots
	}
	return balance.Slot(one.salt, key) < one.slots
}

// begin starts, or prepares, the copies of a request for those that chose it.
func begin(m *Mirrors, chosen []*mirror, in *expr.Input, serving string) *Copies {
	r := in.Request
	var sound []*mirror
	for _, one := range chosen {
		if reason := refusal(one, r); reason != nil {
			reason.Add(1)
		} else {
			sound = append(sound, one)
		}
	}
	if len(sound) == 0 {
		return nil
	}
	c := newCopies(m, in)
	for _, one := range sound {
		c.add(one, m, r, serving)
	}
	if len(c.waiting) == 0 {
		return nil
	}
	if !c.complete {
		r.Body = &body{source: r.Body, copies: c}
		return c
	}
	c.launch(c.release())
	if !c.Compares() {
		return nil
	}
	return c
}

// recovered ends a panic of the function that defers it.
func recovered(r *Runner) {
	if thrown := recover(); thrown != nil {
		r.faulted(fmt.Sprint(thrown))
	}
}
