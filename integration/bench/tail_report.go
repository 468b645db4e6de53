package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// writeTails writes what 99 of 100 requests keep within, in how many times that of another configuration and in how much more.
func (b *bench) writeTails(w io.Writer, results []result) error {
	fmt.Fprintf(w, "%d requests to each configuration in %d rounds, %d arriving a second, of an upstream that takes %v to answer\n\n",
		results[0].sent, len(results[0].rounds), b.rate, b.delay)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "configuration\tp50 ms\tp99 ms\tmin .. max\tratio\t95%\tmore ms\t95%\tcopied\tis")
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	for _, r := range results {
		p99 := summarize(r.rounds)
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f .. %.2f\t", r.name, ms(summarize(r.medians).Median), ms(p99.Median), ms(p99.Min), ms(p99.Max))
		if r.to != "" {
			ratio, more := summarize(r.ratios), summarize(r.more)
			fmt.Fprintf(t, "%.3f\t%.3f .. %.3f\t%+.2f\t%+.2f .. %+.2f\t", ratio.Median, ratio.Low, ratio.High, ms(more.Median), ms(more.Low), ms(more.High))
		} else {
			fmt.Fprint(t, "\t\t\t\t")
		}
		if r.copies != "" {
			fmt.Fprintf(t, "%.0f%%", 100*float64(r.arrived)/float64(r.sent))
		}
		fmt.Fprintf(t, "\t%s\n", r.about)
	}
	return t.Flush()
}
