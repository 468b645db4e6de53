package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/goal"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestGoals counts who reaches goals on every host.
func TestGoals(t *testing.T) {
	t.Parallel()
	atOnce(t, hosts, gateway.Host.Name, func(t *testing.T, host gateway.Host) {
		embark(t, host, gateway.Site{Control: true, StateInFile: true}, after((*pilot).awaitRunning, goalJourneys))
	})
}

// awaitRunning waits until the rollout runs: before, nobody is counted.
func (p *pilot) awaitRunning(t *testing.T) {
	t.Helper()
	p.await(t, "it runs", func(s gateway.Status) bool { return s.State != "unknown" })
}

// TestGoalsOfGatewaysWithOneStore lets clients come through two gateways: each client is one.
func TestGoalsOfGatewaysWithOneStore(t *testing.T) {
	t.Parallel()
	site := gateway.Site{Rollouts: []gateway.Rollout{aimed("together")}}
	t.Run("storage of two Caddys", func(t *testing.T) {
		t.Parallel()
		stored := site
		stored.Storage = t.TempDir()
		e := &edges{}
		e.start(t, stored, func(int) []string { return nil }, gateway.Caddy{}, gateway.Caddy{})
		expectCountedOnce(t, e.convoy(site.Rollouts[0]))
	})
	t.Run("etcd of Caddy and Traefik", func(t *testing.T) {
		t.Parallel()
		e := assemble(t, site, gateway.Caddy{}, gateway.TraefikProxy{})
		expectCountedOnce(t, e.convoy(site.Rollouts[0]))
	})
}

// expectCountedOnce has forty clients come, half of them through both of two gateways.
func expectCountedOnce(t *testing.T, c convoy) {
	canary, stable := halves(c[0].rollout.Name, 20)
	for i, p := range c {
		p.awaitRunning(t)
		p.pass(t, slices.Concat(canary, stable)[i*10:i*10+30], "thanks")
	}
	for _, p := range c {
		p.awaitReached(t, "both know what both saw", "stable 20/20 canary 20/20")
		if results := p.g.Results(t, p.rollout.Name); results[0].Clients != 40 || results[0].Mixed != 0 {
			t.Errorf("%s: %+v", p.g.Host, results)
		}
	}
}

// aimed is an even split under /name/ with goals.
func aimed(name string) gateway.Rollout {
	return gateway.Rollout{
		Name: name, Path: "/" + name + "/*", Revision: "v2",
		Variants: []gateway.Variant{{Name: "stable", Backend: name + "-stable"}, {Name: "canary", Backend: name + "-canary", Weight: "50%"}},
		Key:      []string{`header("X-User")`},
		Rules:    []gateway.Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Goals:    []gateway.Goal{{Name: "paid", When: `path().hasSuffix("/thanks")`}, {Name: "read", When: `query("article") != ""`}},
	}
}

// halves are clients to whom an even split gives the canary, and others to whom it gives the baseline.
func halves(name string, each int) (canary, stable []string) {
	return users(name, 0, slots/2, each), users(name, slots/2, slots, each)
}

// pass has each of some clients make a request below the rollout's path.
func (p *pilot) pass(t *testing.T, users []string, below string, header ...string) {
	t.Helper()
	for _, user := range users {
		p.g.Get(t, p.path()+below, append([]string{"X-User: " + user}, header...)...)
	}
}

// answerAsAsked has the backends of both variants answer with the status that a query asks for.
func (p *pilot) answerAsAsked() {
	for _, variant := range []string{"stable", "canary"} {
		p.backend(variant).Answer(func(w http.ResponseWriter, r *http.Request) {
			if code, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
				w.WriteHeader(code)
			}
		})
	}
}

// reached is how many of how many clients of each variant reached a goal in the present period.
func reached(results []goal.Results, goal int) string {
	var list []string
	for _, v := range results[0].Goals[goal].Variants {
		list = append(list, fmt.Sprintf("%s %d/%d", v.Name, v.Reached, v.Clients))
	}
	return strings.Join(list, " ")
}

// awaitReached waits until the first goal is reached by so many. A client may have its answer, and the gateway not have
// counted yet; what another gateway counted is known within two minutes.
func (p *pilot) awaitReached(t *testing.T, what, want string) {
	t.Helper()
	p.awaitGoal(t, 0, what, want)
}

func (p *pilot) awaitGoal(t *testing.T, goal int, what, want string) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		results := p.g.Results(t, p.rollout.Name)
		if len(results) > 0 && reached(results, goal) == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still not: %s: %s: %+v", what, want, results)
		}
	}
}

