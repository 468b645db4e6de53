package core

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Explain says what would become of a request that arrives now, and why: what [Engine.Decide] would say. Nothing that
// decisions leave behind is left by it: nothing is counted or assigned, no client is remembered, nobody is asked but, if
// the question says so, the router. An error wraps [ErrQuestion].
func (e *Engine) Explain(ctx context.Context, q Question, now time.Time) (*Explanation, error) {
	r, err := q.request(ctx)
	if err == nil {
		err = e.checkAssumed(&q)
	}
	if err != nil {
		return nil, err
	}
	if e.host.Prepare != nil {
		r = e.host.Prepare(r, q.IP)
	}
	s := &examination{engine: e, phase: current(e), question: &q, request: r, now: now}
	s.in = &expr.Input{Request: r, Address: q.IP}
	s.assumed = &expr.Assumed{Places: q.Geo, Placeholders: q.Placeholders}
	s.x = &Explanation{Rollout: e.name, Revision: e.revision, State: string(s.phase.state), Step: s.phase.step, Epoch: s.phase.position.Epoch}
	if s.x.State == "" {
		s.x.State = UnknownState
	}
	s.x.Split.Ranges = e.ranges(s.phase)
	s.choose(s.phase.base, s.phase.base.Index, ByBase, "")
	if err := s.token(); err != nil {
		return nil, wrongQuestion("claims: %v", err)
	}
	s.decide()
	s.finish()
	return s.x, nil
}

// Explain is [Engine.Explain] of the engine in force; false if there is none.
func (l *Live) Explain(ctx context.Context, q Question) (*Explanation, bool, error) {
	e := l.inForce()
	if e == nil {
		return nil, false, nil
	}
	x, err := e.Explain(ctx, q, time.Now())
	return x, true, err
}

// examination is how a request is explained.
type examination struct {
	engine   *Engine
	phase    *phase
	question *Question
	request  *http.Request
	now      time.Time
	in       *expr.Input
	assumed  *expr.Assumed
	x        *Explanation

	decision *Decision
	at       string // where it is, should that break
	keyed    bool   // the key was read
	newID    bool   // the client's id is one that the next request would not have
	name     string // that the memory and the router know the client by
	id       string // in the cookie
	kept     assign.Assignment
}

// choose makes a decision: of a phase, for what would be chosen if nothing were over.
func (s *examination) choose(d *Decision, variant int, reason Reason, rule string) {
	s.decision = d
	s.x.Choice = Chosen{Variant: s.engine.variants[variant], Reason: reason, Rule: rule}
}

func (s *examination) note(format string, args ...any) {
	s.x.Notes = append(s.x.Notes, fmt.Sprintf(format, args...))
}

// decide goes the way of decideFully and decideAssigned.
func (s *examination) decide() {
	defer s.recovered()
	s.identify()
	if s.followed() || s.ruled() || s.assigned() {
		return
	}
	s.split()
}

// recovered makes of a panic what Decide makes of it: the base.
func (s *examination) recovered() {
	if fault := recover(); fault != nil {
		s.choose(s.phase.base, s.phase.base.Index, ByBase, "")
		s.note("%s broke, so the base serves: %.500s", s.at, fmt.Sprint(fault))
	}
}

func (s *examination) followed() bool {
	e, p := s.engine, s.phase
	if !e.follows {
		return false
	}
	if s.question.IP == "" {
		s.note("the address that connects is unknown (ip), and so nobody is followed")
	}
	i := e.announcer.followed(s.request)
	s.x.Follow = &FollowExplained{Trusted: trusts(e.announcer, s.request)}
	if i < 0 {
		return false
	}
	s.x.Follow.Variant = e.variants[i]
	s.choose(p.followed[i], i, ByFollowing, "")
	for n := range e.rules {
		s.x.Rules = append(s.x.Rules, s.ruleOf(n))
	}
	return true
}

// ruleOf returns a rule that is not asked.
func (s *examination) ruleOf(n int) RuleExplained {
	rule := s.engine.rules[n]
	x := RuleExplained{Name: rule.name, Use: s.engine.variants[rule.variant], Outcome: RuleSkipped}
	x.Matcher = s.engine.host.Conditions[rule.name] != nil
	if rule.slots < balance.Slots {
		x.Percent = rule.percent.String()
	}
	return x
}

// ruled asks the rules, up to the first that decides.
func (s *examination) ruled() bool {
	e, p := s.engine, s.phase
	done := false
	for n := range e.rules {
		x := s.ruleOf(n)
		if !done {
			s.rule(n, &x)
		}
		if x.Outcome == RuleDecides {
			done = true
			s.choose(p.rules[n], e.rules[n].variant, ByRule, e.rules[n].name)
		}
		s.x.Rules = append(s.x.Rules, x)
	}
	return done
}

