package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
)

func (o *options) status() *cobra.Command {
	return &cobra.Command{
		Use: "status [<name>]", Short: "Show all rollouts, or one in detail",
		Long:              "Show all rollouts in a table, or one with its steps, its variants, and what happened to it last.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: o.names,
		RunE: func(command *cobra.Command, args []string) error {
			gateway, err := o.client()
			if err != nil {
				return err
			}
			show := gateway.showAll
			if len(args) > 0 {
				show = func(ctx context.Context, out io.Writer, asJSON bool) error {
					return gateway.showOne(ctx, out, args[0], asJSON)
				}
			}
			return show(command.Context(), command.OutOrStdout(), o.json)
		},
	}
}

func (c *client) showAll(ctx context.Context, out io.Writer, asJSON bool) error {
	var all list
	content, err := c.read(ctx, "", &all)
	if err != nil {
		return err
	}
	if asJSON {
		_, err = out.Write(content)
		return err
	}
	t := newTable("NAME", "STATE", "STEP", "WEIGHT", "SINCE", "VERDICT", "REASON")
	for _, s := range all.Rollouts {
		t.row(s.Name, state(s), stepOf(s), weightOf(s), ago(s.Since), verdictOf(s), reasonOf(s))
	}
	_, err = io.WriteString(out, t.String())
	return err
}

func (c *client) showOne(ctx context.Context, out io.Writer, name string, asJSON bool) error {
	status, content, err := c.statusOf(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		_, err = out.Write(content)
		return err
	}
	path, err := pathOf(name, "events")
	if err != nil {
		return err
	}
	var past history
	if _, err := c.read(ctx, path, &past); err != nil {
		return err
	}
	_, err = io.WriteString(out, describe(status, past.Events))
	return err
}

// statusOf returns the status of a rollout, and the JSON that it was read from.
func (c *client) statusOf(ctx context.Context, name string) (core.Status, json.RawMessage, error) {
	var status core.Status
	path, err := pathOf(name, "")
	if err != nil {
		return status, nil, err
	}
	content, err := c.read(ctx, strings.TrimSuffix(path, "/"), &status)
	return status, content, err
}

// describe says all there is to know of a rollout.
func describe(s core.Status, events []rollout.Event) string {
	t := newTable()
	t.row("Rollout:", s.Name)
	t.row("State:", strings.Join(words(s.State, cause(s), "for", ago(s.Since)), " ")+waits(s))
	t.row("Reason:", s.Reason)
	t.row("Revision:", fmt.Sprintf("%s, epoch %d", s.Revision, s.Epoch))
	t.row("Version:", s.Version)
	t.row("Candidate:", s.Candidate)
	t.row("Base:", s.Base)
	if e := s.Evaluation; e != nil {
		t.row("Verdict:", strings.TrimSuffix(fmt.Sprintf("%s: %s", e.Verdict, e.Reason), ": "))
		t.row("Failures:", fmt.Sprintf("%d of %d in a row", e.Failures, e.Limit))
		t.row("Figures:", numbers(e.Figures))
	}
	if !s.Ends.IsZero() {
		t.row("Ends:", s.Ends.Local().Format(time.DateTime))
	}
	t.row("Gateway:", s.Member)
	t.row("Clients:", s.SampleRatio)
	t.row("Store:", s.StoreAway)
	t.row("Counts:", numbers(s.Counts))
	tables := []string{t.String()}
	if len(s.Steps) > 0 {
		tables = append(tables, describeSteps(s))
	}
	tables = append(tables, describeVariants(s.Variants))
	if len(s.Members) > 1 {
		tables = append(tables, describeMembers(s.Members))
	}
	if len(events) > 0 {
		tables = append(tables, describeEvents(events))
	}
	return strings.Join(tables, "\n")
}

// describeEvents shows the last events.
func describeEvents(events []rollout.Event) string {
	t := newTable("TIME", "EVENT", "STEP", "STATE", "REASON")
	const last = 10
	for _, e := range events[max(0, len(events)-last):] {
		t.row(e.Time.Local().Format(time.DateTime), string(e.Kind), fmt.Sprint(e.Step), string(e.State), e.Reason)
	}
	return t.String()
}

func describeSteps(s core.Status) string {
	t := newTable(" ", "STEP", "WEIGHT", "LASTS", "GATES")
	for i, step := range s.Steps {
		marker, lasts := " ", "-"
		if step.For > 0 {
			lasts = short(step.For)
		}
		var gates []string
		if step.Manual {
			gates = append(gates, "promote")
		}
		if step.Confirm {
			gates = append(gates, "confirm")
		}
		if i+1 == s.Step {
			marker = ">"
			lasts = short(s.Age) + " of " + lasts
		}
		t.row(marker, fmt.Sprint(i+1), step.Weight, lasts, strings.Join(gates, ", "))
	}
	return t.String()
}

func describeVariants(variants []core.VariantStatus) string {
	t := newTable("VARIANT", "WEIGHT", "REQUESTS", "ERRORS", "P50", "P95", "P99")
	for _, v := range variants {
		t.row(v.Name, v.Weight, fmt.Sprint(v.Requests), share(v.Failures, v.Requests), latency(v.LatencyP50), latency(v.LatencyP95), latency(v.LatencyP99))
	}
	return t.String()
}

