package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/faulty"
	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
	"github.com/grayling-gateway/grayling/integration/traffic"
)

// edges are some gateways that share a cluster of etcd. Each has a way of its own to it, and backends of its own.
type edges struct {
	gateways []*gateway.Gateway
	links    []*faulty.Link
}

// assemble starts a gateway of every kind that is named, all with the same site.
func assemble(t *testing.T, site gateway.Site, kinds ...gateway.Host) *edges {
	t.Helper()
	return assembleAt(t, etcdstore.Start(t, etcdstore.Programs(t)["pinned"], 1, nil), site, kinds...)
}

// assembleAt does so with a cluster of one member.
func assembleAt(t *testing.T, cluster *etcdstore.Cluster, site gateway.Site, kinds ...gateway.Host) *edges {
	t.Helper()
	scheme, address, _ := strings.Cut(cluster.Members[0].URL, "://")
	f := &edges{}
	for range kinds {
		f.links = append(f.links, faulty.Listen(t, address))
	}
	f.start(t, site, func(i int) []string { return []string{scheme + "://" + f.links[i].Addr()} }, kinds...)
	return f
}

// start starts the gateways, each with endpoints of its own.
func (f *edges) start(t *testing.T, site gateway.Site, endpoints func(i int) []string, kinds ...gateway.Host) {
	t.Helper()
	site.Control = true
	for i, kind := range kinds {
		one := site
		one.Member = fmt.Sprintf("edge-%d", i)
		one.Etcd = endpoints(i)
		f.gateways = append(f.gateways, gateway.Start(t, kind, one))
	}
}

// convoy is one rollout of a fleet, as each of its gateways has it.
type convoy []*pilot

func (f *edges) convoy(r gateway.Rollout) convoy {
	var c convoy
	for _, g := range f.gateways {
		c = append(c, &pilot{g: g, rollout: r})
	}
	return c
}

// awaitState waits until all gateways show a state, and a step if that is not 0.
func (c convoy) awaitState(t *testing.T, state string, step int) {
	t.Helper()
	for _, p := range c {
		p.awaitState(t, state, step)
	}
}

// flows are what users ask the gateways of a convoy.
type flows map[*pilot]*traffic.Flow

// traffic has users ask every gateway until the test ends.
func (c convoy) traffic(t *testing.T, users []string) flows {
	t.Helper()
	f := flows{}
	for _, p := range c {
		f[p] = p.traffic(t, users)
	}
	return f
}

// end stops them, and holds all that was answered to be right.
func (f flows) end(t *testing.T) {
	t.Helper()
	for _, l := range f {
		l.Stop()
		expectAllAnswered(t, l)
		expectNoFlips(t, l)
	}
}

// expectNoCanary holds all requests to all gateways that begin from now on to be the baseline's.
func (c convoy) expectNoCanary(t *testing.T, f flows) {
	t.Helper()
	atOnce(t, c, func(p *pilot) string { return p.g.Site.Member }, func(t *testing.T, p *pilot) { p.expectNoCanary(t, f[p]) })
}

// fail has the canary behind a gateway fail.
func (p *pilot) fail() { p.backend("canary").Fail(1) }

// strict is a rollout of half of the requests whose canary may fail two of a hundred: if it fails behind one gateway of
// five, ten times as many do.
func strict(name string) gateway.Rollout {
	r := planned(name, step("50%", long), step("100%", ""))
	r.Plan.Checks = []string{`error_rate("canary") <= 0.02`}
	return r
}

// TestFleet lets five gateways of both kinds be one, whose etcd asks for certificates and passwords.
func TestFleet(t *testing.T) {
	told := newNotices(t)
	all := []struct {
		name    string
		rollout gateway.Rollout
		run     func(*testing.T, convoy)
		late    bool // it compares times, and so begins when the others are through
	}{
		{name: "the same client has the same variant everywhere", rollout: planned("alike", step("30%", long), step("100%", "")), run: expectAlike},
		{name: "a cookie of one is a cookie of all", rollout: fleetSticky(), run: expectOneCookie},
		{name: "a step ends once, and is told once", rollout: func() gateway.Rollout {
			r := planned("once", step("20%", "3s"), step("50%", "3s"), step("100%", ""))
			r.Notify = []gateway.Notify{{URL: told.URL}}
			return r
		}(), run: func(t *testing.T, c convoy) { expectToldOnce(t, c, told) }},
		{name: "the fleet's requests count together", rollout: func() gateway.Rollout {
			r := planned("together", step("50%", "2s"), step("100%", ""))
			r.Plan.MinRequests = 40
			return r
		}(), run: expectSum},
		{name: "commands through any gateway are for all", rollout: planned("commanded", manual("50%"), step("100%", "")), run: expectObedience},
		{name: "everybody shows who belongs to it", rollout: planned("members", manual("50%"), step("100%", "")), run: expectMembers},
		{name: "a canary that fails behind one gateway is taken back everywhere", late: true,
			rollout: strict("failing"), run: expectRolledBackEverywhere},
	}
	cluster, access := etcdstore.StartSecure(t, etcdstore.Programs(t)["pinned"], "/fleets/a/")
	site := gateway.Site{EtcdAccess: access, Verbose: true}
	for _, j := range all {
		site.Rollouts = append(site.Rollouts, j.rollout)
	}
	f := assembleAt(t, cluster, site, gateway.Caddy{}, gateway.Caddy{}, gateway.Caddy{}, gateway.TraefikService{}, gateway.TraefikProxy{})
	for _, late := range []bool{false, true} {
		var wg sync.WaitGroup
		for _, j := range all {
			if j.late == late {
				wg.Go(func() { t.Run(j.name, func(t *testing.T) { j.run(t, f.convoy(j.rollout)) }) })
			}
		}
		wg.Wait()
	}
	t.Run("etcd has what is theirs, and their secrets are theirs", func(t *testing.T) { f.expectSecure(t, cluster, access) })
}

