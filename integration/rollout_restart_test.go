package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// restartScenarios end the gateway with SIGKILL.
var restartScenarios = []scenario{
	{
		name: "SIGKILL in every state, kept in a file",
		site: gateway.Site{Control: true, StateInFile: true, Rollouts: everyState()},
		run:  runKill,
	},
	{
		name: "SIGKILL in every state, kept in Caddy's storage", only: "caddy", because: "Traefik has no storage: a file stands for it",
		site: gateway.Site{Rollouts: everyState()},
		run:  runKill,
	},
	{
		name: "a file of the state that is damaged, and one that cannot be read",
		site: gateway.Site{Control: true, StateInFile: true, Rollouts: []gateway.Rollout{planned("checkout", step("50%", long), step("100%", ""))}},
		run: func(t *testing.T, g *gateway.Gateway) {
			p := pilotOf(t, g, "checkout")
			p.command(t, http.StatusOK, "abort", "")
			g.Kill()
			content, err := os.ReadFile(g.StateFile())
			if err != nil {
				t.Fatal(err)
			}
			write(t, g.StateFile(), string(content[:len(content)/2]))
			g.Restart()
			p.awaitState(t, "progressing", 1) // nothing is known of it
			if got := p.get(t, p.users(50)[0]); got != "canary" {
				t.Errorf("started anew, the first user is on %s", got)
			}
			aside, err := filepath.Glob(g.StateFile() + ".damaged-*")
			if err != nil || len(aside) != 1 {
				t.Fatalf("set aside are %q, %v", aside, err)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, content[:len(content)/2]) {
				t.Errorf("what was set aside is %q, %v", kept, err)
			}
			gateway.Eventually(t, "somebody is told where the damaged file is", func() bool { return strings.Contains(g.Log(), filepath.Base(aside[0])) })

			g.Kill()
			if err := os.Remove(g.StateFile()); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(g.StateFile(), 0o700); err != nil {
				t.Fatal(err)
			}
			g.Restart()
			s := p.await(t, "the store is away", func(s gateway.Status) bool { return s.StoreAway != "" })
			if s.State != "unknown" {
				t.Errorf("without its store the rollout is %s", s.State)
			}
			for _, user := range p.users(50) {
				if got := p.get(t, user); got != "stable" {
					t.Errorf("as long as nobody knows, %s is on %s", user, got)
				}
			}
			p.command(t, http.StatusServiceUnavailable, "promote", "")
			if err := os.Remove(g.StateFile()); err != nil {
				t.Fatal(err)
			}
			p.awaitState(t, "progressing", 1)
		},
	},
}

// everyState are rollouts that runKill leads to every state; the steps are 20%, 60% and 100%.
func everyState() []gateway.Rollout {
	var all []gateway.Rollout
	for name := range leads {
		all = append(all, planned(name, step("20%", long), step("60%", long), step("100%", "")))
	}
	all = append(all, kept("assigned", ""), kept("taken", ""), kept("anew", ""))
	return append(all, gateway.Rollout{
		Name: "byhand", Path: "/byhand/*", Revision: "v2", Key: []string{`header("X-User")`},
		Variants: []gateway.Variant{{Name: "stable", Backend: "byhand-stable"}, {Name: "canary", Backend: "byhand-canary", Weight: "10%"}},
	})
}

// leads is which command leads a rollout to its state.
var leads = map[string]struct{ verb, body, state string }{
	"first":  {"", "", "progressing 1 20%"},
	"second": {"step", `{"step": 2}`, "progressing 2 60%"},
	"paused": {"pause", "", "paused 1 20%"},
	"done":   {"promote", `{"full": true}`, "promoted 3 100%"},
	"back":   {"abort", "", "rolled_back 1 0%"},
}

