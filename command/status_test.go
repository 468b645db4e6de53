package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestStatus(t *testing.T) {
	g := newGateway(t)
	if got := g.talk(t, 0, nil, "status"); got != "NAME  STATE  STEP  WEIGHT  SINCE  VERDICT  REASON\n" {
		t.Errorf("no rollouts:\n%s", got)
	}
	g.release(t, "search", "v7")
	g.release(t, "checkout", "v2")
	g.command(t, "checkout", rollout.Command{Verb: rollout.Jump, Step: 2})
	table := g.talk(t, 0, nil, "status")
	lines := strings.Split(table, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "checkout  progressing  2/3   canary 50%  ") || !strings.HasPrefix(lines[2], "search    progressing  1/3   canary 10%  ") {
		t.Errorf("the table:\n%s", table)
	}

	one := g.talk(t, 0, nil, "status", "checkout")
	for _, line := range []string{
		"Rollout: checkout", "Reason: step 2", "Revision: v2, epoch 0", "Version: 2", "Candidate: canary", "Base: stable",
		"STEP WEIGHT LASTS GATES", "1 10% - promote", "3 100% - -",
		"VARIANT WEIGHT REQUESTS ERRORS P50 P95 P99", "canary 50% 0 - - - -", "TIME EVENT STEP STATE REASON",
	} {
		if !strings.Contains(squeezed(one), "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, one)
		}
	}
	for _, part := range []string{
		"\nState: progressing (operator) for ", "\n> 2 50% ", " of 30m -\n", " started 1 progressing -\n", " step_advanced 2 progressing step 2\n",
	} {
		if !strings.Contains(squeezed(one), part) {
			t.Errorf("no %q in:\n%s", part, one)
		}
	}

	var status core.Status
	if err := json.Unmarshal([]byte(g.talk(t, 0, nil, "status", "checkout", "--json")), &status); err != nil || status.Step != 2 || len(status.Variants) != 2 {
		t.Errorf("%v: %+v", err, status)
	}
	var all list
	if err := json.Unmarshal([]byte(g.talk(t, 0, nil, "status", "--json")), &all); err != nil || len(all.Rollouts) != 2 {
		t.Errorf("%v: %+v", err, all)
	}
	g.talk(t, exitRefused, []string{`no rollout "chekcout" runs (did you mean "checkout"?)`}, "status", "chekcout")
}

// squeezed is a text with one space between words, and a line before and behind.
func squeezed(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}

func TestDescription(t *testing.T) {
	text := describe(core.Status{
		Name: "checkout", Revision: "v2", State: "rolled_back", Cause: "check", Reason: "error_rate\n\x1b[31mred", Version: "9", Base: "stable", Candidate: "canary",
		Ends: time.Now(), StoreAway: "no such file",
		Variants:   []core.VariantStatus{{Name: "canary", Weight: "0%", Requests: 2000, Failures: 31, LatencyP50: 1234567, LatencyP99: 2 * time.Second}},
		Evaluation: &core.EvaluationStatus{Verdict: rollout.Fail, Reason: "too slow", Failures: 2, Limit: 2, Figures: map[string]float64{"p": 0.00012, "b": 3, "n": 1e6, "m": 123456.7}},
		Counts:     map[string]int64{"decisions_split": 12345678, "decisions_base": 1},
		Members: []core.MemberStatus{
			{ID: "0f", Name: "edge-1", Self: true, Gateway: "caddy v2.11.4", Revision: "v2", State: "rolled_back", Step: 2, Weight: "10%", Requests: 2000, Failures: 31,
				Judges: true, Verdict: rollout.Fail, Reported: 2 * time.Second},
			{ID: "a1", Gateway: "traefik", Revision: "v1", State: "outdated", Reported: 61 * time.Second, Differs: "its revision was superseded"},
		},
	}, nil)
	for _, part := range []string{
		"State:      rolled_back (check) for -\n", "Reason:     error_rate  [31mred\n", "Verdict:    fail: too slow\n", "Failures:   2 of 2 in a row\n", "Figures:    b=3 m=123457 n=1000000 p=0.00012\n",
		"Store:      no such file\n", "Counts:     decisions_base=1 decisions_split=12345678\n", "canary   0%      2000      1.55%   1.23ms  -    2s",
		">  edge-1  caddy v2.11.4  v2        rolled_back  2, 10%  2000      1.55%   fail    2s ago    -\n",
		"   a1      traefik        v1        outdated     -       0         -       -       1m1s ago  its revision was superseded\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestLatency(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "-", 803 * time.Microsecond: "0.803ms", 999400 * time.Microsecond: "999ms", 999900 * time.Microsecond: "1s", 1234 * time.Millisecond: "1.23s",
		99 * time.Second: "99s", 125 * time.Second: "2m5s",
	} {
		if got := latency(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestDescriptionOfWhatIsHeld(t *testing.T) {
	text := describe(core.Status{Name: "checkout", State: "progressing", Cause: "operator", Held: true}, nil)
	if want := "State:     progressing (operator) for -, held\n"; !strings.Contains(text, want) {
		t.Errorf("no %q in:\n%s", want, text)
	}
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		status core.Status
		want   string
	}{
		{core.Status{State: "idle"}, "idle"},
		{core.Status{State: "progressing", Held: true}, "progressing, held"},
		{core.Status{State: "progressing", Held: true, Awaits: true}, "progressing, awaits confirmation"},
		{core.Status{State: "progressing", Held: true, Stalled: true}, "progressing, stalled"},
	} {
		if got := state(c.status); got != c.want {
			t.Errorf("%+v: %q, want %q", c.status, got, c.want)
		}
	}
	idle := core.Status{Name: "a", State: "idle", Variants: []core.VariantStatus{{Name: "x", Weight: "90%"}, {Name: "y", Weight: "10%"}}, Version: "0"}
	if got, want := sentence(idle), "a: idle, x 90%, y 10% (version 0)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", time.Minute: "1m", 61 * time.Second: "1m1s", 3599 * time.Second: "59m59s",
		time.Hour: "1h", 24*time.Hour - 1: "23h59m", 24 * time.Hour: "1d", 100*24*time.Hour + 5*time.Hour: "100d5h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, want %s", int64(d), got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"tempo é größer ✓ 100%": "tempo é größer ✓ 100%", "a\x1b[2Jb": "a [2Jb", "a\r\nb\tc": "a  b c", "a\u202eb\u2066c": "a b c", "a\u009bb\x7f": "a b ",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