// TestFleetByPrometheus lets the metrics of all gateways judge what fails behind one.
func TestFleetByPrometheus(t *testing.T) {
	t.Parallel()
	r := planned("metered", step("50%", long), step("100%", ""))
	const metric = `__name__=~'(caddy|traefik)_rollout_requests_total',rollout='metered',variant='canary'`
	r.Plan.Checks = []string{`prometheus("(sum(rate({` + metric + `,outcome='failure'}[5s])) or vector(0)) / sum(rate({` + metric + `}[5s]))") <= 0.1`}
	site := gateway.Site{Rollouts: []gateway.Rollout{r}, Prometheus: "http://" + port.Address(t)}
	e := assemble(t, site, gateway.Caddy{}, gateway.TraefikProxy{})
	c := e.convoy(r)
	f := c.traffic(t, c[0].users(50))
	startPrometheus(t, site.Prometheus, shown(t, c[0].g), shown(t, c[1].g))
	for _, p := range c {
		p.await(t, "the checks pass", func(s gateway.Status) bool { return s.Verdict() == "pass" })
	}
	c[1].fail()
	c.awaitState(t, "rolled_back", 0)
	c.expectNoCanary(t, f)
	if reason := c[0].last(t, "rolled_back").Reason; !strings.Contains(reason, "prometheus") {
		t.Errorf("taken back because %s", reason)
	}
}

func expectAlike(t *testing.T, c convoy) {
	c.awaitState(t, "progressing", 1)
	for _, user := range append(users(c[0].rollout.Name, 0, 30*slots/100, 10), users(c[0].rollout.Name, 30*slots/100, slots, 10)...) {
		want := c[0].get(t, user)
		for _, p := range c[1:] {
			if got := p.get(t, user); got != want {
				t.Errorf("%s has %s at %s, and %s at %s", user, want, c[0].g.Host, got, p.g.Host)
			}
		}
	}
}

// fleetSticky remembers clients that nothing else tells apart, and has no secret: the gateways share one.
func fleetSticky() gateway.Rollout {
	r := planned("pinned", step("50%", long), step("100%", ""))
	r.Key = nil
	r.Sticky = gateway.Sticky{Mode: "cookie"}
	return r
}

func expectOneCookie(t *testing.T, c convoy) {
	c.awaitState(t, "progressing", 1)
	for _, from := range c {
		for range 4 {
			first := from.g.Get(t, from.path())
			if cookies(first) == "" {
				t.Fatalf("%s sets no cookie: %v", from.g.Host, first.Header)
			}
			for _, to := range c {
				again := to.g.Get(t, to.path(), "Cookie: "+cookies(first))
				if again.Backend() != first.Backend() || cookies(again) != "" {
					t.Errorf("%s assigned %s, and %s answers with %s and the cookie %q", from.g.Host, first.Backend(), to.g.Host, again.Backend(), cookies(again))
				}
			}
		}
	}
}

// notices is a webhook that takes what it is told.
type notices struct {
	*httptest.Server
	mu  sync.Mutex
	all []notice // guarded by mu
}

type notice struct {
	ID     int64
	Event  string
	Step   int
	Member string

	delivery string // the same where a busy machine answers so late that it is told again
}

