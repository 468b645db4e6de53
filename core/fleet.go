package core

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	mathrand "math/rand"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// company is what a rollout knows of the other gateways that have its store. It is a part of Live, and outlives engines.
type company struct {
	pursuing sync.Mutex // held by the pursuit that goes on with the plan; it guards all but seen

	council *fleet.Council // nil before this process first reported
	id      string         // of this process
	number  int64          // of its last report
	joined  bool           // whether the reports of the others were ever read
	fault   string         // why they cannot be now; "" if they can
	warned  string         // of what the log said last: see warn

	outdated time.Duration // until when this gateway was not

	seen atomic.Value // *assembly; nothing before the reports of the others were read
}

// assembly is what was known of all gateways at some time. It does not change.
type assembly struct {
	members []*fleet.Member
	id      string // of this process
}

const (
	soonest = time.Second
	latest  = 5 * time.Second  // from one report to the next while there is something to judge
	leisure = 20 * time.Second // and while there is not
	crowded = 2 * leisure      // and the most there is, where very many gateways have very many rollouts
	lives   = 3                // so many reports may get lost before a gateway is taken to be gone
)

// exchanged is a report that was sent, and what the others say.
type exchanged struct {
	mine    fleet.Report
	record  fleet.Release
	reports []store.Report
	read    bool // whether they were read
	all     bool // and all of them
	err     error
}

// attendance is when a pursuit reports, and looks at what the others do.
type attendance struct {
	members  store.Members  // nil if no other gateway has the store
	gathered chan exchanged // nil unless it is under way
	report   time.Duration  // when to report next, on the monotonic clock
	look     time.Duration  // when to look next
	told     string         // of what was reported last
	failed   int            // how many exchanges did in a row
}

// attend has the gateway report, and look at the reports of the others, when it is time. Among few gateways what changed is told
// at once; among many a thousand others learn of it at the same moment, and tell it when it is their turn.
func (p *pursuit) attend(ctx context.Context, view *rollout.View, now time.Duration) {
	a := &p.attendance
	if a.members == nil || view == nil || view.State == "" {
		return
	}
	if a.gathered != nil {
		p.eager = true // to tell what has changed meanwhile
		return
	}
	telling := fmt.Sprint(view.Position, string(view.State), view.Outdated != nil, p.trial != nil, view.Away == "")
	c := &p.live.company
	if c.council == nil {
		c.id = randomID()
		c.council = fleet.NewCouncil(c.id)
	}
	changed := telling != a.told
	if !changed && now < a.report {
		return
	}
	pace := p.pace(view)
	turn := turnAfter(now, pace, p.engine.release.Member)
	if changed {
		a.told = telling
		a.report = earlier(a.report, turn) // the pace may have been another
		if c.council.Few() {
			a.report = now
			a.look = now
		}
	}
	if now < a.report {
		return
	}
	a.report = turn
	limit := c.council.Limit()
	g := exchanged{mine: p.reportOf(view), read: now >= a.look, all: limit == 0}
	g.record = releaseOf(view)
	gathered := make(chan exchanged, 1)
	a.gathered = gathered
	members, name, id := a.members, p.engine.name, c.id
	ttl := lives * latest
	switch { // not the pace itself: a lease for each there is would be many
	case pace > leisure:
		ttl = lives * crowded
	case pace > latest:
		ttl = lives * leisure
	}
	go func() { gathered <- exchange(ctx, members, name, id, g, limit, ttl) }()
}

// jittered returns about that time, so that not all gateways do the same at the same time.
func jittered(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*4/5 + time.Duration(mathrand.Int63n(int64(d)*2/5+1))
}

// turnAfter returns when a gateway reports next: all of its rollouts at the same time, so that they are written together, and
// gateways of other names at others.
func turnAfter(now, pace time.Duration, name string) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // it never fails
	at := now - now%pace + time.Duration(hash.Sum64()%uint64(pace))
	for at < now+pace/4 {
		at += pace
	}
	return at
}

