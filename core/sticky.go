package core

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// assigner is what an engine remembers assignments with.
type assigner struct {
	*stickiness
	memory   *assign.Memory // nil: it has none
	router   *assign.Router // nil: it asks nobody
	variants map[string]int
	given    []*atomic.Int64 // assignments, by variant
	names    bool            // what the memory or the split knows the client by has to be found out
	draws    bool            // some rule takes a percentage, by the client's key
}

func newAssigner(e *Engine, plan *stickiness) *assigner {
	a := &assigner{stickiness: plan, variants: map[string]int{}}
	for i, name := range e.variants {
		a.variants[name] = i
		a.given = append(a.given, e.live.assignmentsTo(name))
	}
	for _, r := range e.rules {
		a.draws = a.draws || r.slots < balance.Slots
	}
	if a.capacity > 0 {
		a.memory = e.live.assignments(a.capacity)
	}
	if plan.router != nil {
		settings := *plan.router
		settings.Variants = e.variants
		a.router = assign.NewRouter(settings, a.memory, &e.live.routed)
	}
	a.names = a.identifies || a.memory != nil
	return a
}

// settle makes what outlives the engine fit its configuration, now that it runs.
func (a *assigner) settle() {
	if a.memory != nil {
		a.memory.Resize(a.capacity)
	}
}

// close lets go of what the engine does not need any more.
func (a *assigner) close() {
	if a.router != nil {
		a.router.Close()
	}
}

// visitor is what is known of the client of one request.
type visitor struct {
	id    string            // in the cookie; "" if there is none
	fresh bool              // the id was made for this request
	kept  assign.Assignment // in the cookie
	name  string            // that the memory and the router know the client by; "" if he does not say who he is
}

// decideAssigned finds the first that applies in a rollout that remembers assignments: it is what decide is for all
// others.
func decideAssigned(e *Engine, p *phase, d **Decision, in *expr.Input, now time.Time) {
	defer recovered(e)
	a := e.assigner
	v := &visitor{}
	if a.cookie != nil {
		v.kept, v.id, _ = assign.Find(a.cookie, in.Request)
	}
	if a.names {
		name(a, in, v)
	}
	if e.follows && followed(e, p, d, in) || ruled(e, p, d, in) {
		if v.fresh && a.draws && (*d).Reason == ByRule { // this id drew, and the same draws the next time
			*d = withCookie(a, *d, in.Request, assign.Assignment{}, v, now)
		}
		return
	}
	if i := keeps(e, p, v.kept, now); i >= 0 {
		*d = p.assigned[i]
		if e.live.census.watchful.Load() {
			e.live.census.again(expr.Read(e.key, in))
		}
		return
	}
	assignAnew(e, p, d, in, v, now)
}

// name finds out what the memory, the router and the split know a client by.
func name(a *assigner, in *expr.Input, v *visitor) {
	if a.client != nil {
		v.name = expr.Read(a.client, in)
	}
	if !a.identifies {
		return
	}
	in.Client = v.name
	if a.cookie == nil {
		return
	}
	if v.id == "" {
		v.id = assign.NewID()
		v.fresh = true
	}
	in.Client = base64.RawURLEncoding.EncodeToString([]byte(v.id))
	if a.client == nil {
		v.name = in.Client
	}
}

// keeps returns the index of the variant that an assignment gives to its client now, or -1.
func keeps(e *Engine, p *phase, a assign.Assignment, now time.Time) int {
	ms := now.UnixMilli()
	if a.Expires <= ms {
		return -1
	}
	if a.Generation != p.generation && !drains(e, p, a, ms) {
		return -1
	}
	if i, known := e.assigner.variants[a.Variant]; known {
		return i
	}
	return -1
}