func newNotices(t *testing.T) *notices {
	n := &notices{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var one notice
		if err != nil || json.Unmarshal(body, &one) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		one.delivery = r.Header.Get("X-Rollout-Delivery")
		n.mu.Lock()
		defer n.mu.Unlock()
		if !slices.ContainsFunc(n.all, func(other notice) bool { return other.delivery == one.delivery }) {
			n.all = append(n.all, one)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// list returns what was told, by the number of the event.
func (n *notices) list() []notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := slices.Clone(n.all)
	slices.SortStableFunc(list, func(a, b notice) int { return int(a.ID - b.ID) })
	return list
}

func expectToldOnce(t *testing.T, c convoy, told *notices) {
	f := c.traffic(t, c[0].users(20))
	c.awaitState(t, "promoted", 0)
	f.end(t)
	for _, p := range c {
		p.expectStory(t, "started 1, step_advanced 2, promoted 3")
	}
	last := int(c[0].last(t, "promoted").ID)
	gateway.Eventually(t, "the webhook is told of all", func() bool { return len(told.list()) >= last })
	for i, e := range told.list() {
		if e.ID != int64(i)+1 || e.Member == "" {
			t.Errorf("message %d is of event %d, by %q: want each event once", i+1, e.ID, e.Member)
		}
	}
}

// expectSum has every gateway see fewer requests than an evaluation wants to see. What one counted before another has heard
// of it is in no window.
func expectSum(t *testing.T, c convoy) {
	for _, p := range c {
		p.await(t, "all members are known", func(s gateway.Status) bool { return len(s.Members) == len(c) })
	}
	c.awaitState(t, "progressing", 1)
	for _, p := range c {
		for _, user := range p.users(50) {
			p.get(t, user)
		}
	}
	c.awaitState(t, "promoted", 0)
	if e := c[0].last(t, "promoted"); e.Figures["canary_requests"] < 40 {
		t.Errorf("promoted for what was seen of 40 requests at least: %v", e.Figures)
	}
}

func expectObedience(t *testing.T, c convoy) {
	c.awaitState(t, "progressing", 1)
	for i, command := range []struct {
		verb, state string
	}{{"pause", "paused"}, {"resume", "progressing"}, {"promote", "promoted"}, {"abort", "rolled_back"}, {"restart", "progressing"}} {
		through := c[i%len(c)]
		through.command(t, http.StatusOK, command.verb, "")
		c.awaitState(t, command.state, 0)
		for _, p := range c {
			if user := p.users(50)[0]; (p.get(t, user) == "canary") != (command.state != "rolled_back") {
				t.Errorf("%s through %s: %s has %s at %s", command.verb, through.g.Host, user, p.get(t, user), p.g.Host)
			}
		}
	}
	want := "started 1, paused 1 operator, resumed 1 operator, promoted 2 operator, rolled_back 2 operator, restarted 1 operator"
	for _, p := range c {
		p.expectStory(t, want)
	}
}

func expectMembers(t *testing.T, c convoy) {
	for _, p := range c {
		s := p.await(t, "all members are known, and follow", func(s gateway.Status) bool {
			return len(s.Members) == len(c) && !slices.ContainsFunc(s.Members, func(m gateway.Member) bool { return m.State != "progressing" || m.Differs != "" })
		})
		var names []string
		for _, m := range s.Members {
			names = append(names, m.Name)
			kind, _, _ := strings.Cut(p.g.Host, " ")
			if m.Self && (m.Name != p.g.Site.Member || !strings.HasPrefix(m.Gateway, kind+" v")) {
				t.Errorf("%s of %s calls itself %q, %q", p.g.Site.Member, p.g.Host, m.Name, m.Gateway)
			}
			if m.Revision != "v2" || !m.Judges || m.Reported > time.Minute {
				t.Errorf("%s shows %+v", p.g.Site.Member, m)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != "edge-0 edge-1 edge-2 edge-3 edge-4" {
			t.Errorf("%s knows %s", p.g.Site.Member, got)
		}
		out, err := p.g.CommandLine(t, "status", p.rollout.Name).CombinedOutput()
		for _, m := range s.Members {
			line := regexp.MustCompile(`(?m)^.* ` + m.Name + ` +` + regexp.QuoteMeta(m.Gateway) + ` +v2 +progressing .* \d+s ago `)
			if err != nil || !line.Match(out) {
				t.Errorf("grayling status at %s, without %s, %s: %v\n%s", p.g.Site.Member, m.Name, m.Gateway, err, out)
			}
		}
	}
}

// expectRolledBackEverywhere has the canary fail behind one gateway. A second after that was judged no request of any
// gateway goes to the canary any more, to which each gives half.
func expectRolledBackEverywhere(t *testing.T, c convoy) {
	f := c.traffic(t, c[0].users(50))
	c[0].await(t, "the checks pass", func(s gateway.Status) bool { return s.Verdict() == "pass" })
	began := time.Now()
	c[4].fail()
	c.awaitState(t, "rolled_back", 0)
	verdict := c[0].last(t, "rolled_back")
	c.expectNoCanary(t, f)
	late, slowest := f.lateCanary(verdict.Time), f.slowest()
	t.Logf("%s by %s, %v after the canary began to fail; the fleet's last answer of it %v after that; the slowest of all took %v",
		verdict.Reason, verdict.Member, verdict.Time.Sub(began).Round(time.Millisecond), late, slowest)
	if late > 2*time.Second+5*slowest {
		t.Errorf("the canary answered %v after the verdict", late)
	}
}

// lateCanary returns how long after a verdict the canary still answered; 0: it did not.
func (f flows) lateCanary(verdict time.Time) time.Duration {
	last := verdict
	for _, l := range f {
		for _, r := range l.Responses() {
			if byCanary(r) && r.Ended.After(last) {
				last = r.Ended
			}
		}
	}
	return last.Sub(verdict).Round(time.Millisecond)
}

// slowest is how long the slowest answer so far took, which tells how busy the machine is: what goes by several processes
// takes that some times.
func (f flows) slowest() time.Duration {
	longest := time.Duration(0)
	for _, l := range f {
		for _, r := range l.Responses() {
			longest = max(longest, r.Ended.Sub(r.Began))
		}
	}
	return longest.Round(time.Millisecond)
}
