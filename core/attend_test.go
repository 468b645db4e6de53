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

// TestReportsComeTogether: the rollouts of a gateway report at the same times, and others' at others, neither at once nor late.
func TestReportsComeTogether(t *testing.T) {
	turns := map[time.Duration]bool{}
	for _, name := range []string{"", "edge-1", "edge-2", "edge-3", "a gateway with a long name"} {
		for _, pace := range []time.Duration{soonest, latest, leisure} {
			for now := time.Duration(0); now < 4*pace; now += pace/7 + time.Nanosecond {
				next := turnAfter(now, pace, name)
				if next < now+pace/4 || next >= now+pace+pace/4 {
					t.Errorf("%q, which reports every %v, does so %v after the last time", name, pace, next-now)
				}
				turns[next%leisure] = turns[next%leisure] || pace == leisure
			}
		}
	}
	seldom := 0
	for _, leisurely := range turns {
		if leisurely {
			seldom++
		}
	}
	if seldom != 5 {
		t.Errorf("five gateways report at %d times of every %v", seldom, leisure)
	}
}

// TestToldAfterwards: what changes while a report is under way is told in the second after that.
func TestToldAfterwards(t *testing.T) {
	p := &pursuit{live: NewLive()}
	p.attendance.members = fleettest.New()
	p.attendance.gathered = make(chan exchanged, 1)
	p.attend(context.Background(), &rollout.View{State: rollout.Progressing}, 0)
	if !p.eager {
		t.Error("it rests")
	}
}

// TestPaceOfManyRollouts: of gateways with many rollouts each is reported less often, while there is something to judge and while there is
// not; so is what failed.
func TestPaceOfManyRollouts(t *testing.T) {
	link := fleettest.New()
	p := &pursuit{live: NewLive(), engine: &Engine{checked: checked{plan: &rollout.Plan{Every: 10 * time.Second}}}}
	p.attendance.members = link
	p.attendance.failed = 10
	p.live.company.council = fleet.NewCouncil("0f")
	content, err := fleet.Report{Number: 1, Fleet: 1000}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p.live.company.council.Hear([]store.Report{{Member: "10", Content: content}}, false, fleet.Report{}, fleet.Release{}, 0)
	for _, test := range []struct {
		rollouts              int
		pace, unjudged, retry time.Duration
	}{
		{1, 20 * time.Second, 20 * time.Second, 20 * time.Second},
		{30, 25 * time.Second, 40 * time.Second, 20 * time.Second},
		{1000, 30 * time.Second, 40 * time.Second, 20 * time.Second},
	} {
		link.Rollouts = test.rollouts
		pace, unjudged := p.pace(&rollout.View{State: rollout.Progressing}), p.pace(&rollout.View{State: rollout.Promoted})
		if retry := p.retry(); pace != test.pace || unjudged != test.unjudged || retry != test.retry {
			t.Errorf("each of %d rollouts is reported every %v, %v where there is nothing to judge, and after %v; want %v, %v, %v",
				test.rollouts, pace, unjudged, retry, test.pace, test.unjudged, test.retry)
		}
	}
}

// TestRetries: what failed is tried again after a second, and ever later while it fails.
func TestRetries(t *testing.T) {
	p := &pursuit{live: NewLive()}
	p.attendance.members = fleettest.New()
	p.live.company.council = fleet.NewCouncil("0f")
	for _, want := range []time.Duration{soonest, 2 * soonest, 4 * soonest, latest, latest} {
		p.attendance.failed++
		if wait := p.retry(); wait != want {
			t.Errorf("after %d failures it waits %v, want %v", p.attendance.failed, wait, want)
		}
	}
}

// TestTurnsOfAnotherPace: where there are many, what changes waits for the gateway's turn, but not for that of a slower pace.
func TestTurnsOfAnotherPace(t *testing.T) {
	p := &pursuit{live: NewLive(), engine: &Engine{checked: checked{plan: &rollout.Plan{Every: 10 * time.Second}}}}
	p.attendance.members = fleettest.New()
	council := fleet.NewCouncil("0f")
	p.live.company.council = council
	var reports []store.Report
	for i := 10; i < 30; i++ {
		content, err := fleet.Report{Number: 1}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, store.Report{Member: strconv.Itoa(i), Content: content})
	}
	council.Hear(reports, true, fleet.Report{}, fleet.Release{}, 0)
	now := time.Minute
	p.attendance.report = now + 2*leisure
	view := &rollout.View{State: rollout.Progressing}
	p.attend(context.Background(), view, now)
	turn := turnAfter(now, latest, "")
	if p.attendance.report != turn {
		t.Errorf("it reports at %v, want %v", p.attendance.report, turn)
	}
	p.attend(context.Background(), view, now+time.Second)
	if p.attendance.report != turn || p.attendance.gathered != nil {
		t.Errorf("nothing has changed, and it reports at %v, want %v", p.attendance.report, turn)
	}
}

// TestRoleWhileTheStoreIsAway: a gateway judges alone then, and does not go on with the plan, also if the store is back and nobody has
// asked it yet. One that has no others does: it finds out by itself whether it can.
func TestRoleWhileTheStoreIsAway(t *testing.T) {
	p := &pursuit{live: NewLive()}
	away := &rollout.View{State: rollout.Progressing, Away: "the cable is cut"}
	if r := p.roleIn(away, 0); r.follows || r.judges != 1 || r.obstacle != "" {
		t.Errorf("alone it is %+v", r)
	}
	p.attendance.members = fleettest.New()
	if r := p.roleIn(away, 0); r.follows || r.judges != 1 || r.obstacle != "the store is away: the cable is cut" {
		t.Errorf("among others it is %+v", r)
	}
}

// TestPaceOfOutdated: who is superseded looks again soon until it has heard who did that, lest it takes them for gone.
func TestPaceOfOutdated(t *testing.T) {
	p := &pursuit{live: NewLive(), engine: &Engine{}}
	p.attendance.members = fleettest.New()
	p.live.company.council = fleet.NewCouncil("0f")
	hear := func(other, record string) {
		content, err := fleet.Report{Number: 1, Revision: other, Candidate: "canary"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		p.live.company.council.Hear([]store.Report{{Member: other, Content: content}}, true, fleet.Report{Revision: "v2"}, fleet.Release{Revision: record, Candidate: "canary"}, 0)
	}
	view := &rollout.View{State: rollout.Progressing, Outdated: &rollout.Past{}}
	view.Record.Revision, view.Record.Candidate = "v3", "canary"
	for _, test := range []struct {
		heard, other, record string
		pace                 time.Duration
	}{
		{"when all had the same", "v2", "v2", latest},
		{"before the others reported again", "v2", "v3", latest},
		{"then", "v3", "v3", leisure},
	} {
		hear(test.other, test.record)
		if pace := p.pace(view); pace != test.pace {
			t.Errorf("%s: it reports after %v, want %v", test.heard, pace, test.pace)
		}
	}
}
