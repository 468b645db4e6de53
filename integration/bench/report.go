package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// result is what was measured of a configuration.
type result struct {
	configuration
	rounds []time.Duration // CPU time for each request, or what 99 of 100 kept within, by round that counts
	ratios []float64       // of that to the other configuration's in the same round
	more   []time.Duration // than that of the other

	// Of tails only.
	medians       []time.Duration // what half of the requests kept within, by round
	sent, arrived int             // requests in all, and copies of them
}

// keepQuiet keeps the half of the rounds that took the least time for all configurations together.
func keepQuiet(results []result) {
	total := func(round int) (sum time.Duration) {
		for _, r := range results {
			sum += r.rounds[round]
		}
		return sum
	}
	all := len(results[0].rounds)
	order := make([]int, all)
	for round := range order {
		order[round] = round
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(total(a), total(b)) })
	kept := order[:(all+1)/2]
	slices.Sort(kept)
	for i := range results {
		quiet := make([]time.Duration, 0, len(kept))
		for _, round := range kept {
			quiet = append(quiet, results[i].rounds[round])
		}
		results[i].rounds = quiet
	}
}

// compare works out the ratios and the differences.
func compare(results []result) {
	for i := range results {
		r := &results[i]
		for _, other := range results {
			if other.name != r.to {
				continue
			}
			for round := range r.rounds {
				r.ratios = append(r.ratios, float64(r.rounds[round])/float64(other.rounds[round]))
				r.more = append(r.more, r.rounds[round]-other.rounds[round])
			}
		}
	}
}

// summary describes a sample by its order, so that a few disturbed rounds do not count.
type summary[T any] struct {
	Median T `json:"median"`
	Min    T `json:"min"`
	Max    T `json:"max"`

	// Low and High enclose the true median with a confidence of 95%, whatever the distribution: a value lies below the
	// median as often as a coin shows tails.
	Low  T `json:"low"`
	High T `json:"high"`
}

func summarize[T time.Duration | float64](sample []T) summary[T] {
	sorted := slices.Sorted(slices.Values(sample))
	n := len(sorted)
	if n == 0 {
		return summary[T]{}
	}
	below := max(0, int((float64(n)-1.96*math.Sqrt(float64(n)))/2)-1)
	return summary[T]{
		Median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		Min:    sorted[0], Max: sorted[n-1],
		Low: sorted[below], High: sorted[n-1-below],
	}
}

func writeTable(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "configuration\tCPU time\tmin .. max\tratio\t95%\tof\tis")
	for _, r := range results {
		cost := summarize(r.rounds)
		unit, name := time.Microsecond, "us"
		if cost.Median > 10*time.Millisecond {
			unit, name = time.Millisecond, "ms"
		}
		in := func(d time.Duration) float64 { return float64(d) / float64(unit) }
		fmt.Fprintf(t, "%s\t%.1f %s\t%.1f .. %.1f\t", r.name, in(cost.Median), name, in(cost.Min), in(cost.Max))
		if len(r.ratios) > 0 {
			ratio := summarize(r.ratios)
			fmt.Fprintf(t, "%.3f\t%.3f .. %.3f\t%s\t", ratio.Median, ratio.Low, ratio.High, r.to)
		} else {
			fmt.Fprintf(t, "\t\t\t")
		}
		fmt.Fprintf(t, "%s\n", r.about)
	}
	return t.Flush()
}

func writeJSON(w io.Writer, results []result) error {
	type ratio struct {
		summary[float64]
		To     string    `json:"to"`
		Rounds []float64 `json:"rounds"`
	}
	type record struct {
		Name    string                 `json:"name"`
		About   string                 `json:"about"`
		Cost    summary[time.Duration] `json:"cpu_ns_per_request"`
		Rounds  []time.Duration        `json:"rounds"`
		Against *ratio                 `json:"ratio,omitempty"`
	}
	records := make([]record, 0, len(results))
	for _, r := range results {
		entry := record{Name: r.name, About: r.about, Cost: summarize(r.rounds), Rounds: r.rounds}
		if len(r.ratios) > 0 {
			entry.Against = &ratio{summarize(r.ratios), r.to, r.ratios}
		}
		records = append(records, entry)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(records)
}