var goalJourneys = []journey{
	{
		name: "clients count once, by chance, and when they are answered", rollout: aimed("once"),
		run: func(t *testing.T, p *pilot) {
			p.answerAsAsked()
			canary, stable := halves(p.rollout.Name, 40)
			p.pass(t, canary[:30], "")
			p.pass(t, stable[:30], "?article=7")
			for range 2 {
				p.pass(t, canary[:12], "thanks")
				p.pass(t, stable[:3], "thanks?status=204")
			}
			p.pass(t, canary[12:20], "thanks?status=402")
			p.pass(t, stable[3:20], "thanks?status=500")
			p.pass(t, stable[30:], "thanks", "X-Version: v2") // testers
			for range 5 {
				p.g.Get(t, p.path()+"thanks") // nobody knows who
			}
			p.awaitReached(t, "all are counted", "stable 3/30 canary 12/30")
			results := p.g.Results(t, p.rollout.Name)
			if got := reached(results, 1); got != "stable 30/30 canary 0/30" {
				t.Errorf("read: %s", got)
			}
			if r := results[0]; len(results) != 1 || r.Clients != 60 || r.Mixed != 0 || !r.Believe || r.Sampled != 1 {
				t.Errorf("%+v", results)
			}
			p.expectShown(t)
		},
	},
	{
		name: "goals ask for the status of what clients get", rollout: change(aimed("status"), func(r *gateway.Rollout) {
			r.Goals = []gateway.Goal{
				{Name: "ordered", When: `method() == "POST" && path().hasSuffix("/orders") && status() == 201`},
				{Name: "failed", When: `status() >= 500`},
				{Name: "fine", When: `path().hasSuffix("/orders")`},
			}
		}),
		run: func(t *testing.T, p *pilot) {
			p.answerAsAsked()
			canary, stable := halves(p.rollout.Name, 20)
			order := func(users []string, status string) {
				for _, user := range users {
					p.g.Do(t, gateway.Request{Method: http.MethodPost, Target: p.path() + "orders?status=" + status, Body: "one", Header: []string{"X-User: " + user}})
				}
			}
			p.pass(t, slices.Concat(canary, stable), "orders?status=201") // which none of them posts
			order(canary[:10], "201")
			order(canary[10:], "202")
			order(stable[:5], "201")
			order(stable[5:12], "409")
			order(stable[12:15], "503")
			order(stable[15:], "500")
			p.awaitGoal(t, 0, "they ordered", "stable 5/20 canary 10/20")
			p.awaitGoal(t, 1, "they met errors", "stable 8/20 canary 0/20")
			p.awaitGoal(t, 2, "they were answered", "stable 20/20 canary 20/20")
			p.expectOpen(t)
		},
	},
	{
		name: "who is known by the rollout's own cookie counts from his second request on",
		rollout: change(aimed("cookie"), func(r *gateway.Rollout) {
			r.Key = nil
			r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}}
		}),
		run: func(t *testing.T, p *pilot) {
			var jar []string
			for range 40 {
				jar = append(jar, "Cookie: "+cookies(p.g.Get(t, p.path()+"thanks")))
			}
			p.awaitReached(t, "nobody is known yet", "stable 0/0 canary 0/0")
			want := map[string]int{}
			for i, cookie := range jar {
				a := p.g.Get(t, p.path()+[]string{"", "thanks"}[i%2], cookie)
				want[strings.TrimPrefix(a.Backend(), "cookie-")]++
				if i%2 == 1 {
					want[strings.TrimPrefix(a.Backend(), "cookie-")+" paid"]++
				}
			}
			p.awaitReached(t, "all came again", fmt.Sprintf("stable %d/%d canary %d/%d", want["stable paid"], want["stable"], want["canary paid"], want["canary"]))
		},
	},
	{
		name: "other weights begin another period, and all for one variant none", rollout: aimed("weights"),
		run: func(t *testing.T, p *pilot) {
			canary, stable := halves(p.rollout.Name, 10)
			p.pass(t, canary, "thanks")
			p.awaitReached(t, "the first period", "stable 0/0 canary 10/10")
			p.command(t, http.StatusOK, "weight", `{"variant": "canary", "weight": "100%"}`)
			p.pass(t, stable, "thanks") // of whom chance decides nothing
			p.command(t, http.StatusOK, "weight", `{"variant": "canary", "weight": "0.01%"}`)
			p.pass(t, stable, "")
			p.awaitReached(t, "the second period", "stable 0/10 canary 0/0")
			if results := p.g.Results(t, p.rollout.Name); len(results) != 2 || reached(results[1:], 0) != "stable 0/0 canary 10/10" {
				t.Errorf("%+v", results)
			}
		},
	},
	{
		name: "a plan takes back what does not convert", rollout: converting("flop"),
		run: func(t *testing.T, p *pilot) {
			canary, stable := halves(p.rollout.Name, 60)
			p.pass(t, stable, "thanks")
			p.pass(t, canary, "")
			p.awaitState(t, "rolled_back", 0)
			if e := p.last(t, "rolled_back"); !strings.Contains(e.Reason, `conversion("canary", "paid") >= 0.5`) {
				t.Errorf("the reason is %s", e.Reason)
			}
		},
	},
	{
		name: "a plan waits for clients, and goes on with what converts", rollout: converting("hit"),
		run: func(t *testing.T, p *pilot) {
			canary, _ := halves(p.rollout.Name, 60)
			p.pass(t, canary[:5], "thanks")
			p.await(t, "five are too few", func(s gateway.Status) bool {
				return s.Verdict() == "hold" && strings.Contains(s.Evaluation.Reason, "5 clients")
			})
			p.pass(t, canary, "thanks")
			p.awaitState(t, "promoted", 2)
		},
	},
	{
		name: "what was counted outlives a reload, and SIGKILL once it is written", rollout: aimed("kept"), late: true,
		run: func(t *testing.T, p *pilot) {
			canary, stable := halves(p.rollout.Name, 30)
			p.pass(t, canary, "thanks")
			p.pass(t, stable, "")
			p.awaitReached(t, "all are counted", "stable 0/30 canary 30/30")
			p.g.Reload(t, p.g.Site)
			p.pass(t, canary, "")
			p.pass(t, stable[:10], "thanks")
			p.awaitReached(t, "they count on after a reload", "stable 10/30 canary 30/30")
			p.awaitWritten(t, 60, 40)
			p.g.Kill()
			p.g.Restart()
			p.awaitRunning(t)
			p.awaitReached(t, "they are known after the restart", "stable 10/30 canary 30/30")
			p.pass(t, canary, "thanks")
			p.pass(t, append(stable, user(p.rollout.Name, slots/2+slots/4, slots)+"-new"), "")
			gateway.Eventually(t, "the one who is new is counted", func() bool { return p.g.Results(t, p.rollout.Name)[0].Clients >= 61 })
			if results := p.g.Results(t, p.rollout.Name); results[0].Clients != 61 || results[0].Mixed != 0 || len(results) != 1 {
				t.Errorf("after the restart: %+v", results)
			}
		},
	},
}

