package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

// mostShown is how many characters of a value are shown.
const mostShown = 80

// page is text for people, line by line.
type page struct{ text strings.Builder }

func (p *page) line(indent int, format string, args ...any) {
	line := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	p.text.WriteString(strings.Repeat("  ", indent) + printable(line) + "\n")
}

// describeExplanation says in words what becomes of a request, and why.
func describeExplanation(x core.Explanation) string {
	p := &page{}
	p.line(0, "%s: %s, because %s", x.Rollout, x.Decision.Variant, because(x))
	if standing := standingOf(x); standing != "" {
		p.line(1, "%s", standing)
	}
	for _, note := range x.Notes {
		p.line(1, "%s", note)
	}
	if x.Random {
		p.line(1, "chance decides: the next request may get another variant")
	}
	if x.Follow != nil {
		p.line(0, "followed callers")
		p.line(1, "%s", follows(*x.Follow))
	}
	if len(x.Rules) > 0 {
		p.line(0, "rules")
		for _, rule := range x.Rules {
			p.rule(rule)
		}
	}
	if x.Token != nil {
		p.line(0, "token")
		p.line(1, "%s", tokenOf(x.Token.Status))
	}
	if len(x.Assignments) > 0 {
		p.line(0, "assignment")
		for _, a := range x.Assignments {
			p.line(1, "%s", assignmentOf(a))
		}
	}
	if x.Router != nil {
		p.line(0, "router")
		p.line(1, "%s", routerOf(*x.Router))
	}
	p.key(x.Key)
	p.split(x)
	p.upstreams(x)
	if x.Goals != nil {
		p.goals(*x.Goals, x.Decision.Variant)
	}
	return p.text.String()
}

// because is the reason of a decision as a clause.
func because(x core.Explanation) string {
	return map[core.Reason]string{
		core.ByFollowing:  "the caller says so, who is followed",
		core.ByRule:       "rule " + x.Decision.Rule + " decides",
		core.ByAssigned:   "the client was assigned it",
		core.ByRouter:     "the router says so",
		core.BySplit:      "the client's slot is in its range",
		core.ByBase:       "nothing else applies",
		core.ByRolledBack: x.Choice.Variant + " (chosen by " + string(x.Choice.Reason) + ") is over",
	}[x.Decision.Reason]
}

func standingOf(x core.Explanation) string {
	if x.Step == 0 || x.State == "idle" {
		return ""
	}
	return fmt.Sprintf("%s, step %d, epoch %d, revision %s", x.State, x.Step, x.Epoch, x.Revision)
}

func follows(f core.FollowExplained) string {
	switch {
	case !f.Trusted:
		return "the caller is none of those that are followed"
	case f.Variant == "":
		return "the caller is followed, and names no variant"
	}
	return "the caller is followed, and names " + f.Variant
}

func (p *page) rule(r core.RuleExplained) {
	share := ""
	if r.Percent != "" {
		share = " " + r.Percent
	}
	p.line(1, "%s -> %s%s: %s", r.Name, r.Use, share, map[string]string{
		core.RuleDecides: "decides", core.RuleFails: "does not match", core.RuleMisses: "matches, but for others of its percentage",
		core.RuleSkipped: "not asked",
	}[r.Outcome])
	switch {
	case r.Outcome == core.RuleSkipped:
		return
	case r.Assumed:
		p.line(2, "a matcher of the gateway, which was not asked (--match)")
	case r.Matcher:
		p.line(2, "a matcher of the gateway")
	}
	p.condition(r.Condition)
	if d := r.Draw; d != nil {
		p.line(2, "%s, and the rule has the slots 0 to %d (salt %q)", slotOf(d), d.Until-1, d.Salt)
	}
}

func (p *page) condition(parts []expr.Part) {
	for _, part := range parts {
		p.line(2+part.Depth, "%-6s %s%s", resultOf(part.Result), cut(part.Expression), seen(part))
	}
}

func resultOf(result string) string {
	if result == expr.Skipped {
		return "-"
	}
	return result
}

// seen says what a part of a condition looked at.
func seen(p expr.Part) string {
	switch {
	case p.Looked == "" || p.Result == expr.Skipped:
		return ""
	case p.Result == expr.Open:
		return "  (" + p.Looked + " is known once there is an answer)"
	}
	return "  (" + saw(p.Looked, p.Saw, p.Absent) + ")"
}

func saw(looked, text string, absent bool) string {
	if absent {
		return looked + " is not there"
	}
	return looked + " is " + strconv.Quote(cut(text))
}

// cut returns as much of a text as a line can bear.
func cut(text string) string {
	runes := []rune(text)
	if len(runes) <= mostShown {
		return text
	}
	return string(runes[:mostShown]) + "..."
}

func slotOf(d *core.Draw) string {
	switch {
	case d.Slot < 0:
		return "no key, and so none"
	case d.Random:
		return fmt.Sprintf("slot %d was drawn", d.Slot)
	}
	return fmt.Sprintf("slot %d", d.Slot)
}

