package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core/goal"
)

func (o *options) results() *cobra.Command {
	all := false
	c := &cobra.Command{
		Use: "results <name>", Short: "Show which variant's clients reach the goals of a rollout",
		Long: `Show, for each goal of a rollout, the share of each variant's clients that reached it, and how it
differs from the baseline's: by an interval that stays right however often one looks. Whenever
weights change counting begins anew.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: o.names,
		RunE: func(command *cobra.Command, args []string) error {
			var answer struct {
				Results []goal.Results `json:"results"`
			}
			return o.tell(command, args[0], "results", &answer, func() string { return describeResults(args[0], answer.Results, all) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also periods with other weights, that are over")
	return c
}

// describeResults says how variants compare, in the last period or in all.
func describeResults(rollout string, list []goal.Results, all bool) string {
	if len(list) == 0 {
		return fmt.Sprintf("%s has counted nobody yet: its variants do not share the clients now.\n", rollout)
	}
	if !all {
		list = list[:1]
	}
	var periods []string
	for _, r := range list {
		periods = append(periods, describePeriod(r))
	}
	return strings.Join(periods, "\n")
}

func describePeriod(r goal.Results) string {
	var b strings.Builder
	if !r.Believe {
		fmt.Fprintf(&b, "DO NOT BELIEVE THIS: clients do not divide as the weights say (p = %.2g). What makes some vanish, or\n"+
			"come twice, may also make the difference. See the sample ratio in the documentation.\n\n", r.Chance)
	}
	t := newTable()
	t.row("Since:", r.Begin.Local().Format(time.DateTime))
	t.row("Clients:", fmt.Sprintf("%d", r.Clients))
	if r.Mixed > 0 {
		t.row("Left out:", fmt.Sprintf("%d who were shown several variants", r.Mixed))
	}
	if r.Sampled < 1 {
		t.row("Sampled:", percent(r.Sampled))
	}
	b.WriteString(t.String())
	for _, g := range r.Goals {
		fmt.Fprintf(&b, "\n%s", describeGoal(g))
	}
	return b.String()
}

func describeGoal(g goal.Goal) string {
	t := newTable(strings.ToUpper(g.Name), "CLIENTS", "REACHED", "RATE", "95% AT ONE LOOK", "DIFFERENCE", "WHENEVER ONE LOOKS", "IS")
	for i, v := range g.Variants {
		difference, interval, verdict := "", "", "the baseline"
		switch c := v.Against; {
		case c != nil:
			difference = fmt.Sprintf("%+.2f%% (%+.1f%%)", 100*c.Difference, 100*c.Lift)
			interval = fmt.Sprintf("%+.2f%% to %+.2f%%", 100*c.Interval.Low, 100*c.Interval.High)
			verdict = map[string]string{"better": "better", "worse": "worse", "open": "not known yet"}[c.Verdict]
		case i > 0:
			verdict = fmt.Sprintf("not known: fewer than %d reached it, or did not", goal.Enough)
		}
		t.row(v.Name, fmt.Sprint(v.Clients), fmt.Sprint(v.Reached), percent(v.Rate),
			fmt.Sprintf("%s to %s", percent(v.Interval.Low), percent(v.Interval.High)), difference, interval, verdict)
	}
	return t.String()
}
