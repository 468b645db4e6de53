package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestFleetWithoutStore takes the store away from gateways. What they do alone is never more than the fleet would, and
// counts when they meet again.
func TestFleetWithoutStore(t *testing.T) {
	t.Parallel()
	frozen, undone, slow := strict("frozen"), strict("undone"), planned("slow", step("50%", "2s"), step("100%", ""))
	frozen.Plan.Steps[0].For = "4s"
	frozen.Plan.Steps[1] = step("75%", long)
	frozen.Plan.Steps = append(frozen.Plan.Steps, step("100%", ""))
	site := gateway.Site{Rollouts: []gateway.Rollout{frozen, undone, slow}}
	e := assemble(t, site, gateway.Caddy{}, gateway.Caddy{}, gateway.TraefikProxy{})
	cut := func(which ...int) {
		for _, i := range which {
			e.links[i].Cut()
		}
	}
	mend := func() {
		for _, l := range e.links {
			l.Mend()
		}
	}

	t.Run("steps freeze, and go on", func(t *testing.T) {
		c := e.convoy(frozen)
		c.awaitState(t, "progressing", 1)
		cut(0, 1, 2)
		for _, p := range c {
			p.await(t, "it knows", func(s gateway.Status) bool { return s.StoreAway != "" })
		}
		f := c.traffic(t, c[0].users(50)) // only now: without requests the first step does not end
		for _, p := range c {
			p.await(t, "nothing but the store keeps it", func(s gateway.Status) bool {
				return s.Held && s.StoreAway != "" && s.Verdict() == "pass" && s.Age > 5*time.Second
			})
			if s := p.status(t); s.Step != 1 || s.Weight("canary") != "50%" {
				t.Errorf("without a store %s goes by step %d, %s", p.g.Host, s.Step, s.Weight("canary"))
			}
		}
		mend()
		c.awaitState(t, "progressing", 2)
		for _, p := range c {
			p.await(t, "the store is back", func(s gateway.Status) bool { return s.StoreAway == "" })
		}
		f.end(t)
	})

	t.Run("what one takes back alone stays so, whatever the others do", func(t *testing.T) {
		c := e.convoy(undone)
		f := c.traffic(t, c[0].users(50))
		c[2].await(t, "the checks pass", func(s gateway.Status) bool { return s.Verdict() == "pass" })
		cut(2)
		c[2].await(t, "it knows", func(s gateway.Status) bool { return s.StoreAway != "" })
		c[2].fail()
		c[2].awaitState(t, "rolled_back", 0)
		c[2].expectNoCanary(t, f[c[2]])
		c[0].command(t, http.StatusOK, "promote", `{"full":true}`)
		c[:2].awaitState(t, "promoted", 0)
		mend()
		c.awaitState(t, "rolled_back", 0)
		c.expectNoCanary(t, f)
		for _, p := range c {
			p.expectStory(t, "started 1, promoted 2 operator, rolled_back 2 check")
		}
	})

	t.Run("a slow store makes nobody wait but the plan", func(t *testing.T) {
		const oneWay, answer = 300 * time.Millisecond, 600 * time.Millisecond
		c := e.convoy(slow)
		for _, l := range e.links {
			l.Delay(oneWay)
		}
		gateway.Eventually(t, "it begins anew", func() bool { // another gateway may be faster, again and again, with what the store takes
			began := time.Now()
			status, answered, err := c[0].g.Control(http.MethodPost, "/"+slow.Name+"/restart", "{}", "Content-Type: application/json")
			if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Fatalf("restart: %d, %v: %s", status, err, answered)
			}
			if took := time.Since(began); took < answer {
				t.Errorf("a command, which the store has to take, took %v: it is not slow", took)
			}
			return status == http.StatusOK
		})
		f := c.traffic(t, c[0].users(50))
		for _, p := range c { // while the store is asked, for the new plan
			p.expectNoWaiting(t, answer)
		}
		c.awaitState(t, "promoted", 0)
		f.end(t)
	})
}

