package notify

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestTargetCheck(t *testing.T) {
	const all = "started, step_advanced, held, stalled, paused, resumed, promoted, rolled_back, restarted, weight_set, sample_ratio_mismatch"
	for _, c := range []struct {
		target Target
		want   []string
	}{
		{Target{}, nil},
		{Target{Format: "json", Secret: "hush", Events: strings.Split(all, ", ")}, nil},
		{Target{Format: "slack"}, nil},
		{Target{Format: "slack", Secret: "hush"}, []string{"secret: Slack verifies no signature: leave out the secret, or the format slack"}},
		{Target{Format: "slak"}, []string{`format: unknown format "slak" (did you mean "slack"?): there are json and slack`}},
		{Target{Format: "teams"}, []string{`format: unknown format "teams": there are json and slack`}},
		{Target{Events: []string{"promoted", "rolledback", "", "promoted"}}, []string{
			`events[1]: unknown event "rolledback" (did you mean "rolled_back"?): there are ` + all,
			`events[2]: unknown event "": there are ` + all,
			`events[3]: "promoted" is there twice: leave out one`,
		}},
	} {
		var got []string
		for _, p := range c.target.Check() {
			got = append(got, p.Path+": "+p.Text)
		}
		if !reflect.DeepEqual(got, c.want) || strings.Contains(fmt.Sprint(got), "hush") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestKinds: every event that there is can be asked for.
func TestKinds(t *testing.T) {
	source, err := os.ReadFile("../rollout/event.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, match := range regexp.MustCompile(`(?m)^\tKind\w+ +(?:Kind )?= "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, match[1])
	}
	if len(declared) < 11 || !reflect.DeepEqual(kinds(), declared) {
		t.Errorf("got %q, declared are %q", kinds(), declared)
	}
}

func TestWants(t *testing.T) {
	some := Target{Events: []string{"promoted", "rolled_back"}}
	if all := (Target{}); !all.wants(rollout.KindHeld) || !some.wants(rollout.KindRolledBack) || some.wants(rollout.KindHeld) {
		t.Error("a target is told of other events than it wants")
	}
}

func TestCheckURL(t *testing.T) {
	for address, right := range map[string]bool{
		"https://hooks.slack.com/services/T0/B0/hush": true, "http://me:hush@10.0.0.1:8080/?key=hush": true, "https://[::1]/hush": true,
		"": false, "hush": false, "ftp://x/hush": false, "https://": false, "//x/hush": false, "https://%zz/hush": false, "http://:80/hush": false,
		"https://x/hush\n": false,
	} {
		err := CheckURL(address)
		if (err == nil) != right || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error %v", address, err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	if err := CheckSecret("0123456789abcdef"); err != nil {
		t.Error(err)
	}
	if err := CheckSecret("0123456789abcde"); err == nil || strings.Contains(err.Error(), "0123") || !strings.Contains(err.Error(), "has 15 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestShown(t *testing.T) {
	for address, want := range map[string]string{
		"https://me:hush@hooks.example:8443/hush?hush#hush": "https://hooks.example:8443",
		"https://%zz/hush": "a URL that is none",
	} {
		if got := shown(address); got != want {
			t.Errorf("%q is shown as %q", address, got)
		}
	}
}
