package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/store"
)

// TestWhoDiffers: gateways that differ are told, and only counts of the same division of the same stay are added.
func TestWhoDiffers(t *testing.T) {
	for _, test := range []struct {
		name    string
		edit    func(r *Report)
		differs string
		added   bool
	}{
		{"nothing", nil, "", true},
		{"outdated", func(r *Report) { r.Outdated = true }, "its revision was superseded", false},
		{"revision", func(r *Report) { r.Revision = "v3" }, "another revision", false},
		{"candidate", func(r *Report) { r.Candidate = "green" }, "another revision or candidate", false},
		{"no plan", func(r *Report) { r.Plan = "" }, "no plan", true},
		{"plan", func(r *Report) { r.Plan = "other" }, "another plan, or other checks", true},
		{"division", func(r *Report) { r.Division = "50 50" }, "other weights", false},
		{"another step, for now", func(r *Report) { r.Entry = 2 }, "", false},
		{"another epoch", func(r *Report) { r.Epoch = 7 }, "", false},
		{"nothing counted", func(r *Report) { r.Division = ""; r.Counts = nil }, "", false},
		{"fewer variants", func(r *Report) { r.Counts = r.Counts[:1] }, "", false},
		{"impossible", func(r *Report) { r.Counts[1].Failures = 1 << 40 }, "what cannot be", false},
	} {
		judge, other := newGateway("j"), newGateway("a")
		other.edit = test.edit
		analysis.AnsweredAlike(other.trial.Arm(1), 7, false, time.Millisecond)
		council := NewCouncil(judge.id)
		council.Hear([]store.Report{other.filed(t)}, true, judge.report(), release, 0)
		council.AddTo(judge.trial, 0)
		m := council.Members()[0]
		if m.ID != "a" || !strings.Contains(m.Differs, test.differs) || test.differs == "" && m.Differs != "" {
			t.Errorf("%s: %q differs: %q, want %q", test.name, m.ID, m.Differs, test.differs)
		}
		if n := judge.trial.Tally(1).Requests; (n == 7) != test.added {
			t.Errorf("%s: %d requests were added", test.name, n)
		}
	}
}

// TestWhoDiffersFromOutdated: a gateway whose revision was superseded differs from those that have the new one, and not from
// others like itself.
func TestWhoDiffersFromOutdated(t *testing.T) {
	outdated := func(revision string) func(*Report) {
		return func(r *Report) {
			r.Outdated = true
			r.Revision = revision
			r.Division = ""
			r.Counts = nil
		}
	}
	for _, test := range []struct {
		name    string
		edit    func(r *Report)
		differs string
	}{
		{"who has the new one", nil, "it has the revision that superseded this one's"},
		{"who has it without a plan", func(r *Report) { r.Plan = "" }, "it has the revision that superseded this one's"},
		{"who has the same", outdated("v1"), ""},
		{"who has another", outdated("v0"), "its revision was superseded"},
		{"who has one that is not yet known", func(r *Report) { r.Revision = "v3" }, "it has another revision or candidate"},
	} {
		mine, other := newGateway("j"), newGateway("a")
		mine.edit = outdated("v1")
		other.edit = test.edit
		council := NewCouncil(mine.id)
		council.Hear([]store.Report{other.filed(t)}, true, mine.report(), release, 0)
		if m := council.Members()[0]; m.ID != "a" || m.Differs != test.differs {
			t.Errorf("%s: %q differs: %q, want %q", test.name, m.ID, m.Differs, test.differs)
		}
	}
}

func TestUnopposed(t *testing.T) {
	mine, other := newGateway("j"), newGateway("a")
	mine.edit = func(r *Report) { r.Outdated, r.Revision = true, "v1" }
	council := NewCouncil(mine.id)
	speaks := []store.Report{other.filed(t)}
	hear := func(at time.Duration, reports []store.Report, all bool) {
		council.Hear(reports, all, mine.report(), release, at)
	}
	if council.Unopposed(release, time.Hour) {
		t.Error("before anything was heard")
	}
	hear(0, speaks, true)
	hear(time.Minute, nil, true)
	if council.Unopposed(release, time.Minute) || council.Unopposed(release, time.Minute+patience-1) {
		t.Error("a gateway may be about to begin again")
	}
	if !council.Unopposed(release, time.Minute+patience) {
		t.Error("nobody is left")
	}
	hear(2*time.Minute, nil, false)
	if council.Unopposed(release, time.Hour) {
		t.Error("those who were not looked at may be about it")
	}
	hear(3*time.Minute, nil, true)
	hear(4*time.Minute, speaks, true)
	hear(5*time.Minute, nil, true)
	if council.Unopposed(release, 5*time.Minute+patience-1) {
		t.Error("one came in between")
	}
	if names := council.Others(release); len(names) != 0 {
		t.Errorf("there are %q", names)
	}
}

// TestOthers: who is about a release is known when reports were heard since the record is about it, and not before.
func TestOthers(t *testing.T) {
	mine, old, next := newGateway("j"), newGateway("a"), newGateway("b")
	council := NewCouncil(mine.id)
	hear := func(record Release, want string) {
		t.Helper()
		council.Hear([]store.Report{old.filed(t), next.filed(t)}, true, mine.report(), record, 0)
		if names := strings.Join(council.Others(record), " "); names != want {
			t.Errorf("%q are about %v, want %q", names, record, want)
		}
	}
	hear(release, "edge-a edge-b")
	newer := Release{Revision: "v3", Candidate: "canary"}
	if names := council.Others(newer); len(names) != 0 {
		t.Errorf("%q are about %v, by reports of when nobody was", names, newer)
	}
	hear(newer, "")
	next.edit = func(r *Report) { r.Revision = "v3" }
	hear(newer, "edge-b")
}

func TestTwins(t *testing.T) {
	mine, other := newGateway("j"), newGateway("a")
	other.edit = func(r *Report) { r.Name = "edge-j" }
	council := NewCouncil(mine.id)
	for _, at := range []time.Duration{0, 29 * time.Second, 30 * time.Second} {
		council.Hear([]store.Report{other.filed(t)}, true, mine.report(), release, at)
		if council.Twin(at) != (at == 30*time.Second) {
			t.Errorf("after %s: %v", at.String(), council.Twin(at))
		}
	}
	council.Hear(nil, true, mine.report(), release, time.Hour)
	if council.Twin(time.Hour) {
		t.Error("it is gone")
	}
}
