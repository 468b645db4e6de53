package rollout

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

// percent is 1%.
const percent = balance.Full / 100

// monday is the 23rd of November 2026, at noon.
var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// flight is a machine and the clocks that it is shown.
type flight struct {
	t        *testing.T
	m        *Machine
	release  Release
	now      Time
	requests int64   // of the candidate in the present position
	events   []Event // since the last expect
}

// planned returns the release of a plan with the usual settings.
func planned(steps ...Step) Release {
	return Release{
		Revision: "v2", Variants: []string{"stable", "canary"}, Weights: []balance.Weight{0, 0}, Declaration: "stable canary", Candidate: 1,
		Plan: &Plan{Steps: steps, Every: DefaultEvery, Window: DefaultWindow, MinRequests: DefaultMinRequests, Failures: DefaultFailures},
	}
}

// usual is the plan of most tests.
func usual() Release {
	return planned(Step{Weight: percent, For: 10 * time.Minute}, Step{Weight: 10 * percent, For: 30 * time.Minute},
		Step{Weight: 50 * percent, Manual: true}, Step{Weight: balance.Full})
}

// fly starts a rollout.
func fly(t *testing.T, release Release) *flight {
	t.Helper()
	f := &flight{t: t, now: Time{Wall: monday, Mono: time.Hour}}
	f.launch(release, Record{})
	return f
}

func (f *flight) launch(release Release, record Record) {
	f.t.Helper()
	if release.Plan != nil {
		for _, problem := range release.Plan.Check(sum(release.Weights[1:]) - release.Weights[release.Candidate]) {
			f.t.Fatalf("the plan is wrong: %s: %s", problem.Path, problem.Text)
		}
	}
	m, events := New(release, record, f.now)
	f.m = m
	f.release = release
	f.events = append(f.events, events...)
}

// wait lets time go by on both clocks.
func (f *flight) wait(d time.Duration) { f.jump(d, d) }

// jump lets time go by as each clock shows it.
func (f *flight) jump(wall, mono time.Duration) {
	f.now.Wall = f.now.Wall.Add(wall)
	f.now.Mono += mono
	f.tick(Observations{})
}

func (f *flight) tick(seen Observations) { f.events = append(f.events, f.m.Tick(f.now, seen)...) }

// evaluated returns an evaluation of the present position.
func (f *flight) evaluated(v Verdict) *Evaluation {
	return &Evaluation{Position: f.m.Position(), Verdict: v, Requests: f.requests, Reason: "the checks " + string(v), Figures: map[string]float64{"requests": float64(f.requests)}}
}

// see evaluates a thousand new requests.
func (f *flight) see(verdicts ...Verdict) {
	for _, v := range verdicts {
		f.requests += 1000
		f.tick(Observations{Evaluation: f.evaluated(v)})
	}
}

// do gives a command that must be obeyed.
func (f *flight) do(c Command) {
	f.t.Helper()
	events, err := f.m.Command(f.now, c)
	if err != nil {
		f.t.Errorf("%s: %v", string(c.Verb), err)
	}
	f.events = append(f.events, events...)
}

// refuse gives a command that must change nothing.
func (f *flight) refuse(c Command, because error, says string) {
	f.t.Helper()
	before := f.m.Record()
	events, err := f.m.Command(f.now, c)
	if !errors.Is(err, because) || !strings.Contains(err.Error(), says) {
		f.t.Errorf("%s: error %v, want one that says %q", string(c.Verb), err, says)
	}
	if after := f.m.Record(); len(events) > 0 || !reflect.DeepEqual(before, after) {
		f.t.Errorf("%s: refused, and it changed %+v to %+v", string(c.Verb), before, after)
	}
}

// configure goes on with another configuration.
func (f *flight) configure(release Release) {
	f.t.Helper()
	f.release = release
	f.events = append(f.events, f.m.Configure(release, f.now)...)
}

// die goes on in another process, whose monotonic clock begins anew.
func (f *flight) die() {
	f.t.Helper()
	content, err := f.m.Record().Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	record, err := Decode(content)
	if err != nil {
		f.t.Fatal(err)
	}
	f.now.Mono = 0
	f.requests = 0
	f.launch(f.release, record)
}

// expect says where the rollout stands, the candidate's share, and what has happened since the last expect.
func (f *flight) expect(what string, state State, step int, weight string, kinds ...Kind) {
	f.t.Helper()
	record := f.m.Record()
	share := f.m.Weights()[f.release.Candidate]
	if f.m.State() != state || record.Step != step || share.String() != weight {
		f.t.Errorf("%s: %s, step %d, %s; want %s, step %d, %s", what, string(f.m.State()), record.Step, share.String(), string(state), step, weight)
	}
	got := make([]string, 0, len(f.events))
	for i := range f.events {
		got = append(got, string(f.events[i].Kind))
	}
	want := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		want = append(want, string(kind))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.t.Errorf("%s: events %v, want %v", what, got, want)
	}
	if len(f.events) > 0 && len(kinds) > 0 {
		f.expectLast(what, record, kinds[len(kinds)-1])
	}
	f.events = nil
}

// expectLast holds the last event to what it leads to.
func (f *flight) expectLast(what string, record Record, kind Kind) {
	f.t.Helper()
	last := f.events[len(f.events)-1]
	if last.ID != record.LastEvent() || last.Revision != record.Revision || last.Epoch != record.Epoch || last.Step != record.Step ||
		last.State != f.m.State() || last.Kind != kind {
		f.t.Errorf("%s: the last event is %+v, and leads to %+v", what, last, record)
	}
}

// because holds the last event to its cause and a part of its reason.
func (f *flight) because(what string, cause Cause, reason string) {
	f.t.Helper()
	record := f.m.Record()
	last := record.Events[len(record.Events)-1]
	if last.Cause != cause || !strings.Contains(last.Reason, reason) || !last.Time.Equal(f.now.Wall) {
		f.t.Errorf("%s: cause %q, reason %q, at %v; want %q, %q, at %v", what, string(last.Cause), last.Reason, last.Time, string(cause), reason, f.now.Wall)
	}
}
