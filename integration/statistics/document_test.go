package main

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/simulation"
)

const document = "../../docs/statistics.md"

// figures are what a cell of the document says.
type figures struct {
	low, high   float64       // between which shares of the rollouts are rolled back
	soon, later time.Duration // between which times nine of ten of these are. 0: it says nothing of that
}

var cell = regexp.MustCompile(`^([\d.]+)% \(([\d.]+)% to ([\d.]+)%\)(?:: ([\d.]+) min \(([\d.]+) min to ([\d.]+) min\))?$`)

// documented returns what the document says of a row, by rate.
func documented(t *testing.T, text string, tab table, r row) []figures {
	t.Helper()
	_, from, found := strings.Cut(text, tab.head()+"\n")
	if !found {
		t.Fatalf("%s has no table %q", document, tab.title)
	}
	_, line, found := strings.Cut(from, "| "+r.name+" | ")
	if !found {
		t.Fatalf("%s says nothing of %q", document, r.name)
	}
	line, _, _ = strings.Cut(line, " |\n")
	var all []figures
	for text := range strings.SplitSeq(line, " | ") {
		numbers := cell.FindStringSubmatch(text)
		if numbers == nil {
			t.Fatalf("%s, %s: %q", document, r.name, text)
		}
		number := func(i int) float64 { x, _ := strconv.ParseFloat(numbers[i], 64); return x }
		minute := float64(time.Minute)
		all = append(all, figures{number(2) / 100, number(3) / 100, time.Duration(number(5) * minute), time.Duration(number(6) * minute)})
	}
	if len(all) != len(rates) {
		t.Fatalf("%s, %s: figures of %d rates, want %d", document, r.name, len(all), len(rates))
	}
	return all
}

// TestFiguresAreTrue holds the document to a small part of what "make simulate-checks" repeats as a whole.
func TestFiguresAreTrue(t *testing.T) {
	const rollouts, column = 60, 2 // at 50 requests a second
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for i, tab := range tables() {
		for _, r := range tab.rows {
			t.Run(r.name, func(t *testing.T) {
				all := documented(t, string(content), tab, r)
				healthy := i == 0
				for k, says := range all {
					if healthy && says.low > 0.01 {
						t.Errorf("at %g requests a second at least %v of healthy rollouts are rolled back, and 1%% is promised", rates[k], says.low)
					}
				}
				outcomes, err := r.at(rates[column], rollouts)
				if err != nil {
					t.Fatal(err)
				}
				times := rolledBack(outcomes)
				if healthy && analysis.UpperTail(float64(len(times)), rollouts, 0.01) < 1e-4 {
					t.Errorf("%d of %d healthy rollouts are rolled back", len(times), rollouts)
				}
				says := all[column]
				if low, high := interval(len(times), rollouts, 0.9999); low > says.high || high < says.low {
					t.Errorf("%d of %d are rolled back, and %s says %v to %v", len(times), rollouts, document, says.low, says.high)
				}
				if says.later == 0 || len(times) == 0 {
					return
				}
				if median := times[len(times)/2]; median < says.soon || median > says.later {
					t.Errorf("half are rolled back within %s, and %s says %s to %s for nine of ten", median, document, says.soon, says.later)
				}
			})
		}
	}
}

func TestIntervals(t *testing.T) {
	cases := []struct {
		k, n      int
		low, high float64
	}{
		{0, 2000, 0, 1 - math.Pow(0.025, 1.0/2000)},
		{2000, 2000, math.Pow(0.025, 1.0/2000), 1},
		{5, 10, 0.187086, 0.812914}, // as of R's binom.test(5, 10)
	}
	for _, c := range cases {
		if low, high := interval(c.k, c.n, 0.95); math.Abs(low-c.low) > 2e-6 || math.Abs(high-c.high) > 2e-6 {
			t.Errorf("%d of %d: %v to %v, want %v to %v", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

func TestTrafficIsWhatItSays(t *testing.T) {
	s := scenario{steps: []step{{50, time.Minute}}, traffic: traffic{Rate: 50, Burst: 10, Stalls: 10}, candidate: healthy}
	first, err := s.run(1)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.run(1); again != first {
		t.Errorf("the same seed leads to %v and to %v", first, again)
	}
	arm := analysis.NewTrial([]string{"stable"})
	requests := s.traffic.Serve(simulation.Seeded(1), arm.Arm(0), 0.5, 100*time.Hour, behaviour{Errors: 0.005, Slower: 1.3}).Requests
	tally := arm.Tally(0)
	if tally.Requests != int64(requests) || math.Abs(float64(requests)/9e6-1) > 0.01 {
		t.Errorf("%d requests are counted as %d, want 9,000,000", requests, tally.Requests)
	}
	if rate := float64(tally.Failures) / float64(requests); math.Abs(rate/0.005-1) > 0.05 {
		t.Errorf("%v of the requests fail, want 0.005", rate)
	}
	if median := float64(tally.P50) / float64(130*time.Millisecond); math.Abs(median-1) > 0.05 {
		t.Errorf("the median latency is %s, want 130ms", tally.P50)
	}
}
