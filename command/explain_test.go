package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

const explainConfig = "testdata/explain.yml"

// TestExplainOffline: alice is in slot 62732 of the line of checkout, bob in 21776, Alice in 2377.
func TestExplainOffline(t *testing.T) {
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"-H", "Cookie: uid=Alice"}, []string{
			"checkout: canary, because the client's slot is in its range\n  progressing, step 1, epoch 0, revision v2.3.1\n",
			"  sticky.secret[0]: the environment variable NO_SUCH_SECRET_FOR_EXPLAIN is empty here\n",
			"  the file /no/such/GeoLite2-City.mmdb cannot be read here, as if it were empty\n",
			"  qa -> canary: does not match\n    false  header(\"X-Version\") == \"v2\" || claim(\"role\") == \"tester\"\n      false  header(\"X-Version\") == \"v2\"  (header(\"X-Version\") is not there)\n",
			"  eu -> canary 20%: does not match\n",
			"token\n  there is none\n",
			"assignment\n  cookie __Host-rollout_checkout: there is none\n",
			"key\n  cookie(\"uid\") is \"Alice\", which identifies the client\n",
			"split\n  slot 2377 of 65536 (salt \"checkout\")\n  canary      10%      0 to  6553  <- here\n  stable      90%   6554 to 65535\n",
		}},
		{[]string{"-H", "Cookie: uid=bob"}, []string{"checkout: stable, because the client's slot is in its range\n"}},
		{[]string{"-H", "Cookie: uid=bob", "--step", "2"}, []string{"checkout: canary, because", "progressing, step 2,"}},
		{[]string{"-H", "X-Version: v2", "--state", "rolled_back"}, []string{
			"checkout: stable, because canary (chosen by rule) is over\n", "  canary is rolled back: the baseline serves in its place\n"}},
		{[]string{"-H", "X-Version:v2"}, []string{"checkout: canary, because rule qa decides\n", "      true   header(\"X-Version\") == \"v2\"  (header(\"X-Version\") is \"v2\")\n      -      claim(\"role\")", "  eu -> canary 20%: not asked\n", "split\n  not asked\n"}},
		{[]string{"--claims", `{"role": "tester"}`}, []string{"because rule qa decides", "its claims are those of --claims"}},
		{[]string{"-H", "Authorization: Bearer a.b.c"}, []string{"there are no keys here to verify it with"}},
		{[]string{"--geo", "continent=EU"}, []string{"checkout: stable, because nothing else applies\n", "  eu -> canary 20%: matches, but for others of its percentage\n", "no key, and so none, and the rule has the slots 0 to 13106 (salt \"checkout/eu\")\n"}},
		{[]string{"-H", "Cookie: __Host-rollout_checkout=xyz"}, []string{"there is no secret here to know by whether it is genuine"}},
	} {
		args := append([]string{"explain", "checkout", "https://shop.example/cart", "--config", explainConfig}, c.args...)
		stdout, stderr, code := execute(t.Context(), args...)
		if code != 0 || stderr != "" {
			t.Errorf("%s: exit code %d: %s", c.args, code, stderr)
		}
		for _, part := range c.parts {
			if !strings.Contains(stdout, part) {
				t.Errorf("%s: no %q in\n%s", c.args, part, stdout)
			}
		}
		if strings.Contains(stdout, "fallback") {
			t.Errorf("%s: nobody falls back in service mode:\n%s", c.args, stdout)
		}
	}
	stdout, _, _ := execute(t.Context(), "explain", "http://shop.example/", "--config", explainConfig)
	if !strings.Contains(stdout, "\nsearch: ") || !strings.Contains(stdout, "chance decides: the next request may get another variant") ||
		!strings.Contains(stdout, "\nupstreams\n  http://10.0.") {
		t.Errorf("all rollouts:\n%s", stdout)
	}
	stdout, _, _ = execute(t.Context(), "explain", "checkout", "http://shop.example/", "--config", explainConfig, "--json")
	var x core.Explanation
	if err := json.Unmarshal([]byte(stdout), &x); err != nil || x.Rollout != "checkout" || x.Decision.Reason != core.ByBase {
		t.Errorf("%v: %s", err, stdout)
	}
}

