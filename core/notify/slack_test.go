package notify

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

var noon = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))

func rolledBack() rollout.Event {
	return rollout.Event{
		ID: 7, Kind: rollout.KindRolledBack, Time: noon, Revision: "v2", Epoch: 1, State: rollout.RolledBack, Step: 2, Cause: rollout.ByCheck,
		Reason: `error_rate("canary") <= 0.01: 12 of 240 & more failed`, Figures: map[string]float64{"requests": 240, "failures": 12, "p": 1e-9},
	}
}

func TestMessage(t *testing.T) {
	want := `{"id":7,"event":"rolled_back","rollout":"checkout","revision":"v2","epoch":1,"state":"rolled_back","step":2,"cause":"check",` +
		`"reason":"error_rate(\"canary\") \u003c= 0.01: 12 of 240 \u0026 more failed","figures":{"failures":12,"p":1e-9,"requests":240},` +
		`"time":"2026-03-01T12:00:00Z","member":"edge-1"}`
	if got := string(newMessage("checkout", "edge-1", rolledBack()).body(JSON)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	bare := rollout.Event{ID: 1, Kind: rollout.KindStarted, Time: noon, Revision: "v2", State: rollout.Progressing, Step: 1, Figures: map[string]float64{"x": math.Inf(1)}}
	want = `{"id":1,"event":"started","rollout":"checkout","revision":"v2","epoch":0,"state":"progressing","step":1,"time":"2026-03-01T12:00:00Z"}`
	if got := string(newMessage("checkout", "", bare).body("")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// decoded is what Slack reads of a message.
func decoded(t *testing.T, e rollout.Event) (text, section, details string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(newMessage("check<out>", "edge-1", e).body(Slack), &got); err != nil {
		t.Fatal(err)
	}
	blocks, _ := got["blocks"].([]any)
	if len(got) != 2 || len(blocks) != 2 {
		t.Fatalf("got %v", got)
	}
	first, _ := blocks[0].(map[string]any)
	second, _ := blocks[1].(map[string]any)
	shown, _ := first["text"].(map[string]any)
	elements, _ := second["elements"].([]any)
	if first["type"] != "section" || second["type"] != "context" || len(elements) != 1 {
		t.Fatalf("got %v", blocks)
	}
	small, _ := elements[0].(map[string]any)
	for _, object := range []map[string]any{shown, small} {
		if object["type"] != "mrkdwn" || object["verbatim"] != true || len(object) != 3 {
			t.Errorf("got %v", object)
		}
	}
	text, _ = got["text"].(string)
	section, _ = shown["text"].(string)
	details, _ = small["text"].(string)
	return text, section, details
}

func TestSlackMessage(t *testing.T) {
	text, section, details := decoded(t, rolledBack())
	got := []string{text, section, details}
	want := []string{
		`:rotating_light: *check&lt;out&gt;* was rolled back: error_rate("canary") &lt;= 0.01: 12 of 240 &amp; more failed`,
		":rotating_light: *check&lt;out&gt;* was rolled back\n>" + `error_rate("canary") &lt;= 0.01: 12 of 240 &amp; more failed`,
		"revision v2 · epoch 1 · step 2 · cause: check · gateway edge-1 · 2026-03-01T12:00:00Z · failures 12 · p 1e-09 · requests 240",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSlackHeadlines(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range append(kinds(), "a<new>one") {
		text, section, details := decoded(t, rollout.Event{ID: 1, Kind: rollout.Kind(kind), Time: noon, Revision: "v2", Step: 3})
		if text != section || seen[text] || !strings.Contains(text, "*check&lt;out&gt;*") || kind != "a<new>one" && !strings.HasPrefix(text, ":") {
			t.Errorf("%s: got %q, %q", kind, text, section)
		}
		seen[text] = true
		if details != "revision v2 · epoch 0 · step 3 · gateway edge-1 · 2026-03-01T12:00:00Z" {
			t.Errorf("%s: got %q", kind, details)
		}
	}
	if !seen["*check&lt;out&gt;*: a&lt;new&gt;one"] {
		t.Errorf("an event that this version does not know: %v", seen)
	}
}

// TestSlackLimits: Slack refuses texts of more than 3,000 characters.
func TestSlackLimits(t *testing.T) {
	e := rolledBack()
	e.Reason = strings.Repeat("<!channel>\n", 1000)
	e.Revision = strings.Repeat("&", 5000)
	e.Figures = map[string]float64{strings.Repeat("&", 5000): 1}
	for i := 0; i < 1000; i++ {
		e.Figures[strings.Repeat("x", 1+i%100)+string(rune('a'+i/100))] = float64(i)
	}
	text, section, details := decoded(t, e)
	if len(section) > 3000 || len(details) > 3000 || len(section) < 1000 || len(details) < 1000 || len(text) > 3000 {
		t.Errorf("%d, %d and %d bytes", len(text), len(section), len(details))
	}
	if strings.Contains(text, "<") || strings.Count(section, "\n") != 1 || strings.Contains(section, "<") || strings.Contains(details, "&&") {
		t.Errorf("got %q, %q, %q", text, section, details)
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"a&b<c>d", 100, "a&amp;b&lt;c&gt;d"},
		{"&amp;", 100, "&amp;amp;"},
		{"a\r\n\tb", 100, "a   b"},
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"äöü", 2, "ä…"},
	} {
		if got := escape(c.text, c.most); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