// TestFleetMember lets gateways leave, come back and come with other configurations. Their etcd is the oldest that there may
// be, and asks for certificates and passwords.
func TestFleetMember(t *testing.T) {
	t.Parallel()
	cluster, access := etcdstore.StartSecure(t, etcdstore.Programs(t)["packaged"], "/fleets/b/")
	site := gateway.Site{EtcdAccess: access, Verbose: true, Rollouts: []gateway.Rollout{planned("deployed", manual("50%"), step("100%", ""))}}
	e := assembleAt(t, cluster, site, gateway.Caddy{}, gateway.Caddy{}, gateway.TraefikProxy{})
	c := e.convoy(site.Rollouts[0])
	count := func(n int) func(gateway.Status) bool {
		return func(s gateway.Status) bool { return len(s.Members) == n }
	}
	for _, p := range c {
		p.await(t, "all members are known", count(3))
	}

	t.Run("one that is killed drops out", func(t *testing.T) {
		c[1].g.Kill()
		s := c[0].await(t, "one less", count(2))
		if slices.ContainsFunc(s.Members, func(m gateway.Member) bool { return m.Name == "edge-1" }) {
			t.Errorf("it is not the one that was killed: %+v", s.Members)
		}
		c[2].await(t, "one less", count(2))
		c[1].g.Restart()
		for _, p := range c {
			p.await(t, "it is back", count(3))
		}
	})

	t.Run("the newest revision is released, and who has it not yet serves the baseline", func(t *testing.T) {
		user := c[0].users(50)[0]
		next := change(site.Rollouts[0], func(r *gateway.Rollout) { r.Revision = "v3" })
		load := func(i int) {
			one := c[i].g.Site
			one.Rollouts = []gateway.Rollout{next}
			c[i].g.Reload(t, one)
		}
		load(1)
		c[1].await(t, "it is released", func(s gateway.Status) bool { return s.Revision == "v3" && s.State == "progressing" })
		by := map[*pilot]string{c[0]: `"by":"edge-1"`, c[2]: `by=edge-1"`} // and nobody else
		for _, p := range []*pilot{c[0], c[2]} {
			s := p.await(t, "the others are outdated", func(s gateway.Status) bool { return s.State == "outdated" })
			if s.Revision != "v2" || !strings.Contains(s.Reason, `"v3"`) {
				t.Errorf("%s shows revision %s, because %s", p.g.Host, s.Revision, s.Reason)
			}
			if got := p.get(t, user); got != "stable" {
				t.Errorf("%s is outdated, and %s has %s", p.g.Host, user, got)
			}
			p.awaitLog(t, "another revision is being released", "deployed", "v2", "v3", by[p])
			expectDiffers(t, p, "edge-1", "v3", "it has the revision that superseded this one's")
		}
		expectDiffers(t, c[1], "edge-0", "v2", "its revision was superseded")
		expectDiffers(t, c[1], "edge-2", "v2", "its revision was superseded")
		load(2)
		c[2].awaitState(t, "progressing", 1)
		expectDiffers(t, c[2], "edge-0", "v2", "its revision was superseded")
		c[0].g.Kill() // with an old configuration it begins anew, and that is no newer
		c[0].g.Restart()
		c[0].await(t, "it is outdated again", func(s gateway.Status) bool { return s.State == "outdated" })
		load(0)
		c.awaitState(t, "progressing", 1)
		for _, p := range c {
			if got := p.get(t, user); got != "canary" {
				t.Errorf("at %s %s has %s", p.g.Host, user, got)
			}
			p.expectStory(t, "started 1, started 1")
		}
	})
	t.Run("etcd has what is theirs, and their secrets are theirs", func(t *testing.T) { e.expectSecure(t, cluster, access) })
}