// rule asks a rule.
func (s *examination) rule(n int, x *RuleExplained) {
	rule := s.engine.rules[n]
	s.at = fmt.Sprintf("rule %q", rule.name)
	holds, known := s.question.Match[rule.name]
	if known {
		x.Assumed = true
	} else {
		result, parts := expr.Explain(rule.condition, s.in, s.assumed)
		x.Condition = parts
		holds = result == expr.Held
	}
	if x.Matcher {
		x.Condition = nil
		if !known && s.question.IP == "" {
			s.note("rule %q: the client's address is unknown (ip), and the gateway's matcher may ask for it", rule.name)
		}
	}
	x.Outcome = RuleFails
	if !holds {
		return
	}
	x.Outcome = RuleDecides
	if rule.slots == balance.Slots {
		return
	}
	x.Draw = s.draw(s.engine.salt+"/"+rule.name, rule.salt)
	x.Draw.Until = rule.slots
	if x.Draw.Slot < 0 || x.Draw.Slot >= rule.slots {
		x.Outcome = RuleMisses
	}
}

// draw returns the client's place on a line.
func (s *examination) draw(text string, salt *balance.Salt) *Draw {
	s.key()
	d := &Draw{Salt: text, Slot: place(s.engine, salt, s.x.Key.Key)}
	d.Random = d.Slot >= 0 && s.x.Key.Key == "" || s.newID && s.x.Key.By != ""
	s.x.Random = s.x.Random || d.Random
	return d
}

// key finds out what identifies the client, once.
func (s *examination) key() {
	if s.keyed {
		return
	}
	s.keyed = true
	s.at = "the key"
	key, values := expr.ExplainKey(s.engine.key, s.in, s.assumed)
	s.x.Key.Key = key
	s.x.Key.Values = values
}

// split asks the line of slots.
func (s *examination) split() {
	s.x.Split.Draw = s.draw(s.engine.salt, s.engine.splitSalt)
	slot := s.x.Split.Draw.Slot
	if slot < 0 {
		return
	}
	owner := balance.Owner(s.phase.line, slot)
	s.choose(s.phase.split[owner], owner, BySplit, "")
}

// finish says what follows from the decision, and what was not looked at for it.
func (s *examination) finish() {
	e, p := s.engine, s.phase
	d := ended(e, p, s.decision, s.now)
	if over(e, s.now) {
		s.note("it ended at %s: only the baseline serves", e.ends.Format(time.RFC3339))
	} else if d.Reason == ByRolledBack {
		s.note("%s is rolled back: the baseline serves in its place", s.x.Choice.Variant)
	}
	s.x.Decision = Chosen{Variant: d.Variant, Reason: d.Reason, Rule: d.Rule}
	if s.x.State == UnknownState {
		s.note("the store has not said yet how far the rollout has come: until then the candidate of a plan gets nothing")
	}
	if len(s.x.Rules) < len(e.rules) {
		for n := len(s.x.Rules); n < len(e.rules); n++ {
			s.x.Rules = append(s.x.Rules, s.ruleOf(n))
		}
	}
	s.rest(d)
	s.x.Random = s.x.Random || s.in.Drew()
	s.goals(d)
	if len(s.question.Geo) > 0 && e.places == nil {
		s.note("the rollout has no geo database, and so does not ask where the client is")
	}
	for _, what := range e.missing {
		s.note("%s", what)
	}
}

// rest looks at what the decision did not need: it changes nothing any more.
func (s *examination) rest(d *Decision) {
	defer s.unexplained()
	s.at = "the upstreams"
	s.serve(d)
	s.at = "the key"
	s.key()
}

func (s *examination) unexplained() {
	if fault := recover(); fault != nil {
		s.note("%s cannot be told: %.500s", s.at, fmt.Sprint(fault))
	}
}

// ranges returns the line of a phase. Every variant has one range at most.
func (e *Engine) ranges(p *phase) []Range {
	owners := p.line.Owners
	if owners == "" {
		return []Range{{Variant: e.variants[0], Weight: p.weights[0].String(), To: balance.Slots}}
	}
	list := []Range{}
	for from := 0; from < len(owners); from = list[len(list)-1].To {
		owner := owners[from]
		list = append(list, Range{
			Variant: e.variants[owner], Weight: p.weights[owner].String(), From: from, To: strings.LastIndexByte(owners, owner) + 1,
		})
	}
	return list
}