// runKill leads rollouts to every state and ends the gateway with SIGKILL: then everything is as it was, from the first
// request on, and goes on.
func runKill(t *testing.T, g *gateway.Gateway) {
	const keys = 400 // of each of them: two thousand
	pilots := map[string]*pilot{"byhand": pilotOf(t, g, "byhand")}
	for name, lead := range leads {
		p := pilotOf(t, g, name)
		pilots[name] = p
		if lead.verb != "" {
			p.command(t, http.StatusOK, lead.verb, lead.body)
		}
		if s := p.status(t); stand(s) != lead.state {
			t.Fatalf("%s is %s, want %s", name, stand(s), lead.state)
		}
	}
	pilots["byhand"].command(t, http.StatusOK, "weight", `{"variant": "canary", "weight": "30%"}`)
	type sight struct {
		status  string
		story   string
		clients map[string]string
	}
	look := func() map[string]sight {
		all := make(map[string]sight)
		for name, p := range pilots {
			clients := land(t, g, users(name, 0, slots, keys), func(user string) (path, key string) { return p.path(), user })
			all[name] = sight{clients: clients}
		}
		for name, p := range pilots {
			s := p.await(t, "it runs", func(s gateway.Status) bool { return s.State != "unknown" })
			all[name] = sight{fmt.Sprint(stand(s), s.Epoch, s.Revision, s.Base, s.Version, s.Cause), p.story(t), all[name].clients}
		}
		return all
	}
	sticky := assign(t, g)
	sticky(t)
	before := look()
	g.Kill()
	g.Restart()
	after := look()
	sticky(t)
	for name := range pilots {
		was, is := before[name], after[name]
		if is.status != was.status || is.story != was.story {
			t.Errorf("%s was %s after %s, and is %s after %s", name, was.status, was.story, is.status, is.story)
		}
		flipped := 0
		for user, backend := range was.clients {
			if is.clients[user] != backend {
				flipped++
			}
		}
		if flipped > 0 {
			t.Errorf("%s: %d of %d clients have another variant", name, flipped, keys)
		}
	}
	pilots["first"].command(t, http.StatusOK, "promote", "")
	pilots["paused"].command(t, http.StatusOK, "resume", "")
	pilots["done"].command(t, http.StatusOK, "abort", "")
	pilots["back"].command(t, http.StatusOK, "restart", "")
	g.Kill() // at once: what was answered is kept
	g.Restart()
	for name, want := range map[string]string{
		"first": "progressing 2 60%", "paused": "progressing 1 20%", "done": "rolled_back 3 0%", "back": "progressing 1 20%", "byhand": "idle 0 30%",
	} {
		if got := stand(pilotOf(t, g, name).status(t)); got != want {
			t.Errorf("it goes on, and %s is %s, want %s", name, got, want)
		}
	}
}

// assign has clients be assigned, aborts two of the rollouts and restarts one of these. What it returns holds the clients to
// what they get then: no cookie from before counts.
func assign(t *testing.T, g *gateway.Gateway) (hold func(*testing.T)) {
	t.Helper()
	clients := make(map[string]couple)
	for name, verbs := range map[string][]string{"assigned": nil, "taken": {"abort"}, "anew": {"abort", "restart"}} {
		p := pilotOf(t, g, name)
		clients[name] = newCouple(t, p)
		for _, verb := range verbs {
			p.command(t, http.StatusOK, verb, "")
		}
	}
	return func(t *testing.T) {
		t.Helper()
		clients["assigned"].expect(t, "canary", "stable")
		clients["taken"].expect(t, "stable", "stable")
		clients["anew"].expect(t, "stable", "canary")
	}
}

// stand is state, step and the canary's weight.
func stand(s gateway.Status) string {
	return fmt.Sprintf("%s %d %s", s.State, s.Step, s.Weight("canary"))
}

// pilotOf is for a rollout of a site, as soon as it runs.
func pilotOf(t *testing.T, g *gateway.Gateway, name string) *pilot {
	t.Helper()
	for _, r := range g.Site.Rollouts {
		if r.Name == name {
			p := &pilot{g: g, rollout: r}
			p.await(t, "it runs", func(s gateway.Status) bool { return s.State != "unknown" })
			return p
		}
	}
	t.Fatalf("there is no rollout %s", name)
	return nil
}

// kept is a rollout half way, whose clients keep what they were assigned as long as it lasts.
func kept(name, drain string) gateway.Rollout {
	r := planned(name, manual("50%"), step("100%", ""))
	r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}, TTL: "rollout", BaselineTTL: "1h", Drain: drain}
	return r
}

// couple is two clients of a rollout half way: one who was assigned the canary, and one the baseline.
type couple struct {
	pilot          *pilot
	canary, stable string // Cookie lines
}

func newCouple(t *testing.T, p *pilot) couple {
	t.Helper()
	c := couple{pilot: p}
	for i, cookie := range []*string{&c.canary, &c.stable} {
		user := user(p.rollout.Name, i*slots/2, (i+1)*slots/2)
		a := p.g.Get(t, p.path(), "X-User: "+user)
		if *cookie = "Cookie: " + cookies(a); cookies(a) == "" || a.Header.Get("X-Variant") != []string{"canary", "stable"}[i] {
			t.Fatalf("%s: a new client gets %q and the cookie %q", p.rollout.Name, a.Header.Get("X-Variant"), cookies(a))
		}
	}
	return c
}

// expect holds both clients to variants. They come as users whose keys lead to the other one: only what they were assigned
// can lead them to their own.
func (c couple) expect(t *testing.T, first, second string) {
	t.Helper()
	name := c.pilot.rollout.Name
	if got := c.pilot.get(t, user(name, slots/2, slots), c.canary); got != first {
		t.Errorf("%s: who was assigned the canary is on %s, want %s", name, got, first)
	}
	if got := c.pilot.get(t, user(name, 0, slots/2), c.stable); got != second {
		t.Errorf("%s: who was assigned the baseline is on %s, want %s", name, got, second)
	}
}