// exchange sends a report, and reads those of the others.
func exchange(ctx context.Context, members store.Members, name, id string, g exchanged, limit int, ttl time.Duration) exchanged {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout) // they may be gathered with others for a second
	defer cancel()
	content, err := g.mine.Encode()
	if err == nil {
		err = members.Report(ctx, name, id, content, ttl)
	}
	if err == nil && g.read {
		g.reports, err = members.Reports(ctx, name, limit)
		g.all = limit == 0 || len(g.reports) < limit
	}
	g.err = err
	return g
}

// releaseOf returns what the record is about.
func releaseOf(view *rollout.View) fleet.Release {
	return fleet.Release{Revision: view.Record.Revision, Candidate: view.Record.Candidate}
}

// pace is the time from one report to the next.
func (p *pursuit) pace(view *rollout.View) time.Duration {
	if view.Outdated != nil && len(p.live.company.council.Others(releaseOf(view))) == 0 { // who made it so is about to report, or gone
		return latest
	}
	council, rollouts := p.live.company.council, p.attendance.members.Reporting()
	if view.Outdated != nil || view.State != rollout.Progressing && view.State != rollout.Paused {
		return council.Pace(leisure, rollouts)
	}
	pace := p.engine.plan.Every / 2
	if pace < soonest {
		pace = soonest
	}
	if pace > latest {
		pace = latest
	}
	return council.Pace(pace, rollouts)
}

// reportOf says what this gateway knows.
func (p *pursuit) reportOf(view *rollout.View) fleet.Report {
	e, c := p.engine, &p.live.company
	c.number++
	r := fleet.Report{Number: c.number, Name: e.release.Member, Gateway: e.host.Gateway, Revision: view.Position.Revision, Plan: e.planned,
		Outdated: view.Outdated != nil, Fleet: c.council.Size(), State: string(view.State), Step: view.Record.Step, Weight: view.Record.Weight,
		Epoch: view.Position.Epoch, Entry: view.Position.Entry, Verdict: view.Last.Verdict}
	if e.candidate > 0 {
		r.Candidate = e.variants[e.candidate]
	}
	if r.Outdated {
		r.Step = 0
		r.Weight = ""
		return r
	}
	if t := p.trial; t != nil && t.position == view.Position && e.plan != nil {
		r.Division = fingerprint(t.division)
		for i := range e.variants {
			r.Counts = append(r.Counts, t.Counts(i))
		}
	}
	return r
}

// meet takes in what the others said.
func (p *pursuit) meet(g exchanged) {
	now := clocks().Mono
	c := &p.live.company
	if g.err != nil {
		p.attendance.failed++
		p.attendance.report = turnAfter(now, p.retry(), p.engine.release.Member)
		p.attendance.look = now
		p.eager = true
		if c.fault == "" {
			p.engine.log.Error("the reports of the other gateways", "rollout", p.engine.name, "error", g.err)
		}
		c.fault = g.err.Error()
		return
	}
	p.attendance.failed = 0
	if view := p.live.controller.View(); view != nil && view.Away != "" {
		p.live.controller.Ask()
		p.eager = true
	}
	if c.fault != "" {
		p.engine.log.Info("the reports of the other gateways are back", "rollout", p.engine.name)
		c.fault = ""
		p.eager = true
	}
	if !g.read {
		return
	}
	p.eager = true // its role may be another
	c.joined = true
	c.council.Hear(g.reports, g.all, g.mine, g.record, now)
	p.attendance.look = now + jittered(c.council.Pause())
	if t := p.trial; t != nil && t.position == g.mine.Position() && fingerprint(t.division) == g.mine.Division {
		t.Turn(now - t.began)
		c.council.AddTo(t.Trial, now-t.began)
	}
	c.seen.Store(&assembly{members: c.council.Members(), id: c.id})
}

// retry returns when a report is tried again that failed: ever later, because a store that is busy has the more to do the
// more often it is asked.
func (p *pursuit) retry() time.Duration {
	most := earlier(p.live.company.council.Pace(latest, p.attendance.members.Reporting()), leisure)
	wait := soonest
	for i := 1; i < p.attendance.failed && wait < most; i++ {
		wait *= 2
	}
	return earlier(wait, most)
}

