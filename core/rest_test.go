package core

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet"
	"github.com/grayling-gateway/grayling/core/fleet/fleettest"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// TestRest: a pursuit rests until the first second in which something is due, and never for long.
func TestRest(t *testing.T) {
	config := planned()
	config.Plan.Steps = []Step{{Weight: "10%", For: "1m"}, {Weight: "50%", Manual: true}}
	live := NewLive()
	e := inForce(t, config, live, Host{})
	begun := live.controller.View()
	started := clocks().Mono
	p := &pursuit{engine: e, live: live, trial: current(e).trial}
	expect := func(what string, now, want time.Duration) {
		t.Helper()
		if rest := p.rest(now); rest != want || p.next != now+want {
			t.Errorf("%s: it rests for %v, until %v later; want %v", what, rest, p.next-now, want)
		}
	}
	at := func(now time.Duration) time.Duration { // that all was done then
		p.trial.Turn(now - p.trial.began)
		p.ticked, p.judged, p.recorder.since, p.eager = now, now, now, false
		return now
	}
	now := at(started + 20*time.Second)
	expect("nothing is due", now, longestRest)
	expect("nothing is due, after a tick of some time", now+4*time.Millisecond, longestRest-4*time.Millisecond)
	p.judged = now - e.plan.Every + 2500*time.Millisecond
	expect("the checks are to be looked at after 2.5 s", now, 3*time.Second)
	p.judged = now - e.plan.Every
	expect("they are to be looked at now", now, time.Second)
	now = at(now)
	p.recorder.since = now + 4*time.Millisecond - p.pointLasts() + 2*time.Second
	expect("a point ends after 2 s, since when a tick was a little late", now, 2*time.Second)
	now = at(now)
	p.trial.Turn(now - p.trial.began + 8*time.Second)
	p.ticked, p.judged, p.recorder.since = now+8*time.Second, now+8*time.Second, now+8*time.Second
	expect("a slot of the trial ends after 2 s", now+8*time.Second, 2*time.Second)
	now = at(now + 8*time.Second)
	p.eager = true
	expect("something has happened", now, time.Second)
	expect("something has happened long after the last tick", now+4*time.Second, 0)

	left, ends := begun.Left(now)
	if !ends || left <= 0 || left > 40*time.Second {
		t.Fatalf("the step ends after %v: %v", left, ends)
	}
	now = at(now + left - 1500*time.Millisecond)
	expect("the step ends after 1.5 s", now, 2*time.Second)
	p.role.follows = true
	expect("it does, and others judge", now, longestRest)
	now = at(now + 3*time.Second)
	p.role.follows = false
	expect("the step's time is over, and it waits for something", now, time.Second)
	if _, err := live.Command(context.Background(), rollout.Command{Verb: rollout.Pause}, ""); err != nil {
		t.Fatal(err)
	}
	expect("it is paused", now, longestRest)
	before := live.stirring()
	stirred := live.stirring()
	if _, err := live.Command(context.Background(), rollout.Command{Verb: rollout.Resume}, ""); err != nil {
		t.Fatal(err)
	}
	if len(stirred) == 0 {
		t.Error("a command stirs nobody")
	}
	if len(before) > 0 {
		t.Error("a command stirs a pursuit that another follows")
	}

	p.attendance.members = fleettest.New()
	p.attendance.report = now + 17*time.Second
	p.role.follows = true
	c := &live.company
	c.council = fleet.NewCouncil("z")
	reports := firstReports(t)
	c.council.Hear(reports[1:], true, fleet.Report{}, fleet.Release{}, now)
	expect("it follows few, and reports later than anything is due", now, longestRest)
	c.council.Hear(reports, true, fleet.Report{}, fleet.Release{}, now)
	expect("it follows many", now, 17*time.Second)
	p.attendance.gathered = make(chan exchanged)
	expect("the same, while a report is under way", now, longestRest)
	p.role.follows = false
	p.attendance.gathered = nil
	expect("it judges for many", now, time.Second)
	p.role.obstacle, p.trial = "the store is away", current(e).trial
	p.judged = now - e.plan.Every + 7500*time.Millisecond
	expect("it is cut off from many, and is to look at its checks after 7.5 s", now, 8*time.Second)
	p.judged = now
	p.attendance.report = now + 9*time.Second
	expect("the same, and a report is tried before that", now, 9*time.Second)
	p.role.obstacle = ""

	config.Ends = time.Now().Add(time.Hour).Format(time.RFC3339Nano)
	e = inForce(t, config, live, Host{})
	p = &pursuit{engine: e, live: live, trial: current(e).trial}
	now = at(clocks().Mono)
	e.ends = time.Now().Add(1500 * time.Millisecond)
	if rest := p.rest(now); rest > 2*time.Second || rest < time.Second {
		t.Errorf("the rollout ends after 1.5 s: it rests for %v", rest)
	}
	e.ends = time.Now().Add(-time.Second)
	expect("the rollout has ended", now, longestRest)
}

// firstReports are so many that the gateways are not few.
func firstReports(t *testing.T) []store.Report {
	t.Helper()
	var reports []store.Report
	for i := 0; i < fleet.FirstReports; i++ {
		content, err := fleet.Report{Name: "edge"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, store.Report{Member: strconv.Itoa(i), Content: content})
	}
	return reports
}

// TestRollbackDoesNotRest: who is cut off from many gateways does not wait for his next report with a rollback that the store has
// not got.
func TestRollbackDoesNotRest(t *testing.T) {
	config, live, link := planned(), NewLive(), fleettest.New()
	config.Member = "one"
	e := inForce(t, config, live, Host{Store: link})
	live.company.council = fleet.NewCouncil("z")
	live.company.council.Hear(firstReports(t), true, fleet.Report{}, fleet.Release{}, 0)
	link.Cut(true)
	now := clocks().Mono
	p := &pursuit{engine: e, live: live, trial: current(e).trial, ticked: now, judged: now}
	p.attendance.members = link
	p.attendance.report = now + 17*time.Second
	rests := func(want time.Duration) {
		t.Helper()
		view := live.controller.View()
		p.role = p.roleIn(view, now)
		if rest := p.rest(now); rest != want {
			t.Errorf("%s, away %q, unsaved %v: it rests for %v, want %v", string(view.State), view.Away, view.Unsaved, rest, want)
		}
	}
	if _, err := live.Command(context.Background(), rollout.Command{Verb: rollout.Promote}, ""); err == nil {
		t.Fatal("promoted")
	}
	rests(e.plan.Every)
	if _, err := live.Command(context.Background(), rollout.Command{Verb: rollout.Abort}, ""); err != nil {
		t.Fatal(err)
	}
	rests(longestRest)
	link.Cut(false)
	live.controller.Tick(context.Background(), clocks(), rollout.Observations{})
	if view := live.controller.View(); view.Away != "" || view.Unsaved {
		t.Errorf("away %q, unsaved %v", view.Away, view.Unsaved)
	}
}
