package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
	"github.com/grayling-gateway/grayling/integration/traffic"
)

// journeys is every way that a plan can go, by subject. All journeys of a host share one gateway: each has a rollout of its
// own, under a path of its own, with backends of its own, and they go on at the same time, because they mostly wait.
func journeys(t *testing.T, host gateway.Host) []journey {
	var all []journey
	for _, some := range [][]journey{advanceJourneys, failureJourneys, commandJourneys, gateJourneys(t), outsideJourneys(t, host)} {
		all = append(all, some...)
	}
	return all
}

// journey is a rollout and what has to happen to it.
type journey struct {
	name    string
	rollout gateway.Rollout
	run     func(*testing.T, *pilot)
	late    bool // it compares times, and so begins when the others are through
}

// TestJourneys lets plans go their way on every host.
func TestJourneys(t *testing.T) {
	atOnce(t, hosts, gateway.Host.Name, func(t *testing.T, host gateway.Host) {
		embark(t, host, gateway.Site{Control: true, Verbose: true, Prometheus: "http://" + port.Address(t)}, journeys(t, host))
	})
}

// embark starts a gateway that serves the rollouts of all journeys, and lets them go on.
func embark(t *testing.T, host gateway.Host, served gateway.Site, all []journey) {
	t.Helper()
	names := make(map[string]bool)
	for _, j := range all {
		if names[j.name] || names[j.rollout.Name] || j.run == nil {
			t.Fatalf("journey %q of %q: repeated, or empty", j.name, j.rollout.Name)
		}
		names[j.name], names[j.rollout.Name] = true, true
		served.Rollouts = append(served.Rollouts, j.rollout)
	}
	g := gateway.Start(t, host, served)
	for _, late := range []bool{false, true} {
		now := slices.DeleteFunc(slices.Clone(all), func(j journey) bool { return j.late != late })
		atOnce(t, now, func(j journey) string { return j.name }, func(t *testing.T, j journey) {
			j.run(t, &pilot{g: g, rollout: j.rollout})
		})
	}
}

// after are journeys that begin when the pilot has waited for something.
func after(wait func(*pilot, *testing.T), all []journey) []journey {
	var list []journey
	for _, j := range all {
		run := j.run
		j.run = func(t *testing.T, p *pilot) {
			wait(p, t)
			run(t, p)
		}
		list = append(list, j)
	}
	return list
}

// atOnce runs a subtest for each of all at the same time. t.Parallel would let as many go on as there are processors, and
// these wait.
func atOnce[T any](t *testing.T, all []T, name func(T) string, run func(*testing.T, T)) {
	var wg sync.WaitGroup
	for _, one := range all {
		wg.Go(func() {
			t.Run(name(one), func(t *testing.T) { run(t, one) })
		})
	}
	wg.Wait()
}

// planned is a rollout under /name/ whose canary may fail one request of ten, judged every second by the last two.
func planned(name string, steps ...gateway.Step) gateway.Rollout {
	return gateway.Rollout{
		Name: name, Path: "/" + name + "/*", Revision: "v2",
		Variants: []gateway.Variant{{Name: "stable", Backend: name + "-stable"}, {Name: "canary", Backend: name + "-canary"}},
		Key:      []string{`header("X-User")`},
		Announce: gateway.Announce{Response: "X-Variant"},
		Plan: gateway.Plan{
			Steps: steps, Checks: []string{`error_rate("canary") <= 0.1`}, Every: "1s", Window: "2s", MinRequests: 20,
		},
	}
}

// step is a share for a time; without one until an evaluation passes.
func step(weight, lasts string) gateway.Step { return gateway.Step{Weight: weight, For: lasts} }

func manual(weight string) gateway.Step { return gateway.Step{Weight: weight, Manual: true} }

// long is a step's time that no test waits for.
const long = "1h"

// pilot sees to one rollout of a gateway.
type pilot struct {
	g       *gateway.Gateway
	rollout gateway.Rollout
}

// backend is that of a variant.
func (p *pilot) backend(variant string) *backend.Server {
	return p.g.Backend(p.rollout.Name + "-" + variant)
}

// path is where the rollout serves.
func (p *pilot) path() string { return "/" + p.rollout.Name + "/" }