// leave tells the others that this gateway has gone, unless another engine goes on here, or is about to take over.
func (p *pursuit) leave() {
	c := &p.live.company
	if p.attendance.members == nil || c.council == nil || p.live.inForce() != p.engine || p.live.begun.Load() > p.engine.order {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := p.attendance.members.Leave(ctx, p.engine.name, c.id); err != nil {
		p.engine.log.Warn("the other gateways learn later that this one has gone", "rollout", p.engine.name, "error", err)
	}
}

// role is a gateway's part in what happens to a rollout.
type role struct {
	follows   bool
	judges    int    // who judge, with this one
	obstacle  string // why the plan must not go on
	unopposed string // the version of the record that no other gateway is about, or ""
}

// roleIn returns what this gateway has to do. While the store is away, or it cannot read what the others say, it judges by its
// own requests, so as to roll back what is bad, and the plan does not go on.
func (p *pursuit) roleIn(view *rollout.View, now time.Duration) role {
	c := &p.live.company
	switch {
	case p.attendance.members == nil || view == nil:
		return role{judges: 1}
	case view.Away != "": // or it was, and nobody has asked it since
		return role{judges: 1, obstacle: "the store is away: " + view.Away}
	case c.fault != "":
		return role{judges: 1, obstacle: "the store is away: " + c.fault}
	case !c.joined:
		return role{follows: true}
	}
	n, me := c.council.Judges()
	r := role{follows: !me, judges: n}
	if c.council.Unopposed(releaseOf(view), now) {
		r.unopposed = view.Record.Version()
	}
	return r
}

// warn writes into the log, once, what people have to mend: another revision in force than the gateway's own, and another
// process of the same name.
func (p *pursuit) warn(view *rollout.View, now time.Duration) {
	c := &p.live.company
	if view == nil || p.attendance.members != nil && !c.joined {
		return
	}
	log := p.engine.log
	name := p.engine.name
	if view.Outdated == nil || c.outdated == 0 {
		c.outdated = now
	}
	switch {
	case view.Outdated != nil:
		by := ""
		if c.council != nil {
			by = strings.Join(c.council.Others(releaseOf(view)), ", ")
		}
		if by == "" && p.attendance.members != nil && now-c.outdated < leisure { // who is about it has not reported yet
			return
		}
		if text := fmt.Sprint(view.Outdated.Revision, "\x00", view.Record.Revision); c.warned != text {
			c.warned = text
			log.Error("another revision is being released: configure this gateway with it, or restart the rollout here",
				"rollout", name, "revision", view.Outdated.Revision, "released", view.Record.Revision, "by", by)
		}
	case c.council != nil && c.council.Twin(now):
		if text := "twin " + p.engine.release.Member; c.warned != text {
			c.warned = text
			log.Warn("another process reports by the same name: give each gateway its own (member)", "rollout", name, "member", p.engine.release.Member)
		}
	case c.warned != "":
		c.warned = ""
		log.Info("the gateways agree", "rollout", name)
	}
}

// members returns what other gateways that have the engine's store report; nil if no others can have it.
func (e *Engine) members() store.Members {
	if e.host.Store == nil {
		return nil
	}
	members, _ := e.host.Store.(store.Members)
	return members
}

// sharedName returns the gateway's name. Among others it is that of its machine unless one is configured.
func (e *Engine) sharedName() string {
	name := e.member()
	if name != "" || e.members() == nil {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "" // it has none
	}
	return name
}

// randomID returns letters and digits that nobody else has.
func randomID() string {
	id := make([]byte, 10)
	_, _ = rand.Read(id) // it never fails
	return hex.EncodeToString(id)
}

// planPrint stands for what gateways have to agree on to judge alike: the plan and its checks.
func (e *Engine) planPrint() string {
	if e.plan == nil {
		return ""
	}
	p := e.plan
	parts := []string{fmt.Sprint(p.Every, p.Window, p.MinRequests, p.Failures, p.PauseOnFail, p.Deadline)}
	for i := range p.Steps {
		step := &p.Steps[i]
		parts = append(parts, step.Weight.String(), fmt.Sprint(step.For, step.Manual), step.Confirm)
	}
	for _, hours := range p.Only {
		parts = append(parts, hours.String())
	}
	for _, check := range e.checks.Describe() {
		parts = append(parts, check.Text)
	}
	return fingerprint(parts...)
}
