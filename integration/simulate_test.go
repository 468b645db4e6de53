package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/simulation"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// foretold is a rollout of which is said what it does, and then it does it.
func foretold(share string) gateway.Site {
	r := split(share)
	r.Rules = []gateway.Rule{
		qa, rule("paths", `path().hasPrefix("/beta/") && !(ip().in("10.0.0.0/8") || query("no").exists())`),
		{Name: "eu", Use: "canary", Percent: "50%", When: `header("X-Region").lower().in("eu", "uk")`},
	}
	r.Key = []string{`header("X-User")`, `cookie("uid")`}
	r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}}
	return gateway.Site{Rollouts: []gateway.Rollout{r}, Control: true}
}

var foretoldScenarios = []scenario{
	{name: "what is explained is what happens", site: foretold("30%"), run: explains},
	{name: "what is simulated is what happens", site: foretold("30%"), run: simulates},
}

// explains asks, for many requests, the gateway and the command line without it, and then sends them.
func explains(t *testing.T, g *gateway.Gateway) {
	config := g.Write(t, g.Site)
	gateway.Eventually(t, "the rollout runs", func() bool {
		_, err := g.Status("checkout")
		return err == nil
	})
	var cookies []string
	for i := range 24 {
		headers := []string{"X-Region: " + []string{"EU", "us"}[i%2]}
		if i%3 > 0 {
			headers = append(headers, fmt.Sprintf("X-User: %d", i))
		}
		if i%12 == 0 {
			headers = append(headers, "X-Version: v2")
		}
		if i%4 == 3 && len(cookies) > 0 {
			headers = append(headers, "Cookie: "+cookies[i%len(cookies)])
		}
		target := []string{"/", "/beta/x", "/beta/x?no=1", "/cart?a=b"}[i/6]
		online := explainedBy(t, g, target, headers)
		offline := explainedWithout(t, config, target, headers)
		a := g.Do(t, gateway.Request{Target: target, Header: headers})
		decided := g.Decision(t, "checkout", a).String()
		for where, x := range map[string]core.Explanation{"the gateway": online, "the command line": offline} {
			said := x.Decision.Variant
			if g.Traits.Reasons {
				said = gateway.Decision{Variant: x.Decision.Variant, Reason: string(x.Decision.Reason), Rule: x.Decision.Rule}.String()
			}
			if said != decided || x.Random {
				t.Errorf("%s %q: %s says %s, and it was %s\n%+v", target, headers, where, said, decided, x)
			}
		}
		for _, cookie := range a.Header["Set-Cookie"] {
			pair, _, _ := strings.Cut(cookie, ";")
			cookies = append(cookies, pair)
		}
	}
	if len(cookies) == 0 {
		t.Error("nobody was assigned")
	}
	if status, err := g.Status("checkout"); err != nil || status.Counts["decisions_split"]+status.Counts["decisions_rule"] > 24 {
		t.Errorf("explanations were counted: %v (%v)", status.Counts, err)
	}
}

func explainedBy(t *testing.T, g *gateway.Gateway, target string, headers []string) (x core.Explanation) {
	t.Helper()
	q := core.Question{URL: "http://shop.example" + target, IP: "127.0.0.1", Headers: map[string][]string{}}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		q.Headers[name] = append(q.Headers[name], value)
	}
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := g.Control("POST", "/checkout/explain", string(body), "Content-Type: application/json")
	if err != nil || status != 200 {
		t.Fatalf("explain: status %d, %v: %s", status, err, answer)
	}
	if err := json.Unmarshal([]byte(answer), &x); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return x
}

func explainedWithout(t *testing.T, config, target string, headers []string) (x core.Explanation) {
	t.Helper()
	args := []string{"explain", "http://shop.example" + target, "--config", config, "--json", "--ip", "127.0.0.1"}
	for _, header := range headers {
		args = append(args, "-H", header)
	}
	run(t, &x, args...)
	return x
}

// run runs the command line without a gateway, and reads the JSON that it prints.
func run(t *testing.T, into any, args ...string) {
	t.Helper()
	command := exec.Command(gateway.CommandBinary(t), args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v: %s", args, err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
		t.Fatalf("%s: %v: %s", args, err, stdout.String())
	}
}

// simulates sends the clients that a simulation makes up, by two configurations, and replays the log of the first.
func simulates(t *testing.T, g *gateway.Gateway) {
	const clients = 200
	before, after := g.Write(t, g.Site), g.Write(t, foretold("60%"))
	var said struct {
		Split simulation.Tally `json:"split"`
	}
	run(t, &said, "simulate", before, "--against", after, "--keys", strconv.Itoa(clients), "--json")
	visit := func() (landed []string, answers []gateway.Answer) {
		for i := range clients {
			a := g.Get(t, "/", fmt.Sprintf("X-User: user-%d", i))
			landed = append(landed, a.Backend())
			answers = append(answers, a)
		}
		return landed, answers
	}
	first, answers := visit()
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(g.Entries(t, answers)), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Reload(t, foretold("60%"))
	second, _ := visit()
	moved := 0
	for i := range first {
		if first[i] != second[i] {
			moved++
		}
	}
	expectShares(t, "before", said.Split.Variants, first)
	expectShares(t, "after", said.Split.Movement.Variants, second)
	if got := said.Split.Movement.Clients * clients; int(got+0.5) != moved || moved == 0 {
		t.Errorf("%v clients were to move, and %d do", got, moved)
	}
	said.Split = simulation.Tally{}
	run(t, &said, "simulate", before, "--log", log, "--host", "shop.example", "--json")
	expectShares(t, "by the log", said.Split.Variants, first)
	if said.Split.Clients != clients || said.Split.Logged != said.Split.Agreed || g.Traits.Reasons != (said.Split.Logged == clients) {
		t.Errorf("by the log: %+v", said.Split)
	}
}

func expectShares(t *testing.T, when string, said []simulation.Share, landed []string) {
	t.Helper()
	for _, s := range said {
		n := 0
		for _, backend := range landed {
			if backend == s.Name {
				n++
			}
		}
		if int64(n) != s.Requests {
			t.Errorf("%s: %d clients were to get %s, and %d do", when, s.Requests, s.Name, n)
		}
	}
	if len(said) != 2 || slices.Contains(landed, "") {
		t.Errorf("%s: %+v", when, said)
	}
}
