package core

import (
	"context"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet"
	"github.com/grayling-gateway/grayling/core/fleet/fleettest"
	"github.com/grayling-gateway/grayling/core/rollout"
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

// TestRetries: what failed is tried again after a second, and ever later while it fails.
func TestRetries(t *testing.T) {
	p := &pursuit{live: NewLive()}
	p.live.company.council = fleet.NewCouncil("0f")
	for _, want := range []time.Duration{soonest, 2 * soonest, 4 * soonest, latest, latest} {
		p.attendance.failed++
		if wait := p.retry(); wait != want {
			t.Errorf("after %d failures it waits %v, want %v", p.attendance.failed, wait, want)
		}
	}
}
