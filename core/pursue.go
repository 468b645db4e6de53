package core

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/notify"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// pursuit goes on with the plan of the engine in force: in every second in which something is due it looks at the clock and
// at what was seen. One goroutine has it, and nobody else.
type pursuit struct {
	engine *Engine
	live   *Live

	trial  *trial
	looks  int           // at the trial, so far
	judged time.Duration // when the last look at the checks was due, on the monotonic clock
	counts counts

	recorder recorder

	attendance attendance
	role       role

	ticked time.Duration // when the last tick was due, on the monotonic clock
	next   time.Duration // when the next is
	eager  bool          // whether that is as soon as it may be

	values  chan map[string]float64 // of Prometheus; nil if it is not being asked
	answers chan rollout.Confirmation
	asked   time.Duration // when the confirm was asked last, on the monotonic clock
	asking  bool          // whether that was not answered yet
}

// What a pursuit waits for, in the order of its channels.
const (
	rested = iota
	wasStirred
	knowsValues
	isAnswered
	hasGathered
)

// pursue puts the engine in force and goes on with the plan until the context ends.
func (e *Engine) pursue(ctx context.Context) {
	l := e.live
	if l.replaced(e) {
		return
	}
	notifier, client := l.messengers(e)
	notifier.SetLog(e.log) // that of the engine before ends with its configuration
	client.SetLog(e.log)
	e.outside.take(notifier, client)
	telling := make(chan struct{})
	go func() {
		notifier.Run(ctx)
		close(telling)
	}()
	l.takeOver(ctx, e)
	l.beginAnew(l.controller.View())
	mirroring := make(chan struct{})
	go func() {
		e.mirror(ctx)
		close(mirroring)
	}()
	watching := make(chan struct{})
	go func() {
		l.controller.Watch(ctx, clocks)
		close(watching)
	}()
	p := &pursuit{engine: e, live: l, answers: make(chan rollout.Confirmation, 1), eager: true}
	p.attendance.members = e.members()
	p.ticked = clocks().Mono
	stirred := l.stirring()
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		pause := longestRest
		p.inTurn(func() { pause = p.rest(clocks().Mono) })
		timer.Reset(pause)
		switch at, got := await.First(timer.C, stirred, p.values, p.answers, p.attendance.gathered, ctx.Done()); at {
		case rested:
			p.ticked = p.next + (clocks().Mono - p.next).Truncate(tickEvery)
			e.outside.take(notifier, client)
			p.inTurn(func() { p.tick(ctx) })
		case wasStirred:
			p.eager = true
		case knowsValues:
			values, _ := got.(map[string]float64)
			p.values = nil
			p.inTurn(func() { p.proceed(ctx, rollout.Observations{Evaluation: p.evaluate(values)}) })
		case isAnswered:
			answer := got.(rollout.Confirmation)
			p.asking = false
			p.inTurn(func() { p.proceed(ctx, rollout.Observations{Confirmation: &answer}) })
		case hasGathered:
			g := got.(exchanged)
			p.attendance.gathered = nil
			p.inTurn(func() { p.meet(g) })
		}
	}
	p.inTurn(p.leave)
	p.inTurn(p.keepLastFindings)
	<-watching
	<-telling
	<-mirroring
}

// inTurn does something unless the pursuit of another engine has begun, and never beside that.
func (p *pursuit) inTurn(do func()) {
	p.live.company.pursuing.Lock()
	defer p.live.company.pursuing.Unlock()
	if p.live.inForce() == p.engine {
		do()
	}
}

// proceed hands what was seen to the controller.
func (p *pursuit) proceed(ctx context.Context, seen rollout.Observations) {
	seen.Follows = p.role.follows
	seen.Obstacle = p.role.obstacle
	seen.Unopposed = p.role.unopposed
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	p.live.controller.Tick(ctx, clocks(), seen)
}

// tick does what is due.
func (p *pursuit) tick(ctx context.Context) {
	seen := rollout.Observations{}
	now := clocks().Mono
	view := p.live.controller.View()
	p.eager = false
	p.live.beginAnew(view)
	p.follow(current(p.engine).trial, now)
	p.record(now)
	p.role = p.roleIn(view, now)
	p.warn(view, now)
	p.attend(ctx, view, now)
	if p.trial != nil {
		p.trial.Turn(now - p.trial.began)
		if p.engine.assigner != nil {
			seen.Mismatch = p.mismatch()
		}
		if p.due(view, now) {
			p.looks += int((now - p.judged) / p.engine.plan.Every) // also those of others
			p.judged = lookedAt(p.judged, now, p.engine.plan.Every)
			if !p.role.follows {
				seen.Evaluation = p.judge(ctx)
			}
		}
	}
	p.confirm(ctx, view, now)
	p.keepFindings(ctx, now)
	p.proceed(ctx, seen)
}

// follow goes on with the trial of the present position.
func (p *pursuit) follow(t *trial, now time.Duration) {
	if t == p.trial {
		return
	}
	p.trial = t
	p.values = nil // who is being asked answers for another position
	p.counts = counts{}
	p.judged = now
	p.looks = 0
	if t != nil {
		p.judged = t.made
	}
	if plan := p.engine.plan; t != nil && plan != nil {
		if view := p.live.controller.View(); view != nil { // looks before a reload or a restart count
			p.looks = int(view.Age(now) / plan.Every)
		}
	}
}

// due reports whether the checks are to be looked at.
func (p *pursuit) due(view *rollout.View, now time.Duration) bool {
	return p.judges(view) && now-p.judged >= p.engine.plan.Every
}

