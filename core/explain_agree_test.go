package core

import (
	"context"
	"fmt"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// TestExplanationsAgree: whatever is configured, and whatever a client sends, an explanation says what is decided then, and
// leaves no trace.
func TestExplanationsAgree(t *testing.T) { explanationsAgree(t, 15) }

// explanationsAgree tries a number of configurations.
func explanationsAgree(t *testing.T, configurations int) {
	t.Helper()
	random := rand.New(rand.NewSource(9))
	total, drawn := 0, 0
	for n := 0; n < configurations; n++ {
		config := oddConfig(random)
		live := NewLive()
		e := compile(t, config, live, Host{Conditions: map[string]func(r *http.Request) bool{
			"outside": func(r *http.Request) bool {
				if r.Header.Get("X-A") == "w" {
					panic("outside")
				}
				return r.Header.Get("X-A") == "u"
			}}})
		if len(config.Plan.Steps) > 0 {
			states := []rollout.State{rollout.Progressing, rollout.Paused, rollout.Promoted, rollout.RolledBack}
			if err := e.Suppose(states[random.Intn(4)], 1+random.Intn(3)); err != nil {
				t.Fatal(err)
			}
		}
		cookies := []string{}
		for i := 0; i < 15; i++ {
			q := oddQuestion(random, cookies)
			before := traces(live)
			x := explained(t, e, q)
			if after := traces(live); after != before {
				t.Fatalf("configuration %d: %s before, %s after an explanation", n, before, after)
			}
			r, err := q.request(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			d := e.Decide(r, q.IP, noon)
			if set := (&http.Response{Header: http.Header{"Set-Cookie": {d.Cookie}}}).Cookies(); d.Cookie != "" && len(set) == 1 {
				cookies = append(cookies, set[0].Name+"="+set[0].Value)
			}
			total++
			if x.Random {
				drawn++
				continue
			}
			want := Chosen{Variant: d.Variant, Reason: d.Reason, Rule: d.Rule}
			if x.Decision != want {
				t.Fatalf("configuration %d, %+v: explained as %s, decided %s: %+v\n%+v", n, q, x.Decision.words(), want.words(), config, *x)
			}
		}
	}
	if drawn > total/2 {
		t.Errorf("%d of %d were drawn: they say nothing", drawn, total)
	}
}

// traces is what decisions leave behind.
func traces(l *Live) string {
	l.mu.Lock()
	remembered := -1
	if l.assigned != nil {
		remembered = l.assigned.Len()
	}
	l.mu.Unlock()
	assigned := []int64{}
	if l.trial != nil {
		assigned = l.trial.Assignments()
	}
	return fmt.Sprint(remembered, assigned, l.Counts(), l.Reasons(), l.RefusedTokens(), l.Routed().ByName())
}

// oddConfig returns a rollout with a bit of everything.
func oddConfig(random *rand.Rand) Config {
	pick := func(texts ...string) string { return texts[random.Intn(len(texts))] }
	config := Config{Name: "odd", Variants: []Variant{{Name: "v0"}, {Name: "v1", Weight: "20%"}, {Name: "v2", Weight: "30%"}}}
	config.Key = [][]string{nil, {`cookie("uid")`}, {`header("X-User")`, `cookie("uid")`, `ip()`}, {`cookie("uid")`, `random()`}, {`query("u").lower()`}}[random.Intn(5)]
	leaf := func() string {
		return pick(`header("X-A") == "u"`, `header("X-A") != "v"`, `header("X-B").in("u", "v")`, `cookie("uid").exists()`, `query("v") >= 2`,
			`ip().in("192.0.2.0/24")`, `method() == "POST"`, `path().hasPrefix("/api")`, `header("X-B").has("w")`, `true`, `scheme() == "https"`, `header("X-A") == "w"`)
	}
	for i := random.Intn(5); i > 0; i-- {
		when := leaf()
		switch random.Intn(4) {
		case 0:
			when = when + " && " + leaf()
		case 1:
			when = "!(" + when + ") || " + leaf() + " || " + leaf()
		case 2:
			when = leaf() + " && (" + when + " || !" + "(" + leaf() + "))"
		}
		config.Rules = append(config.Rules, Rule{Name: "rule" + strconv.Itoa(i), Use: "v" + strconv.Itoa(random.Intn(3)), Percent: pick("", "", "40%"), When: when})
	}
	if random.Intn(3) == 0 {
		config.Rules = append(config.Rules, Rule{Name: "outside", Use: "v2"})
	}
	if random.Intn(4) == 0 {
		config.Announce.Follow = []string{"192.0.2.0/25"}
	}
	if random.Intn(5) == 0 {
		config.Ends = pick("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
	}
	switch random.Intn(3) {
	case 0:
		config.Sticky = Sticky{Mode: "cookie", Secret: []string{testSecret}, BaselineTTL: pick("", "1ms")}
	case 1:
		config.Sticky = Sticky{Mode: "memory", Client: []string{`header("X-User")`}}
	}
	if random.Intn(2) == 0 {
		config.Variants[1].Weight = ""
		config.Revision = pick("v1", "v2")
		config.Plan = Plan{Candidate: "v1", Steps: []Step{{Weight: "10%", For: "1h"}, {Weight: "50%", For: "1h"}, {Weight: "60%", Manual: true}}}
		if config.Sticky.Mode != "" {
			config.Sticky.Drain = pick("", "1h")
		}
	}
	return config
}

// oddQuestion returns a request that may match, with one of the cookies that were set before.
func oddQuestion(random *rand.Rand, cookies []string) Question {
	pick := func(texts ...string) string { return texts[random.Intn(len(texts))] }
	q := Question{Headers: map[string][]string{}, Method: pick("", "POST"), IP: pick("192.0.2.1", "192.0.2.200", "2001:db8::1")}
	q.URL = pick("http", "https") + "://shop.example" + pick("", "/", "/api/x") + pick("", "?v=2&u=A", "?v=1&u="+strconv.Itoa(random.Intn(100)), "?v=%32")
	for _, name := range []string{"X-A", "X-B", "X-User"} {
		if random.Intn(3) > 0 {
			q.Headers[name] = []string{pick("u", "v", "w", "u, w", strconv.Itoa(random.Intn(100)))}
		}
	}
	if random.Intn(4) == 0 {
		q.Headers["X-Rollout-Variant"] = []string{pick("v0", "v1", "v9")}
	}
	sent := []string{}
	if random.Intn(3) > 0 {
		sent = append(sent, "uid="+strconv.Itoa(random.Intn(100)))
	}
	if len(cookies) > 0 && random.Intn(2) == 0 {
		sent = append(sent, cookies[random.Intn(len(cookies))])
	}
	if len(sent) > 0 {
		q.Headers["Cookie"] = []string{strings.Join(sent, "; ")}
	}
	return q
}
