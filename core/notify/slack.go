package notify

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Slack refuses longer texts in a block: 3,000 characters.
const (
	maxSlackName = 200
	maxSlackText = 2000
)

// slackMessage returns a message for people, as incoming webhooks take it: text is what notifications and what only
// resembles Slack show, blocks are what Slack shows.
// See https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
// https://docs.slack.dev/reference/block-kit/blocks.
func slackMessage(m message) map[string]any {
	headline := slackHeadline(m)
	text := headline
	shown := headline
	if m.Reason != "" {
		reason := escape(m.Reason, maxSlackText)
		text += ": " + reason
		shown += "\n>" + reason
	}
	return map[string]any{
		"text": text,
		"blocks": []any{
			map[string]any{"type": "section", "text": slackText(shown)},
			map[string]any{"type": "context", "elements": []any{slackText(slackDetails(m))}},
		},
	}
}

// slackText is marked-up text in which Slack looks for no links, channels or people of its own accord.
func slackText(text string) map[string]any {
	return map[string]any{"type": "mrkdwn", "text": text, "verbatim": true}
}

func slackHeadline(m message) string {
	name := "*" + escape(m.Rollout, maxSlackName) + "*"
	switch rollout.Kind(m.Event) {
	case rollout.KindStarted:
		return ":rocket: " + name + " has started"
	case rollout.KindStepAdvanced:
		return fmt.Sprintf(":arrow_forward: %s is at step %d", name, m.Step)
	case rollout.KindHeld:
		return fmt.Sprintf(":hourglass: %s is held in step %d", name, m.Step)
	case rollout.KindStalled:
		return fmt.Sprintf(":warning: %s is stalled in step %d", name, m.Step)
	case rollout.KindPaused:
		return ":double_vertical_bar: " + name + " was paused"
	case rollout.KindResumed:
		return ":arrow_forward: " + name + " was resumed"
	case rollout.KindPromoted:
		return ":white_check_mark: " + name + " was promoted"
	case rollout.KindRolledBack:
		return ":rotating_light: " + name + " was rolled back"
	case rollout.KindRestarted:
		return ":rocket: " + name + " was restarted"
	case rollout.KindWeightSet:
		return ":scales: " + name + " has other weights"
	case rollout.KindMismatch:
		return ":warning: " + name + " has a sample ratio mismatch"
	}
	return name + ": " + escape(m.Event, maxSlackName)
}

// slackDetails is the small print.
func slackDetails(m message) string {
	details := []string{"revision " + escape(m.Revision, maxSlackName), "epoch " + strconv.Itoa(m.Epoch)}
	if m.Step > 0 {
		details = append(details, "step "+strconv.Itoa(m.Step))
	}
	if m.Cause != "" {
		details = append(details, "cause: "+escape(m.Cause, maxSlackName))
	}
	if m.Member != "" {
		details = append(details, "gateway "+escape(m.Member, maxSlackName))
	}
	details = append(details, m.Time.Format(time.RFC3339))
	names := make([]string, 0, len(m.Figures))
	for name := range m.Figures {
		names = append(names, name)
	}
	sort.Strings(names)
	figures := ""
	for _, name := range names {
		figure := " · " + escape(name, maxSlackName) + " " + strconv.FormatFloat(m.Figures[name], 'g', 4, 64)
		if len(figures)+len(figure) > maxSlackText {
			break
		}
		figures += figure
	}
	return strings.Join(details, " · ") + figures
}

// escape returns text on one line in which Slack sees no markup of its own, of about so many bytes at most. The three
// characters are those that Slack wants escaped: https://docs.slack.dev/messaging/formatting-message-text.
func escape(text string, most int) string {
	var escaped strings.Builder
	for _, r := range text {
		if escaped.Len() >= most {
			escaped.WriteString("…")
			break
		}
		switch {
		case r == '&':
			escaped.WriteString("&amp;")
		case r == '<':
			escaped.WriteString("&lt;")
		case r == '>':
			escaped.WriteString("&gt;")
		case r < ' ':
			escaped.WriteByte(' ')
		default:
			escaped.WriteRune(r)
		}
	}
	return escaped.String()
}