// assignAnew decides about a client whose cookie says nothing, and remembers the decision.
func assignAnew(e *Engine, p *phase, d **Decision, in *expr.Input, v *visitor, now time.Time) {
	a := e.assigner
	isOver := over(e, now) // then nobody is assigned any more
	standIn := false
	if a.memory != nil && v.name != "" {
		if kept, known := assign.Recall(a.memory, v.name); known {
			if i := keeps(e, p, kept, now); i >= 0 {
				*d = p.assigned[i]
				if e.live.census.watchful.Load() {
					e.live.census.again(expr.Read(e.key, in))
				}
				return
			}
		}
		if a.router != nil && !isOver {
			answer, err := a.router.Ask(in.Request, v.name, p.generation, now)
			if err == nil && p.routed[a.variants[answer.Variant]].Reason == ByRolledBack {
				*d = p.routed[a.variants[answer.Variant]] // which assigns nobody
				return
			}
			if err == nil {
				if answer.Expires > now.UnixMilli() {
					a.given[a.variants[answer.Variant]].Add(1)
				}
				*d = withCookie(a, p.routed[a.variants[answer.Variant]], in.Request, answer, v, now)
				return
			}
			standIn = true // until the router answers
			routerFailed(e, err, now)
		}
	}
	key := expr.Read(e.key, in)
	slot := place(e, e.splitSalt, key)
	if slot < 0 {
		return
	}
	owner := balance.Owner(p.line, slot)
	*d = p.split[owner]
	if isOver || (*d).Reason == ByRolledBack {
		return
	}
	if key != "" && a.router == nil && e.live.census.first(key, p.position) {
		p.trial.Assign(owner)
	}
	assigned := assign.Assignment{}
	if !standIn {
		assigned = a.assignment(*d, p.generation, now)
	}
	*d = withCookie(a, *d, in.Request, assigned, v, now)
	if assigned.Expires <= now.UnixMilli() {
		return
	}
	if a.remember && v.name != "" {
		a.memory.Remember(v.name, assigned)
	} else if a.cookie == nil {
		return // nothing remembers it
	}
	a.given[(*d).Index].Add(1)
}

// assignment returns what is to be remembered of a decision.
func (a *assigner) assignment(d *Decision, generation uint64, now time.Time) assign.Assignment {
	term := a.ttl
	if d.Index == 0 {
		term = a.baselineTTL
	}
	return assign.Assignment{Variant: d.Variant, Generation: generation, Expires: term.Expires(now)}
}

// withCookie returns a decision that gives the client a cookie with an assignment, or, if that is over already, with his
// id alone if it is new.
func withCookie(a *assigner, d *Decision, r *http.Request, assigned assign.Assignment, v *visitor, now time.Time) *Decision {
	if a.cookie == nil {
		return d
	}
	if assigned.Expires <= now.UnixMilli() {
		if !v.fresh {
			return d
		}
		assigned = assign.Assignment{}
	}
	id := v.id
	if id == "" {
		id = assign.NewID()
	}
	copied := *d
	copied.Cookie = a.cookie.Header(r, assigned, id, now)
	return &copied
}

func routerFailed(e *Engine, err error, now time.Time) {
	if shouldLog(&e.live.routerSeen, now) {
		e.log.Warn("the router gave no answer, the split decides", "rollout", e.name, "error", err)
	}
}

// SetCookie adds the cookie of a decision to the header of its response, which caches must then keep to themselves. A
// host calls it once, for the response that the client gets, be it by fallback.
func (d Decision) SetCookie(header http.Header) {
	if d.Cookie != "" {
		header["Set-Cookie"] = append(header["Set-Cookie"], d.Cookie)
		assign.KeepPrivate(header)
	}
}

// generationOf returns the number of the assignments of an epoch.
func generationOf(revision string, number int) uint64 {
	sum := sha256.Sum256([]byte(revision + "\x00" + strconv.Itoa(number)))
	return binary.BigEndian.Uint64(sum[:8])
}

// drains reports whether an assignment is one to the baseline that outlives the promotion.
func drains(e *Engine, p *phase, a assign.Assignment, ms int64) bool {
	return ms < p.drained && a.Generation == p.before && a.Variant == e.variants[0]
}
