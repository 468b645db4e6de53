package core

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// TestSeries: points follow a rollout from step to step, and what they count adds up to what the checks saw.
func TestSeries(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(200)
	live := NewLive()
	run(t, swift(), live, Host{}, &status)
	until(t, live, "progressing", 3)
	points := pointsUntil(t, live, func(v VariantStatus) bool { return v.Weight == "95%" && v.Requests > 0 && v.LatencyP95 > 0 })
	weights := map[string]bool{}
	for i := range points {
		p := &points[i]
		canary := p.Variants[1]
		weights[canary.Weight] = true
		if p.ID != int64(i+1) || p.For <= 0 || p.For > time.Minute || i > 0 && p.Time.Before(points[i-1].Time) {
			t.Errorf("point %d: %+v", i, p)
		}
		if canary.Failures != 0 || canary.Requests > 1e6 || p.Variants[0].Name != "stable" || canary.Name != "canary" {
			t.Errorf("point %d: %+v", i, p.Variants)
		}
	}
	if !weights["50%"] { // the first step may be over before anybody looks at it twice
		t.Errorf("there are no points of the step before: %v", weights)
	}
	last := points[len(points)-1].ID
	if rest := live.Series(last - 1); len(rest) == 0 || rest[0].ID != last {
		t.Errorf("after %d there are %+v", last-1, rest)
	}
	if all := live.Series(last + 1000); len(all) < len(points) {
		t.Errorf("an ID of another process: %d points", len(all))
	}

	status.Store(500)
	pointsUntil(t, live, func(v VariantStatus) bool { return v.Failures > 0 })
	until(t, live, "rolled_back", 3)
	points = pointsUntil(t, live, func(v VariantStatus) bool { return v.Weight == "0%" })
	for began := time.Now(); points[len(points)-1].Variants[0].Requests == 0 && time.Since(began) < time.Minute; { // nobody may come in the first
		time.Sleep(20 * time.Millisecond)
		points = live.Series(0)
	}
	if stable := points[len(points)-1].Variants[0]; stable.Requests == 0 || stable.Weight == "5%" {
		t.Errorf("after the rollback the baseline's traffic is not seen: %+v", stable)
	}
	command(t, live, rollout.Command{Verb: rollout.Restart})
	pointsUntil(t, live, func(v VariantStatus) bool { return v.Weight == "10%" })
}

// pointsUntil waits for the last point's canary to be as wanted, and returns the points up to it.
func pointsUntil(t *testing.T, live *Live, wanted func(VariantStatus) bool) []Point {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		points := live.Series(0)
		if n := len(points); n > 0 && wanted(points[n-1].Variants[1]) {
			return points
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %d points, the last %+v", len(points), points)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestSeriesForgets(t *testing.T) {
	live := &Live{}
	for i := 0; i < mostPoints+5; i++ {
		live.series.add(Point{})
	}
	if points := live.Series(0); len(points) != mostPoints || points[0].ID != 6 {
		t.Errorf("%d points, from %d", len(points), points[0].ID)
	}
}