// TestExplainGoals: 402 is no success, and a client who was sent to a variant is no part of a comparison.
func TestExplainGoals(t *testing.T) {
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"-H", "Cookie: uid=Alice"}, `goals
  the client reaches those that are met, if bold answers with a status below 400
  paid: met
    true   path() == "/thanks"  (path() is "/thanks")
  read: not met
    false  path().hasPrefix("/blog/")  (path() is "/thanks")
  thanked: the status decides
    open   path() == "/thanks" && (status() == 200 || status() == 304)
      true   path() == "/thanks"  (path() is "/thanks")
      open   status() == 200 || status() == 304
        open   status() == 200  (status() is known once there is an answer)
        open   status() == 304  (status() is known once there is an answer)
  seen: met, whatever the status
    true   path() == "/thanks" || status() == 404
      true   path() == "/thanks"  (path() is "/thanks")
      -      status() == 404
`},
		{[]string{"-H", "Cookie: uid=Alice", "-H", "X-Version: v2"}, "goals\n  the client reaches none: it was not chance that chose his variant\n  paid: met\n"},
	} {
		args := append([]string{"explain", "landing", "https://shop.example/thanks", "--config", explainConfig}, c.args...)
		stdout, stderr, code := execute(t.Context(), args...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, c.text) {
			t.Errorf("%s: exit code %d: %s, no %q in\n%s", c.args, code, stderr, c.text, stdout)
		}
		stdout, _, _ = execute(t.Context(), append(args, "--json")...)
		var x core.Explanation
		if err := json.Unmarshal([]byte(stdout), &x); err != nil || x.Goals == nil || len(x.Goals.List) != 4 || !x.Goals.List[0].Met || x.Goals.List[1].Met {
			t.Errorf("%s: %v: %s", c.args, err, stdout)
		}
	}
}

func TestExplainOnline(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	g.release(t, "search", "v1")
	out := g.talk(t, 0, []string{"checkout: ", "  progressing, step 1, epoch 0, revision v2\n", "\n\nsearch: "}, "explain", "http://shop.example/", "-H", "X-A: b", "--ip", "192.0.2.1")
	if strings.Count(out, "split\n") != 2 {
		t.Errorf("two rollouts:\n%s", out)
	}
	g.talk(t, 0, []string{`{"rollout":"search"`}, "explain", "search", "http://shop.example/", "--json")
	g.talk(t, exitRefused, []string{"not a request: ip"}, "explain", "http://shop.example/", "--ip", "home")
	g.talk(t, exitRefused, []string{`no rollout "basket" runs`}, "explain", "basket", "http://shop.example/")
	g.talk(t, exitUsage, []string{"give it with --config"}, "explain", "http://shop.example/", "--step", "2")
	g.talk(t, exitUnreachable, []string{"cannot be reached"}, "explain", "http://shop.example/", "--server", "http://127.0.0.1:1")
	odd := answering(t, 200, "application/json", `[]`)
	g.talk(t, exitRefused, []string{"the answer is not an explanation"}, "explain", "checkout", "http://shop.example/", "--server", odd)
	empty := newGateway(t)
	empty.talk(t, exitRefused, []string{"no rollout runs there"}, "explain", "http://shop.example/")
}

func TestExplainWrongly(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		part string
	}{
		{[]string{}, exitUsage, "accepts between 1 and 2 arg"},
		{[]string{"shop.example"}, exitUsage, `url: "shop.example" is not a URL such as https://shop.example/cart`},
		{[]string{"http://x/", "-H", "X-Version"}, exitUsage, "is not a header"},
		{[]string{"http://x/", "-H", "X Y: 1"}, exitUsage, "is not the name of a header"},
		{[]string{"http://x/", "--claims", "{"}, exitUsage, "--claims: not JSON"},
		{[]string{"http://x/", "--claims", "[]"}, exitUsage, "claims: not a JSON object"},
		{[]string{"http://x/", "--match", "staff=maybe"}, exitUsage, "neither true nor false"},
		{[]string{"http://x/", "--match", "staff"}, exitUsage, `no rule "staff" has a matcher`},
		{[]string{"http://x/", "--geo", "land=DE"}, exitUsage, `unknown field "land"`},
		{[]string{"http://x/" + strings.Repeat("x", 20<<10)}, exitUsage, "url: it is longer than 16384 bytes"},
		{[]string{"http://x/", "--step", "9"}, exitUsage, "there is no step 9"},
		{[]string{"http://x/", "--state", "asleep"}, exitUsage, `"asleep" is no state`},
		{[]string{"basket", "http://x/"}, exitUsage, `there is no rollout "basket" in it: there are checkout, landing, search`},
	} {
		args := append([]string{"explain", "--config", explainConfig}, c.args...)
		if _, stderr, code := execute(t.Context(), args...); code != c.code || !strings.Contains(stderr, c.part) {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
	}
	for file, part := range map[string]string{"Caddyfile": "knows no configurations of Caddy", "/no/such.yml": "no such file", "testdata/dynamic.yml": "unknown key"} {
		if _, stderr, code := execute(t.Context(), "explain", "http://x/", "--config", file); code == 0 || !strings.Contains(stderr, part) {
			t.Errorf("%s: exit code %d: %s", file, code, stderr)
		}
	}
}