func tokenOf(status string) string {
	switch status {
	case "verified":
		return "verified"
	case "absent":
		return "there is none"
	case "assumed":
		return "its claims are those of --claims"
	case "no_keys":
		return "not verified: there are no keys here to verify it with; say its claims with --claims"
	}
	return "not verified: " + status
}

func assignmentOf(a core.AssignmentExplained) string {
	where := words(a.In, a.Name)
	what := map[string]string{
		core.AssignmentValid:    a.Variant + ", valid",
		core.AssignmentAbsent:   "there is none",
		core.AssignmentEmpty:    "it says who the client is, and assigns nothing",
		core.AssignmentExpired:  a.Variant + ", expired",
		core.AssignmentReleased: a.Variant + ", released: of another revision or salt, or before a rollback, restart or promotion",
		core.AssignmentGone:     a.Variant + ", which is no variant any more",
		core.AssignmentForged:   "not genuine: tampered with, of another rollout, or signed with a secret that is gone",
		core.AssignmentUnknown:  "there is no secret here to know by whether it is genuine",
	}[a.Status]
	if !a.Expires.IsZero() {
		what += ", until " + a.Expires.Local().Format(time.DateTime)
	}
	return strings.Join(where, " ") + ": " + what
}

func routerOf(r core.RouterExplained) string {
	switch r.Status {
	case core.RouterSkipped:
		return "not asked: something before it decides"
	case core.RouterNoClient:
		return "not asked: nothing identifies the client"
	case core.RouterNotAsked:
		return fmt.Sprintf("it would be asked about %q: --ask-router does", cut(r.Client))
	case core.RouterAnswered:
		return fmt.Sprintf("%s for %q", r.Variant, cut(r.Client))
	}
	return "no answer, so the split decides: " + r.Error
}

func (p *page) key(k core.KeyExplained) {
	p.line(0, "key")
	for _, v := range k.Values {
		text := saw(v.Looked, v.Saw, v.Absent)
		if v.Used {
			text += ", which identifies the client"
		}
		p.line(1, "%s", text)
	}
	switch {
	case k.By == "cookie" && k.Key != "":
		p.line(1, "%q, the id in the client's cookie", cut(k.Key))
	case k.By == "client" && k.Key != "":
		p.line(1, "%q, as the client is known by", cut(k.Key))
	case k.Key == "":
		p.line(1, "nothing identifies the client")
	}
}

func (p *page) split(x core.Explanation) {
	p.line(0, "split")
	slot := -1
	if d := x.Split.Draw; d != nil {
		slot = d.Slot
		p.line(1, "%s of %d (salt %q)", slotOf(d), 65536, d.Salt)
	} else {
		p.line(1, "not asked")
	}
	for _, r := range x.Split.Ranges {
		here := ""
		if r.From <= slot && slot < r.To {
			here = "  <- here"
		}
		p.line(1, "%-*s %8s  %5d to %5d%s", widthOf(x.Split.Ranges), r.Variant, r.Weight, r.From, r.To-1, here)
	}
}

func widthOf(ranges []core.Range) int {
	width := 0
	for _, r := range ranges {
		width = max(width, len(r.Variant))
	}
	return width
}

func (p *page) upstreams(x core.Explanation) {
	if len(x.Upstreams) > 0 || len(x.Subsets) > 0 {
		p.line(0, "upstreams")
	}
	for _, s := range x.Subsets {
		switch {
		case s.Absent:
			p.line(1, "%s: not asked for", s.Key)
		case s.None:
			p.line(1, "%s=%s: no upstream has it", s.Key, cut(s.Value))
		default:
			p.line(1, "%s=%s", s.Key, cut(s.Value))
		}
	}
	for _, u := range x.Upstreams {
		away := ""
		if u.Unavailable {
			away = ", not available"
		}
		p.line(1, "%s, weight %d%s", u.Name, u.Weight, away)
	}
	if x.Fallback != "" {
		p.line(0, "fallback")
		p.line(1, "%s, if %s fails before it answers", x.Fallback, x.Decision.Variant)
	}
}

func (p *page) goals(g core.GoalsExplained, variant string) {
	p.line(0, "goals")
	p.line(1, "%s", map[string]string{
		core.GoalsCounted:  "the client reaches those that are met, if " + variant + " answers with a status below 400",
		core.GoalsChosen:   "the client reaches none: it was not chance that chose his variant",
		core.GoalsNoClient: "the client reaches none: nothing that he brings tells him from others",
		core.GoalsAlone:    "the client reaches none: chance leads to one variant only, and there is nothing to compare",
	}[g.Status])
	for _, goal := range g.List {
		met := "not met"
		switch {
		case goal.Met && goal.ByStatus:
			met = "met, whatever the status"
		case goal.Met:
			met = "met"
		case len(goal.Condition) > 0 && goal.Condition[0].Result == expr.Open:
			met = "the status decides"
		}
		p.line(1, "%s: %s", goal.Name, met)
		p.condition(goal.Condition)
	}
}
