package core

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// assigner is what an engine remembers assignments with.
type assigner struct {
	*stickiness
	memory     *assign.Memory // nil: it has none
	router     *assign.Router // nil: it asks nobody
	generation uint64         // of assignments before the first epoch began
	variants   map[string]int
	assigned   []*Decision // for every variant
	routed     []*Decision
	names      bool // what the memory or the split knows the client by has to be found out
	draws      bool // some rule takes a percentage, by the client's key
}

func newAssigner(e *Engine, plan *stickiness) *assigner {
	a := &assigner{stickiness: plan, generation: generationOf(e.generation, 0), variants: map[string]int{}}
	for i, name := range e.variants {
		a.variants[name] = i
		a.assigned = append(a.assigned, e.decision(i, ByAssigned, ""))
		a.routed = append(a.routed, e.decision(i, ByRouter, ""))
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
func decideAssigned(e *Engine, d **Decision, in *expr.Input, now time.Time) {
	defer recovered(e)
	a := e.assigner
	v := &visitor{}
	if a.cookie != nil {
		v.kept, v.id, _ = assign.Find(a.cookie, in.Request)
	}
	if a.names {
		name(a, in, v)
	}
	if e.follows && followed(e, d, in) || ruled(e, d, in) {
		if v.fresh && a.draws && (*d).Reason == ByRule { // this id drew, and the same draws the next time
			*d = withCookie(a, *d, in.Request, assign.Assignment{}, v, now)
		}
		return
	}
	if i := keeps(e, v.kept, now); i >= 0 {
		*d = a.assigned[i]
		return
	}
	assignAnew(e, d, in, v, now)
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
func keeps(e *Engine, a assign.Assignment, now time.Time) int {
	ms := now.UnixMilli()
	if a.Expires <= ms {
		return -1
	}
	if a.Generation != generation(e) && !drains(e, a, ms) {
		return -1
	}
	if i, known := e.assigner.variants[a.Variant]; known {
		return i
	}
	return -1
}

// assignAnew decides about a client whose cookie says nothing, and remembers the decision.
func assignAnew(e *Engine, d **Decision, in *expr.Input, v *visitor, now time.Time) {
	a := e.assigner
	current := generation(e) // before the weights are looked at: a decision by old ones must not outlive them
	isOver := over(e, now)   // then nobody is assigned any more
	standIn := false
	if a.memory != nil && v.name != "" {
		if kept, known := assign.Recall(a.memory, v.name); known {
			if i := keeps(e, kept, now); i >= 0 {
				*d = a.assigned[i]
				return
			}
		}
		if a.router != nil && !isOver {
			answer, err := a.router.Ask(in.Request, v.name, current, now)
			if err == nil {
				*d = withCookie(a, a.routed[a.variants[answer.Variant]], in.Request, answer, v, now)
				return
			}
			standIn = true // until the router answers
			routerFailed(e, err, now)
		}
	}
	slot := place(e, e.splitSalt, expr.Read(e.key, in))
	if slot < 0 {
		return
	}
	*d = e.split[balance.Owner(line(e), slot)]
	if isOver {
		return
	}
	assigned := assign.Assignment{}
	if !standIn {
		assigned = a.assignment(*d, current, now)
	}
	*d = withCookie(a, *d, in.Request, assigned, v, now)
	if a.remember && v.name != "" && assigned.Expires > now.UnixMilli() {
		a.memory.Remember(v.name, assigned)
	}
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

// epoch is a part of the life of a revision, which ends all assignments of the one before.
type epoch struct {
	number     int
	generation uint64 // of its assignments
	before     uint64 // generation of the one before
	promoted   int64  // when it began, in Unix milliseconds, if that was by promotion
}

// epochs holds the last epoch of every revision: one that is released again must not find the assignments that it had
// before it was rolled back. It does not change.
type epochs struct {
	last map[string]*epoch // by the engine's generation
}

// BeginEpoch ends all assignments: at a rollback, a restart or a promotion. After a promotion clients may keep the
// baseline for as long as the configuration drains it.
func (e *Engine) BeginEpoch(promotion bool, now time.Time) {
	e.live.mu.Lock()
	defer e.live.mu.Unlock()
	number := 1
	if last := e.live.epochOf(e.generation); last != nil {
		number = last.number + 1
	}
	next := &epoch{number: number, generation: generationOf(e.generation, number), before: generationOf(e.generation, number-1)}
	if promotion {
		next.promoted = now.UnixMilli()
	}
	all := &epochs{last: map[string]*epoch{e.generation: next}}
	if begun, _ := e.live.epochs.Load().(*epochs); begun != nil {
		for revision, last := range begun.last {
			if revision != e.generation {
				all.last[revision] = last
			}
		}
	}
	e.live.epochs.Store(all)
	e.live.begun.Store(true)
}

// generationOf returns the number of the assignments of an epoch.
func generationOf(revision string, number int) uint64 {
	sum := sha256.Sum256([]byte(revision + "\x00" + strconv.Itoa(number)))
	return binary.BigEndian.Uint64(sum[:8])
}

// generation returns the number of the assignments that count now.
func generation(e *Engine) uint64 {
	if e.live.begun.Load() {
		return laterGeneration(e)
	}
	return e.assigner.generation
}

func laterGeneration(e *Engine) uint64 {
	if now := e.live.epochOf(e.generation); now != nil {
		return now.generation
	}
	return e.assigner.generation
}

// drains reports whether an assignment is one to the baseline that outlives the promotion.
func drains(e *Engine, a assign.Assignment, ms int64) bool {
	now := e.live.epochOf(e.generation)
	return now != nil && now.promoted > 0 && a.Generation == now.before && a.Variant == e.variants[0] &&
		ms < now.promoted+e.assigner.drain.Milliseconds()
}
