package command

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/goal"
)

// counted are the results of a period with two variants, each as many clients who reached the goal, of how many.
func counted(begin time.Time, chance float64, classic, bold [2]int64) goal.Results {
	return goal.Compare(goal.Counts{
		Period:  goal.Period{Begin: begin, Variants: []string{"classic", "bold"}, Weights: []float64{50, 50}, Goals: []string{"paid"}},
		Clients: []int64{classic[1], bold[1]}, Reached: [][]int64{{classic[0], bold[0]}}, Sampled: 1,
	}, chance)
}

// serveResults has a server answer with results, and makes it the gateway of commands. It returns the answer.
func serveResults(t *testing.T, list ...goal.Results) string {
	t.Helper()
	answer, err := json.Marshal(map[string]any{"results": append([]goal.Results{}, list...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GRAYLING_SERVER", answering(t, 200, "application/json", string(answer)))
	return string(answer)
}

// TestResultsPage holds the page to show what the command prints of these counts.
func TestResultsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	serveResults(t, counted(time.Date(2027, 1, 12, 9, 0, 0, 0, time.Local), 0.95, [2]int64{511, 5106}, [2]int64{667, 5112}))
	stdout, stderr, code := execute(t.Context(), "results", "landing")
	if code != 0 || stderr != "" || !strings.Contains(string(page), "$ grayling results landing\n"+stdout+"...\n") {
		t.Errorf("docs/results.md has to show this, not exit code %d, %s:\n%s", code, stderr, stdout)
	}
}

func TestResults(t *testing.T) {
	now := time.Date(2027, 1, 12, 9, 0, 0, 0, time.Local)
	suspect := counted(now, 1e-9, [2]int64{90, 900}, [2]int64{5, 1200})
	suspect.Mixed, suspect.Sampled = 7, 0.25
	answer := serveResults(t, suspect, counted(now.Add(-time.Hour), 0.5, [2]int64{30, 1000}, [2]int64{900, 1000}))
	stdout, stderr, code := execute(t.Context(), "results", "landing")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if !strings.HasPrefix(stdout, "DO NOT BELIEVE THIS: clients do not divide as the weights say (p = 1e-09).") {
		t.Errorf("the warning has to come first:\n%s", stdout)
	}
	for _, part := range []string{
		"\nSince: 2027-01-12 09:00:00\nClients: 2100\nLeft out: 7 who were shown several variants\nSampled: 25.00%\n",
		"\nclassic 900 90 10.00% 8.21% to 12.13% - - the baseline\n",
		"\nbold 1200 5 0.42% 0.18% to 0.97% - - not known: fewer than 10 reached it, or did not\n",
	} {
		if !strings.Contains(squeezed(stdout), part) {
			t.Errorf("no %q in:\n%s", part, stdout)
		}
	}
	if strings.Contains(stdout, "08:00:00") {
		t.Errorf("the period before is there unasked:\n%s", stdout)
	}
	all, _, _ := execute(t.Context(), "results", "landing", "--all")
	if !strings.HasPrefix(all, stdout) || !strings.Contains(squeezed(all), "\nbold 1000 900 90.00%") || !strings.Contains(squeezed(all), "% better\n") {
		t.Errorf("with all periods:\n%s", all)
	}
	if got, _, _ := execute(t.Context(), "results", "landing", "--json"); got != answer {
		t.Errorf("not as the API answers it: %s", got)
	}
	serveResults(t)
	if stdout, _, code := execute(t.Context(), "results", "landing"); code != 0 || stdout != "landing has counted nobody yet: its variants do not share the clients now.\n" {
		t.Errorf("nobody: %d %q", code, stdout)
	}
}

func TestNoResults(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	g.talk(t, exitRefused, []string{"counts no goals"}, "results", "checkout")
	g.talk(t, exitRefused, []string{`no rollout "chekcout" runs (did you mean "checkout"?)`}, "results", "chekcout")
	g.talk(t, exitUsage, []string{`"a/b" is not the name of a rollout`}, "results", "a/b")
}