// await polls until the rollout is as it is to be, and returns how it is then.
func (p *pilot) await(t *testing.T, what string, done func(gateway.Status) bool) gateway.Status {
	t.Helper()
	const patience = 2 * gateway.Patience // checks take their time where few requests are made
	end := time.Now().Add(patience)
	for {
		s, err := p.g.Status(p.rollout.Name)
		if err == nil && done(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s; it is %+v, its evaluation %+v, %v, after %s", patience, what, s, s.Evaluation, err, p.story(t))
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// status is how the rollout is now.
func (p *pilot) status(t *testing.T) gateway.Status {
	t.Helper()
	s, err := p.g.Status(p.rollout.Name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitState waits for a state, and step if that is not 0.
func (p *pilot) awaitState(t *testing.T, state string, step int) gateway.Status {
	t.Helper()
	return p.await(t, fmt.Sprintf("%s, step %d", state, step), func(s gateway.Status) bool {
		return s.State == state && (step == 0 || s.Step == step)
	})
}

// command does what somebody wants, such as "step" with {"step":2}, and fails the test unless the answer has the status.
func (p *pilot) command(t *testing.T, want int, verb, body string, header ...string) string {
	t.Helper()
	status, answer, err := p.g.Control(http.MethodPost, "/"+p.rollout.Name+"/"+verb, body, append(header, "Content-Type: application/json")...)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d %s, %v; want %d", verb, body, status, answer, err, want)
	}
	return answer
}

// story is what happened, each event as "kind step", "rolled_back 1 check".
func (p *pilot) story(t *testing.T) string {
	t.Helper()
	var words []string
	for _, e := range p.g.Events(t, p.rollout.Name) {
		word := fmt.Sprintf("%s %d", e.Event, e.Step)
		if e.Cause != "" {
			word += " " + e.Cause
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// expectStory holds what happened to want; events that are not named in it do not matter.
func (p *pilot) expectStory(t *testing.T, want string) {
	t.Helper()
	var told []string
	for word := range strings.SplitSeq(p.story(t), ", ") {
		kind, _, _ := strings.Cut(word, " ")
		if kind != "held" && kind != "stalled" || strings.Contains(want, kind) {
			told = append(told, word)
		}
	}
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("what happened is %q, want %q", got, want)
	}
}

// last is the last event of a kind.
func (p *pilot) last(t *testing.T, kind string) gateway.Event {
	t.Helper()
	for _, e := range slices.Backward(p.g.Events(t, p.rollout.Name)) {
		if e.Event == kind {
			return e
		}
	}
	t.Fatalf("there is no event %s: %s", kind, p.story(t))
	return gateway.Event{}
}

// users are ten clients whose slots are under a share of the canary in percent, and ten above it: as many requests for each
// variant, however small the share is.
func (p *pilot) users(percent int) []string {
	edge := percent * slots / 100
	return append(users(p.rollout.Name, 0, edge, 10), users(p.rollout.Name, edge, slots, 10)...)
}

// traffic has users ask until the test ends.
func (p *pilot) traffic(t *testing.T, users []string) *traffic.Flow {
	t.Helper()
	const perSecond = 20
	var clients []http.Header
	for _, user := range users {
		clients = append(clients, http.Header{"X-User": {user}})
	}
	return traffic.Start(t, p.g.Client(), p.g.URL(p.path()), perSecond, clients)
}

// get is one request, by a user unless that is empty, and returns which variant's backend answered.
func (p *pilot) get(t *testing.T, user string, header ...string) string {
	t.Helper()
	if user != "" {
		header = append(header, "X-User: "+user)
	}
	a := p.g.Get(t, p.path(), header...)
	if a.Status != http.StatusOK {
		t.Errorf("%s, %s: status %d", p.path(), user, a.Status)
	}
	return strings.TrimPrefix(a.Backend(), p.rollout.Name+"-")
}

// byCanary reports whether an answer is the canary's, or would be.
func byCanary(r traffic.Response) bool {
	return r.Variant == "canary" || strings.HasSuffix(r.Backend, "-canary")
}

// expectNoCanary holds all requests that begin from now on to be the baseline's, of a hundred at least.
func (p *pilot) expectNoCanary(t *testing.T, l *traffic.Flow) {
	t.Helper()
	p.expectOnly(t, l, "stable")
}

// expectOnly holds all requests that begin from now on to be answered by a variant, of a hundred at least.
func (p *pilot) expectOnly(t *testing.T, l *traffic.Flow, variant string) {
	t.Helper()
	now := time.Now()
	after := func(r traffic.Response) bool { return r.Began.After(now) }
	gateway.Eventually(t, "a hundred requests more", func() bool { return l.Count(after) >= 100 })
	others := l.Count(func(r traffic.Response) bool {
		return after(r) && (r.Variant != variant || r.Backend != p.rollout.Name+"-"+variant)
	})
	if others > 0 {
		t.Errorf("%d requests that began when all were to go to %s did not", others, variant)
	}
}

// expectAllAnswered holds every answer so far to be 200.
func expectAllAnswered(t *testing.T, l *traffic.Flow) {
	t.Helper()
	for _, r := range l.Responses() {
		if r.Err != nil || r.Status != http.StatusOK {
			t.Errorf("at %s: status %d of %q, %v", r.Began.Format(time.TimeOnly), r.Status, r.Backend, r.Err)
		}
	}
}

// expectNoFlips holds every client to change the variant at most once, to the canary.
func expectNoFlips(t *testing.T, l *traffic.Flow) {
	t.Helper()
	ended := make(map[int]time.Time) // when a client had the canary first
	for _, r := range l.Responses() {
		if _, had := ended[r.Client]; byCanary(r) && !had {
			ended[r.Client] = r.Ended
		}
	}
	for _, r := range l.Responses() {
		if first, had := ended[r.Client]; had && !byCanary(r) && r.Began.After(first) {
			t.Errorf("client %d went back to %s", r.Client, r.Backend)
		}
	}
}