// describeMembers shows the gateways that have the rollout's store, this one with a marker.
func describeMembers(members []core.MemberStatus) string {
	t := newTable(" ", "MEMBER", "GATEWAY", "REVISION", "STATE", "STEP", "REQUESTS", "ERRORS", "JUDGES", "REPORTED", "DIFFERS")
	for _, m := range members {
		marker, judges, step := " ", "", ""
		if m.Self {
			marker = ">"
		}
		if m.Judges {
			judges = cmp.Or(string(m.Verdict), "yes")
		}
		if m.Step > 0 {
			step = fmt.Sprintf("%d, %s", m.Step, m.Weight)
		}
		t.row(marker, cmp.Or(m.Name, m.ID), m.Gateway, m.Revision, m.State, step, fmt.Sprint(m.Requests), share(m.Failures, m.Requests), judges,
			short(m.Reported)+" ago", m.Differs)
	}
	return t.String()
}

// share is a part in percent.
func share(part, all int64) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(all))
}

// sentence is a rollout in one line.
func sentence(s core.Status) string {
	what := printable(s.Name) + ": " + printable(state(s))
	if len(s.Steps) > 0 {
		what += ", step " + stepOf(s)
	}
	return fmt.Sprintf("%s, %s (version %s)", what, printable(weightOf(s)), printable(s.Version))
}

// state is a rollout's state, and what it waits for.
func state(s core.Status) string { return s.State + waits(s) }

// waits is what a rollout waits for, behind its state.
func waits(s core.Status) string {
	switch {
	case s.Stalled:
		return ", stalled"
	case s.Awaits:
		return ", awaits confirmation"
	case s.Held:
		return ", held"
	}
	return ""
}

func cause(s core.Status) string {
	if s.Cause == "" {
		return ""
	}
	return "(" + s.Cause + ")"
}

func stepOf(s core.Status) string {
	if len(s.Steps) == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", s.Step, len(s.Steps))
}

// weightOf is the candidate's weight. Where there is no candidate, all variants have theirs.
func weightOf(s core.Status) string {
	var all []string
	for _, v := range s.Variants {
		if v.Name == s.Candidate {
			return v.Name + " " + v.Weight
		}
		all = append(all, v.Name+" "+v.Weight)
	}
	return strings.Join(all, ", ")
}

func verdictOf(s core.Status) string {
	if s.Evaluation == nil {
		return "-"
	}
	return string(s.Evaluation.Verdict)
}

// reasonOf is what a rollout's state is due to; while it progresses, what the last evaluation says.
func reasonOf(s core.Status) string {
	if s.StoreAway != "" {
		return s.StoreAway
	}
	if s.State == string(rollout.Progressing) && s.Evaluation != nil {
		return s.Evaluation.Reason
	}
	return s.Reason
}

// numbers are those that have a name, in the order of the names.
func numbers[number int64 | float64](byName map[string]number) string {
	var list []string
	for name, value := range byName {
		list = append(list, name+"="+digits(float64(value)))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// digits writes large numbers out: 1e+06 is no way to say a million requests.
func digits(value float64) string {
	if math.Abs(value) < 1e5 {
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
	return strconv.FormatFloat(value, 'f', 0, 64)
}

func words(list ...string) []string {
	return slices.DeleteFunc(list, func(word string) bool { return word == "" })
}

func ago(since time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return short(max(0, time.Since(since)))
}

// short is a time in its two largest units.
func short(d time.Duration) string {
	for _, unit := range []struct {
		large, small time.Duration
		names        string
	}{{24 * time.Hour, time.Hour, "dh"}, {time.Hour, time.Minute, "hm"}, {time.Minute, time.Second, "ms"}} {
		if d < unit.large {
			continue
		}
		text := fmt.Sprintf("%d%c", d/unit.large, unit.names[0])
		if rest := d % unit.large / unit.small; rest > 0 {
			text += fmt.Sprintf("%d%c", rest, unit.names[1])
		}
		return text
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func latency(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 999500*time.Microsecond: // which would be 1e+03
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	case d < 100*time.Second:
		return fmt.Sprintf("%.3gs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// printable is a text that nobody can do anything to a terminal with: reasons hold what others say.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if char < ' ' || char >= 0x7F && char < 0xA0 || char >= 0x2028 && char <= 0x202E || char >= 0x2066 && char <= 0x2069 {
			return ' '
		}
		return char
	}, text)
}

// table shows cells in columns.
type table struct {
	text strings.Builder
	w    *tabwriter.Writer
	wide bool // it has titles; else rows are a title and a value, and those without a value are left out
}

func newTable(titles ...string) *table {
	t := &table{wide: len(titles) > 0}
	t.w = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	if t.wide {
		t.row(titles...)
	}
	return t
}

func (t *table) row(cells ...string) {
	if !t.wide && cells[1] == "" {
		return
	}
	for i, cell := range cells {
		cells[i] = cmp.Or(printable(cell), "-")
	}
	_, _ = io.WriteString(t.w, strings.Join(cells, "\t")+"\n") // to memory
}

// String ends the table.
func (t *table) String() string {
	_ = t.w.Flush() // to memory
	return t.text.String()
}
