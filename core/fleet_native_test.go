package core

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/fleet/fleettest"
)

// TestFleetOfTwoRevisions: who has the older one lets its candidate be, says so, and takes over when the others are gone.
func TestFleetOfTwoRevisions(t *testing.T) {
	t.Parallel()
	config := swift()
	config.Plan.Steps = []Step{{Weight: "50%", Manual: true}}
	common := fleettest.New()
	old, likewise := enter(t, common, "old", config, true), enter(t, common, "likewise", config, true)
	until(t, old.live, "progressing", 1)
	wait(t, "both are there", func() bool {
		s, _ := old.live.Status()
		return member(s, "likewise").State == "progressing"
	})
	newer := config
	newer.Revision = "v3"
	newer.Member = "new"
	next := &gateway{live: NewLive(), link: common.Link(), status: &atomic.Int64{}}
	stop := next.begin(t, newer)
	until(t, next.live, "progressing", 1)
	s := until(t, old.live, OutdatedState, 0)
	if s.Revision != "v2" || s.Base != "stable" || s.Variants[1].Weight != "0%" || !strings.Contains(s.Reason, `revision "v3" is being released elsewhere`) {
		t.Errorf("%+v", s)
	}
	d := old.live.inForce().Decide(get("User-Agent: iPhone"), "", time.Now())
	if d.Variant != "stable" {
		t.Errorf("an outdated gateway sends to %s because of %s", d.Variant, d.Reason)
	}
	wait(t, "they know each other", func() bool {
		s, _ := next.live.Status()
		return member(s, "old").State == OutdatedState && strings.Contains(member(s, "old").Differs, "superseded")
	})
	wait(t, "its log says who", func() bool {
		return strings.Contains(old.logged(), "revision=v2 released=v3 by=new\n") && strings.Contains(likewise.logged(), "revision=v2 released=v3 by=new\n")
	})
	if s, _ := next.live.Status(); s.State != "progressing" || s.Revision != "v3" {
		t.Errorf("where it is released it is %s of %s", s.State, s.Revision)
	}
	stop()
	until(t, old.live, "progressing", 1)
	if s, _ := old.live.Status(); s.Revision != "v2" || !strings.Contains(s.Reason, `no gateway releases "v3" any more`) {
		t.Errorf("%+v", s)
	}
}