// judges reports whether the checks are looked at every now and then.
func (p *pursuit) judges(view *rollout.View) bool {
	if p.engine.plan == nil || view == nil || p.values != nil {
		return false
	}
	switch view.State {
	case rollout.Progressing, rollout.Paused, rollout.Promoted:
		return view.Position == p.trial.position
	}
	return false
}

// lookedAt returns when a look at now was due, from where the next is an interval away: from now on, every look would
// be later by what the ticker was late, up to a second. Of looks that were missed one is made up for.
func lookedAt(before, now, every time.Duration) time.Duration {
	if due := before + every; now-due < 2*every {
		return due
	}
	return now
}

// judge looks at the checks, or asks first for what they need to know; then there is nothing yet.
func (p *pursuit) judge(ctx context.Context) *rollout.Evaluation {
	queries := p.engine.checks.Queries()
	if len(queries) == 0 {
		return p.evaluate(nil)
	}
	_, client := p.live.messengers(p.engine)
	values := make(chan map[string]float64, 1)
	p.values = values
	go func() { values <- client.Values(ctx, queries) }()
	return nil
}

// evaluate looks at the checks of the present position.
func (p *pursuit) evaluate(values map[string]float64) *rollout.Evaluation {
	e, t := p.engine, p.trial
	view := p.live.controller.View()
	if t == nil || view == nil || view.Position != t.position || p.role.follows {
		return nil
	}
	look := analysis.Look{Elapsed: clocks().Mono - t.began, Number: p.looks, Judges: p.role.judges, Prometheus: values}
	look.Alone = view.Weights[0] == 0
	look.Dark = view.Weights[p.engine.candidate] == 0
	look.Conversion = func(variant, goal string) (reached, clients int64) {
		reached, clients = p.live.conversion(variant, goal)
		return reached, clients
	}
	look.Mirror = func(variant string) analysis.Mirrored { return p.live.mirrored(variant) }
	if i := view.Record.Step - 1; i >= 0 && i < len(e.plan.Steps) {
		look.For = e.plan.Steps[i].For
	}
	result := e.checks.Evaluate(t.Trial, look)
	p.live.verdicts.count(result.Verdict)
	return &rollout.Evaluation{Position: t.position, Verdict: result.Verdict, Requests: t.seen + result.Requests + p.mirrored(), Reason: result.Reason, Figures: result.Figures}
}

// confirm asks the URL whose answer is all that the step waits for, as often as checks are looked at.
func (p *pursuit) confirm(ctx context.Context, view *rollout.View, now time.Duration) {
	if view == nil || view.Awaits == "" || p.asking || p.asked > 0 && now-p.asked < p.engine.plan.Every {
		return
	}
	p.asked = now
	p.asking = true
	address, position := view.Awaits, view.Position
	question := notify.Question{Rollout: p.engine.name, Revision: position.Revision, Epoch: position.Epoch, Step: view.Record.Step, Weight: view.Record.Weight}
	answers := p.answers
	go func() {
		confirmed, reason := notify.Confirm(ctx, address, question)
		answer := rollout.Confirmation{Position: position, Confirmed: confirmed, Reason: reason}
		answers <- answer // one question at a time: there is room
	}()
}

// mismatchLevel is the probability with which clients that are divided as they should be are taken for a mismatch, in
// all the looks at a step.
const mismatchLevel = 0.001

// counts are when the division of clients is looked at: each time that there are twice as many.
type counts struct {
	looks int
	next  int64 // how many clients there have to be; 0: the first number
}

// mismatch compares the clients that were assigned in this step with the weights.
func (p *pursuit) mismatch() *rollout.Mismatch {
	const first = 200
	assigned := p.trial.Assignments()
	total := int64(0)
	for _, n := range assigned {
		total += n
	}
	if p.counts.next == 0 {
		p.counts.next = first
	}
	if total < p.counts.next || p.live.census.isClosed() {
		return nil
	}
	p.counts.next = 2 * total
	p.counts.looks++
	level := mismatchLevel / float64(p.counts.looks*(p.counts.looks+1)) // adds up to mismatchLevel
	ph := current(p.engine)
	if ph.trial != p.trial {
		return nil
	}
	weights := make([]float64, 0, len(ph.weights))
	for _, weight := range ph.weights {
		weights = append(weights, float64(weight))
	}
	chance := analysis.SampleRatio(assigned, weights)
	if chance >= level {
		return nil
	}
	m := &rollout.Mismatch{Position: p.trial.position, Figures: map[string]float64{"p_value": chance}}
	m.Reason = fmt.Sprintf("of %d new clients", total)
	for i, name := range p.engine.variants {
		m.Reason += fmt.Sprintf(" %d got %s (%s)", assigned[i], name, ph.weights[i].String())
		m.Figures[name+"_clients"] = float64(assigned[i])
	}
	m.Reason += fmt.Sprintf(": as unlikely as %.1g", chance)
	return m
}

// verdicts count evaluations by what they said. They only grow.
type verdicts struct{ pass, fail, hold atomic.Int64 }

func (v *verdicts) count(verdict rollout.Verdict) {
	switch verdict {
	case rollout.Pass:
		v.pass.Add(1)
	case rollout.Fail:
		v.fail.Add(1)
	default:
		v.hold.Add(1)
	}
}

// Verdicts returns how many evaluations of the checks said what.
func (l *Live) Verdicts() map[rollout.Verdict]int64 {
	return map[rollout.Verdict]int64{rollout.Pass: l.verdicts.pass.Load(), rollout.Fail: l.verdicts.fail.Load(), rollout.Hold: l.verdicts.hold.Load()}
}