// expectNoWaiting makes requests one after the other, each of which would wait if requests waited for the store, and all
// together for many times as long as they may take on a busy machine.
func (p *pilot) expectNoWaiting(t *testing.T, answer time.Duration) {
	t.Helper()
	const requests = 20
	began := time.Now()
	for i := range requests {
		p.get(t, fmt.Sprintf("newcomer-%d", i)) // of whom nothing is remembered
	}
	took := time.Since(began)
	t.Logf("%d requests to %s took %v; the store's answers take %v each", requests, p.g.Host, took, answer)
	if took >= requests*answer {
		t.Errorf("%d requests to %s took %v: each waits for the store, whose answers take %v", requests, p.g.Host, took, answer)
	}
}

// expectDiffers waits until a gateway shows in what another differs, and holds the command line to show the same.
func expectDiffers(t *testing.T, p *pilot, name, revision, how string) {
	t.Helper()
	p.await(t, fmt.Sprintf("%s differs: %s", name, how), func(s gateway.Status) bool {
		return slices.ContainsFunc(s.Members, func(m gateway.Member) bool { return m.Name == name && m.Revision == revision && m.Differs == how })
	})
	out, err := p.g.CommandLine(t, "status", p.rollout.Name).CombinedOutput()
	shown := func(line string) bool {
		return strings.Contains(line, name) && strings.Contains(line, revision) && strings.HasSuffix(strings.TrimSpace(line), how)
	}
	if err != nil || !slices.ContainsFunc(strings.Split(string(out), "\n"), shown) {
		t.Errorf("grayling status at %s does not show that %s differs (%s), %v:\n%s", p.g.Site.Member, name, how, err, out)
	}
}

// awaitLog waits until a line of the gateway's log has all words.
func (p *pilot) awaitLog(t *testing.T, words ...string) {
	t.Helper()
	gateway.Eventually(t, fmt.Sprintf("%s logs %q", p.g.Host, words), func() bool {
		for line := range strings.Lines(p.g.Log()) {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return true
			}
		}
		return false
	})
}

// TestFleetParted parts a member of etcd, and the gateway that uses it, from the others.
func TestFleetParted(t *testing.T) {
	t.Parallel()
	cluster, network := etcdstore.StartApart(t, etcdstore.Programs(t)["pinned"], 3)
	site := gateway.Site{Rollouts: []gateway.Rollout{strict("parted"), planned("majority", step("50%", "8s"), manual("75%"))}}
	e := &edges{}
	e.start(t, site, func(i int) []string {
		if i == 2 {
			return cluster.Endpoints()[2:]
		}
		return cluster.Endpoints()[:2]
	}, gateway.Caddy{}, gateway.TraefikProxy{}, gateway.Caddy{})
	c, majority := e.convoy(site.Rollouts[0]), e.convoy(site.Rollouts[1])
	f := c.traffic(t, c[0].users(50))
	c[2].await(t, "the checks pass", func(s gateway.Status) bool { return s.Verdict() == "pass" })
	network.Part(2)
	c[2].await(t, "it is alone", func(s gateway.Status) bool { return s.StoreAway != "" })
	others := majority.traffic(t, majority[0].users(50)) // only now: without requests the first step does not end
	majority[:2].awaitState(t, "progressing", 2)
	if s := majority[2].status(t); s.Step != 1 {
		t.Errorf("the minority goes by step %d", s.Step)
	}
	c[2].fail()
	c[2].awaitState(t, "rolled_back", 0)
	c[2].expectNoCanary(t, f[c[2]])
	c[:2].awaitState(t, "progressing", 1)
	network.Join()
	c.awaitState(t, "rolled_back", 0)
	majority.awaitState(t, "progressing", 2)
	c.expectNoCanary(t, f)
	others.end(t)
	for i := range c {
		c[i].expectStory(t, "started 1, rolled_back 1 check")
		majority[i].expectStory(t, "started 1, step_advanced 2")
	}
}
