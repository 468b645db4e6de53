package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core/mirror"
)

func (o *options) mirror() *cobra.Command {
	return &cobra.Command{
		Use: "mirror <name>", Short: "Show what copies of a rollout's traffic are answered",
		Long: `Show, for each mirror of a rollout, how many requests were copied, in which fields the answers
differ from the baseline's, how long both take, and the last ten requests whose answers differed;
with --json, the last hundred.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: o.names,
		RunE: func(command *cobra.Command, args []string) error {
			var all mirrors
			return o.tell(command, args[0], "mirror", &all, all.describe)
		},
	}
}

// mirrors is an answer of the control API.
type mirrors struct {
	Mirrors []mirror.Report `json:"mirrors"`
}

// describe says all that was learned from a rollout's mirrors.
func (m *mirrors) describe() string {
	var reports []string
	for _, r := range m.Mirrors {
		reports = append(reports, describeMirror(r))
	}
	return strings.Join(reports, "\n")
}

func describeMirror(r mirror.Report) string {
	t := newTable()
	t.row("Mirror:", r.Mirror)
	t.row("Counts:", numbers(r.Counts))
	t.row("Compared:", compared(r))
	tables := []string{t.String()}
	if r.Baseline != nil && r.Target != nil {
		tables = append(tables, describeLatencies(*r.Baseline, *r.Target))
	}
	if len(r.Fields) > 0 {
		tables = append(tables, describeFields(r))
	}
	if len(r.Pairs) > 0 {
		tables = append(tables, describePairs(r.Pairs))
	}
	return strings.Join(tables, "\n")
}

// compared says how many answers were compared, and how many of them differ.
func compared(r mirror.Report) string {
	if r.Compared == 0 {
		return "none yet"
	}
	noise := ""
	if r.Controlled {
		noise = " beyond the noise"
	}
	return fmt.Sprintf("%d, of which %s differ%s", r.Compared, percent(r.Mismatch), noise)
}

func describeLatencies(baseline, target mirror.Latency) string {
	t := newTable("ANSWERS OF", "P50", "P95", "P99")
	t.row("baseline", latency(baseline.P50), latency(baseline.P95), latency(baseline.P99))
	t.row("mirror", latency(target.P50), latency(target.P95), latency(target.P99))
	return t.String()
}

// describeFields shows what differed. Where noise is measured, only what is above it is the mirror's doing.
func describeFields(r mirror.Report) string {
	titles := []string{"FIELD", "DIFFERENT"}
	if r.Controlled {
		titles = append(titles, "NOISE", "BEYOND", "CERTAIN")
	}
	t := newTable(titles...)
	for _, f := range r.Fields {
		cells := []string{f.Name, fmt.Sprint(f.Different)}
		if r.Controlled {
			certain := "no"
			if f.Above {
				certain = "yes"
			}
			cells = append(cells, fmt.Sprint(f.Noise), percent(f.Share), certain)
		}
		t.row(cells...)
	}
	return t.String()
}

// describePairs shows the last requests whose answers differed, a line for each field.
func describePairs(pairs []mirror.Pair) string {
	t := newTable("TIME", "REQUEST", "ID", "FIELD", "BASELINE", "MIRROR")
	const last = 10
	for _, p := range pairs[max(0, len(pairs)-last):] {
		request := []string{p.Time.Local().Format(time.DateTime), p.Method + " " + p.Path, p.RequestID}
		for _, d := range p.Fields {
			t.row(append(request, d.Field, d.Baseline, d.Target)...)
			request = []string{" ", " ", " "}
		}
	}
	return t.String()
}

func percent(share float64) string { return fmt.Sprintf("%.2f%%", 100*share) }