// expectOpen holds the gateway's explanation to leave open what the status decides.
func (p *pilot) expectOpen(t *testing.T) {
	t.Helper()
	out, err := p.g.CommandLine(t, "explain", p.rollout.Name, "http://shop.example"+p.path()+"orders", "-X", "POST", "-H", "X-User: ada").CombinedOutput()
	for _, part := range []string{"  ordered: the status decides\n", "      open   status() == 201  (status() is known once there is an answer)\n", "  failed: the status decides\n", "  fine: met\n"} {
		if err != nil || !strings.Contains(string(out), part) {
			t.Errorf("no %q in what the command says: %v\n%s", part, err, out)
		}
	}
}

// converting is a plan whose canary has to convert half of its clients.
func converting(name string) gateway.Rollout {
	r := planned(name, step("50%", "2s"), step("100%", ""))
	r.Goals = aimed(name).Goals
	r.Plan.Checks = []string{`conversion("canary", "paid") >= 0.5`}
	return r
}

// expectShown holds the command line and the metrics to tell what the API does.
func (p *pilot) expectShown(t *testing.T) {
	t.Helper()
	out, err := p.g.CommandLine(t, "results", p.rollout.Name).CombinedOutput()
	text := strings.Join(strings.Fields(string(out)), " ")
	for _, part := range []string{"Clients: 60 ", "PAID CLIENTS REACHED RATE ", "stable 30 3 10.00% ", "canary 30 12 40.00% ", "READ CLIENTS "} {
		if err != nil || !strings.Contains(text, part) {
			t.Errorf("no %q in what the command says: %v\n%s", part, err, out)
		}
	}
	prefix := strings.ToLower(strings.Fields(p.g.Host)[0]) + "_rollout_"
	seen := map[string]string{}
	for line := range strings.Lines(p.g.Metrics(t, "")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "{")
		if name, ours := strings.CutPrefix(name, prefix+"goal_"); ours && strings.Contains(rest, `rollout="once"`) {
			labels, value, _ := strings.Cut(rest, "} ")
			parts := strings.Split(labels, ",")
			slices.Sort(parts)
			seen[name+" "+strings.Join(parts, " ")] = value
		}
	}
	want := map[string]string{
		`clients rollout="once" variant="stable"`: "30", `clients rollout="once" variant="canary"`: "30",
		`reached_clients goal="paid" rollout="once" variant="stable"`: "3", `reached_clients goal="paid" rollout="once" variant="canary"`: "12",
		`reached_clients goal="read" rollout="once" variant="stable"`: "30", `reached_clients goal="read" rollout="once" variant="canary"`: "0",
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the metrics tell %v", seen)
	}
}

// awaitWritten waits until the file of the state has so many clients of the rollout, and so many who reached its first goal:
// it is written about once a minute.
func (p *pilot) awaitWritten(t *testing.T, clients, reached int64) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		var file struct {
			Documents map[string]struct {
				Content struct{ Sample json.RawMessage }
			}
		}
		content, err := os.ReadFile(p.g.StateFile())
		if err == nil && json.Unmarshal(content, &file) == nil {
			if sample, err := goal.Decode(file.Documents[".findings."+p.rollout.Name].Content.Sample); err == nil {
				c := sample.Count()
				if c.Clients[0]+c.Clients[1] == clients && c.Reached[0][0]+c.Reached[0][1] == reached {
					return
				}
			}
		}
		if time.Now().After(end) {
			t.Fatalf("not written: %v", err)
		}
	}
}
