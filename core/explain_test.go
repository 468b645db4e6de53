package core

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/rollout"
)

func explained(t *testing.T, e *Engine, q Question) *Explanation {
	t.Helper()
	if q.URL == "" {
		q.URL = "http://shop.example/cart?v=1"
	}
	if q.IP == "" {
		q.IP = "192.0.2.1"
	}
	x, err := e.Explain(context.Background(), q, noon)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// with are the headers of a question, each "Name: value".
func with(headers ...string) Question {
	q := Question{Headers: map[string][]string{}}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		q.Headers[name] = append(q.Headers[name], value)
	}
	return q
}

// ruleOutcomes are those of the rules, in order.
func ruleOutcomes(x *Explanation) string {
	list := []string{}
	for _, rule := range x.Rules {
		list = append(list, rule.Name+" "+rule.Outcome)
	}
	return strings.Join(list, ", ")
}

func (c Chosen) words() string {
	text := c.Variant + " by " + string(c.Reason)
	if c.Rule != "" {
		text += " " + c.Rule
	}
	return text
}

// conditionOf are the parts of a condition, indented, with what they saw.
func conditionOf(parts []expr.Part) string {
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(strings.Repeat("  ", p.Depth) + p.Expression + ": " + p.Result)
		if p.Looked != "" && p.Result != expr.Skipped {
			text.WriteString(" (" + p.Looked + " " + strconv.Quote(p.Saw) + " " + strconv.FormatBool(!p.Absent) + ")")
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestExplain(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	for _, test := range []struct {
		headers []string
		want    string
		rules   string
		slot    int // in the split; -1: it was not asked, or there is no key
	}{
		{[]string{"X-Version: v2"}, "canary by rule qa", "qa decides, old skipped, eu skipped, late skipped", -1},
		{[]string{"X-Version: v1"}, "stable by rule old", "qa fails, old decides, eu skipped, late skipped", -1},
		{[]string{"Cookie: uid=Alice"}, "canary by split", "qa fails, old fails, eu fails, late fails", 2377},
		{[]string{"Cookie: uid=alice"}, "blue by split", "qa fails, old fails, eu fails, late fails", 62732},
		{[]string{"Cookie: uid=bob", "X-User: Alice"}, "stable by split", "qa fails, old fails, eu fails, late fails", 21776},
		{nil, "stable by base", "qa fails, old fails, eu fails, late fails", -1},
		{[]string{"X-Region: eu", "X-Late: 1"}, "blue by rule late", "qa fails, old fails, eu misses, late decides", -1},
	} {
		x := explained(t, e, with(test.headers...))
		what := strings.Join(test.headers, ", ")
		if got := x.Decision.words(); got != test.want || x.Choice.words() != got || x.Random {
			t.Errorf("%s: %s (%s), want %s", what, got, x.Choice.words(), test.want)
		}
		if got := ruleOutcomes(x); got != test.rules {
			t.Errorf("%s: %s, want %s", what, got, test.rules)
		}
		slot := -1
		if x.Split.Draw != nil {
			slot = x.Split.Draw.Slot
		}
		if slot != test.slot {
			t.Errorf("%s: slot %d, want %d", what, slot, test.slot)
		}
	}
	x := explained(t, e, with("Cookie: uid=Alice", "X-Region: eu"))
	if len(x.Rules) != 4 || x.Rules[2].Draw == nil || x.Rules[2].Draw.Until != 13107 || x.Rules[2].Draw.Salt != "checkout/eu" || x.Rules[2].Percent != "20%" {
		t.Errorf("rule eu: %+v", x.Rules)
	}
	want := "[{canary 10% 0 6554} {stable 85% 6554 62259} {blue 5% 62259 65536}]"
	if got := fmt.Sprint(x.Split.Ranges); got != want {
		t.Errorf("ranges %s, want %s", got, want)
	}
	if len(x.Key.Values) != 2 || !x.Key.Values[0].Used || x.Key.Values[0].Saw != "Alice" || !x.Key.Values[1].Absent || x.Key.Key != "Alice" {
		t.Errorf("key %+v", x.Key)
	}
}

func TestExplainConditions(t *testing.T) {
	for when, want := range map[string]string{
		`header("X-A") == "1" && (cookie("b") != "2" || query("v") > 3) && !ip().in("10.0.0.0/8")`: `header("X-A") == "1" && (cookie("b") != "2" || query("v") > 3) && !ip().in("10.0.0.0/8"): true
  header("X-A") == "1": true (header("X-A") "1" true)
  cookie("b") != "2" || query("v") > 3: true
    cookie("b") != "2": true (cookie("b") "" false)
    query("v") > 3: skipped
  !ip().in("10.0.0.0/8"): true
    ip().in("10.0.0.0/8"): false (ip() "192.0.2.1" true)
`,
		`header("X-Tags").lower().has("b")`: `header("X-Tags").lower().has("b"): true (header("X-Tags").lower() "a, b" true)
`,
		`false || header("Host").exists()`: `false || header("Host").exists(): true
  false: false
  header("Host").exists(): true (header("Host") "shop.example" true)
`,
		`header("X-A") == "2" && header("X-B") == "1"`: `header("X-A") == "2" && header("X-B") == "1": false
  header("X-A") == "2": false (header("X-A") "1" true)
  header("X-B") == "1": skipped
`,
		`header("X-A").in("1", "2") || header("X-A") == "3"`: `header("X-A").in("1", "2") || header("X-A") == "3": true
  header("X-A").in("1", "2"): true (header("X-A") "1" true)
  header("X-A") == "3": skipped
`,
	} {
		config := checkout()
		config.Rules = []Rule{{Name: "one", Use: "canary", When: when}}
		x := explained(t, compile(t, config, nil, Host{}), with("X-A: 1", "X-Tags: A", "X-Tags: B"))
		if got := conditionOf(x.Rules[0].Condition); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

// TestExplanationsAreBounded: many rules may look at one long header.
func TestExplanationsAreBounded(t *testing.T) {
	config := checkout()
	for i := 0; i < 20; i++ {
		config.Rules = append(config.Rules, Rule{Name: "rule" + strconv.Itoa(i), Use: "canary", When: `header("X-Long").hasSuffix("x")`})
	}
	long := strings.Repeat("ä", 10<<10) + "y"
	x := explained(t, compile(t, config, nil, Host{}), with("X-Long: "+long, "X-User: "+long))
	if last := x.Rules[len(x.Rules)-1].Condition[0]; last.Result != expr.Failed || len(last.Saw) > 1100 || !strings.HasSuffix(last.Saw, "ä...") {
		t.Errorf("%d bytes are shown", len(last.Saw))
	}
	if x.Key.Key != long || len(x.Key.Values[1].Saw) > 1100 {
		t.Errorf("the key: %d bytes, of which %d are shown", len(x.Key.Key), len(x.Key.Values[1].Saw))
	}
}

// TestExplainWithoutAddress: what may have looked for the client's address is told, where it was asked and there is none.
func TestExplainWithoutAddress(t *testing.T) {
	config := checkout()
	config.Announce.Follow = []string{"10.0.0.0/8"}
	config.Rules = []Rule{{Name: "office", Use: "canary"}, {Name: "all", Use: "blue", When: "true"}, {Name: "staff", Use: "canary"}}
	never := func(_ *http.Request) bool { return false }
	e := compile(t, config, nil, Host{Conditions: map[string]func(r *http.Request) bool{"office": never, "staff": never}})
	for _, c := range []struct {
		ip    string
		match map[string]bool
		want  string
	}{
		{"", nil, `the address that connects is unknown (ip), and so nobody is followed` + "\n" +
			`rule "office": the client's address is unknown (ip), and the gateway's matcher may ask for it`},
		{"", map[string]bool{"office": false}, `the address that connects is unknown (ip), and so nobody is followed`},
		{"192.0.2.1", nil, ""},
	} {
		x, err := e.Explain(context.Background(), Question{URL: "http://shop.example/", IP: c.ip, Match: c.match}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(x.Notes, "\n"); got != c.want || x.Decision.words() != "blue by rule all" {
			t.Errorf("address %q, assumed %v: %s: %s", c.ip, c.match, x.Decision.words(), got)
		}
	}
}

func TestExplainAssumptions(t *testing.T) {
	config := checkout()
	config.JWT = JWT{Secret: testSecret}
	config.Rules = []Rule{
		{Name: "staff", Use: "canary"},
		{Name: "admins", Use: "canary", When: `claim("roles").has("admin")`},
		{Name: "named", Use: "blue", When: `placeholder("user").lower() == "ada"`},
	}
	host := Host{
		Conditions:  map[string]func(r *http.Request) bool{"staff": func(_ *http.Request) bool { panic("no address") }},
		Placeholder: func(_ *http.Request, _ string) (string, bool) { return "", false },
	}
	e := compile(t, config, nil, host)
	x := explained(t, e, with())
	if x.Decision.words() != "stable by base" || len(x.Notes) != 1 || !strings.Contains(x.Notes[0], `rule "staff" broke, so the base serves: no address`) {
		t.Errorf("%s: %q", x.Decision.words(), x.Notes)
	}
	q := with("Authorization: Bearer x.y.z")
	q.Match = map[string]bool{"staff": false}
	x = explained(t, e, q)
	if got := ruleOutcomes(x); got != "staff fails, admins fails, named fails" || x.Token.Status != "malformed" {
		t.Errorf("%s, token %+v", got, x.Token)
	}
	if len(e.live.RefusedTokens()) > 0 {
		t.Error("a token was counted that nobody sent")
	}
	q.Claims = []byte(`{"roles": ["user", "admin"]}`)
	if x = explained(t, e, q); x.Decision.words() != "canary by rule admins" || x.Token.Status != "assumed" || x.Rules[1].Condition[0].Saw != "user, admin" {
		t.Errorf("%s, token %+v, %+v", x.Decision.words(), x.Token, x.Rules[1])
	}
	q.Claims = nil
	q.Placeholders = map[string]string{"user": "Ada"}
	if x = explained(t, e, q); x.Decision.words() != "blue by rule named" || x.Rules[2].Condition[0].Looked != `placeholder("user").lower()` {
		t.Errorf("%s, %+v", x.Decision.words(), x.Rules[2])
	}
	for _, wrong := range []Question{
		{URL: "shop.example"}, {URL: "ftp://shop.example/"}, {URL: "http://x/\x00"}, {URL: "http://x/" + strings.Repeat("a", maxQuestionURL)},
		{URL: "http://x/", Method: "GET it"}, {URL: "http://x/", IP: "office"}, {URL: "http://x/", Headers: map[string][]string{"a b": {"c"}}},
		{URL: "http://x/", Headers: map[string][]string{"A": {"b\r\nc: d"}}}, {URL: "http://x/", Headers: map[string][]string{"A": {strings.Repeat("b", maxQuestionHeaders)}}},
		{URL: "http://x/", Match: map[string]bool{"qa": true}}, {URL: "http://x/", Geo: map[string]string{"planet": "Mars"}}, {URL: "http://x/", Claims: []byte(`[`)},
	} {
		if x, err := e.Explain(context.Background(), wrong, noon); !errors.Is(err, ErrQuestion) || x != nil {
			t.Errorf("%.100s: %v", fmt.Sprintf("%+v", wrong), err)
		}
	}
	long := Question{URL: "http://x/" + strings.Repeat("a", maxQuestionURL)}
	if _, err := e.Explain(context.Background(), long, noon); err == nil || err.Error() != "not a request: url: it is longer than 16384 bytes" {
		t.Errorf("%.200v", err)
	}
	if x := explained(t, e, Question{Geo: map[string]string{"country": "DE"}, Match: q.Match}); len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "no geo database") {
		t.Errorf("where nobody asks for places: %q", x.Notes)
	}
}

func TestExplainStates(t *testing.T) {
	config := checkout()
	config.Variants = []Variant{{Name: "stable"}, {Name: "canary"}}
	config.Revision = "v2"
	config.Rules = config.Rules[:1]
	config.Plan = Plan{Steps: []Step{{Weight: "10%", For: "1h"}, {Weight: "50%", For: "1h"}, {Weight: "100%"}}}
	e, err := Rehearse(config, Host{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		state  rollout.State
		step   int
		want   string // of Alice, in slot 2377
		bob    string // in slot 21776
		choice string // of qa
	}{
		{rollout.Progressing, 0, "canary by split", "stable by split", "canary by rule qa"},
		{rollout.Progressing, 2, "canary by split", "canary by split", "canary by rule qa"},
		{rollout.Promoted, 3, "canary by split", "canary by split", "canary by rule qa"},
		{rollout.RolledBack, 1, "stable by split", "stable by split", "stable by rolled_back"},
	} {
		if err := e.Suppose(test.state, test.step); err != nil {
			t.Fatal(err)
		}
		for user, want := range map[string]string{"Cookie: uid=Alice": test.want, "Cookie: uid=bob": test.bob, "X-Version: v2": test.choice} {
			x := explained(t, e, with(user))
			if x.Decision.words() != want || x.State != string(test.state) {
				t.Errorf("%s, %s in step %d: %s in %s, want %s", user, string(test.state), test.step, x.Decision.words(), x.State, want)
			}
			if strings.HasSuffix(want, "rolled_back") && (x.Choice.words() != "canary by rule qa" || len(x.Notes) != 1) {
				t.Errorf("rolled back: %s chose %s: %q", user, x.Choice.words(), x.Notes)
			}
		}
	}
	if e.Suppose("asleep", 1) == nil || e.Suppose(rollout.Paused, 4) == nil || e.Suppose(rollout.Paused, -1) == nil {
		t.Error("odd states are supposed")
	}
}

func TestExplainCookies(t *testing.T) {
	config := stickyShop()
	e := compile(t, config, nil, Host{})
	b := &browserAt{engine: e, now: noon}
	b.expect(t, "first", "canary by split*", "X-User: "+low)
	value := b.cookies["rollout_shop"]
	foreign := compile(t, func() Config { c := config; c.Name = "basket"; return c }(), nil, Host{})
	other := &browserAt{engine: foreign, now: noon}
	other.asks("X-User: " + low)
	released := compile(t, func() Config { c := config; c.Revision = "v2"; return c }(), nil, Host{})
	for _, test := range []struct {
		name   string
		engine *Engine
		cookie string
		now    time.Time
		status string
		want   string
	}{
		{"none", e, "", noon, AssignmentAbsent, "stable by split"},
		{"valid", e, value, noon, AssignmentValid, "canary by assigned"},
		{"expired", e, value, noon.Add(2 * time.Hour), AssignmentExpired, "stable by split"},
		{"tampered with", e, value[:len(value)-2] + "AA", noon, AssignmentForged, "stable by split"},
		{"of another rollout", e, other.cookies["rollout_basket"], noon, AssignmentForged, "stable by split"},
		{"of another revision", released, value, noon, AssignmentReleased, "stable by split"},
	} {
		q := with("X-User: " + high)
		q.URL = "http://shop.example/"
		if test.cookie != "" {
			q.Headers["Cookie"] = []string{"a=b; rollout_shop=" + test.cookie}
		}
		x, err := test.engine.Explain(context.Background(), q, test.now)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Assignments) != 1 || x.Assignments[0].Status != test.status || x.Decision.words() != test.want {
			t.Errorf("%s: %s, %+v, want %s and %s", test.name, x.Decision.words(), x.Assignments, test.want, test.status)
		}
	}
	q := with("X-User: "+high, "Cookie: rollout_shop="+value)
	q.URL = "https://shop.example/"
	if x := explained(t, e, q); x.Assignments[0].Name != "__Host-rollout_shop" || x.Assignments[0].Status != AssignmentAbsent || len(x.Notes) != 1 {
		t.Errorf("over TLS: %+v, %q", x.Assignments, x.Notes)
	}
	config.Sticky.Secret = []string{"env:GRAYLING_NO_SUCH_SECRET"}
	blind, err := Rehearse(config, Host{})
	if err != nil {
		t.Fatal(err)
	}
	q.URL = "http://shop.example/"
	if x := explained(t, blind, q); x.Assignments[0].Status != AssignmentUnknown || len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "GRAYLING_NO_SUCH_SECRET is empty here") {
		t.Errorf("without the secret: %+v, %q", x.Assignments, x.Notes)
	}
}
