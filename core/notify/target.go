package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Formats of what a target gets.
const (
	JSON  = "json"
	Slack = "slack"
)

// minSecret is how many bytes a secret has at least.
const minSecret = 16

// Target is a webhook.
type Target struct {
	// URL is where events are posted to. It is a secret: whoever knows that of a Slack webhook may write there. A name and
	// password in it are sent as basic authentication.
	URL string

	// Events are the kinds of event that are told. Empty: all.
	Events []string

	// Secret signs what is posted. Empty: it is not signed.
	Secret string

	// Format is JSON or Slack. Empty: JSON.
	Format string
}

// Problem is something wrong with a target.
type Problem struct {
	Path string // of the target's field, such as "events[0]"; positions count from 0
	Text string // what, and the way out
}

// Check returns what is wrong with a target, but for its URL and what its secret is: see [CheckURL] and [CheckSecret].
func (t Target) Check() []Problem {
	var problems []Problem
	fail := func(path, text string) { problems = append(problems, Problem{Path: path, Text: text}) }
	known := kinds()
	seen := map[string]bool{}
	for i, event := range t.Events {
		path := fmt.Sprintf("events[%d]", i)
		switch {
		case !contains(known, event):
			fail(path, fmt.Sprintf("unknown event %.40q%s: there are %s", event, expr.Suggest(event, known), strings.Join(known, ", ")))
		case seen[event]:
			fail(path, fmt.Sprintf("%q is there twice: leave out one", event))
		}
		seen[event] = true
	}
	switch t.Format {
	case "", JSON:
	case Slack:
		if t.Secret != "" {
			fail("secret", "Slack verifies no signature: leave out the secret, or the format slack")
		}
	default:
		fail("format", fmt.Sprintf("unknown format %.40q%s: there are json and slack", t.Format, expr.Suggest(t.Format, []string{JSON, Slack})))
	}
	return problems
}

// CheckURL returns what is wrong with the URL of a webhook, without showing it.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("not a URL such as https://hooks.example/rollouts")
	}
	return nil
}

// CheckSecret returns what is wrong with a secret, without showing it.
func CheckSecret(secret string) error {
	if len(secret) < minSecret {
		return fmt.Errorf("the secret has %d bytes: make it %d at least, such as openssl rand -hex 32 prints", len(secret), minSecret)
	}
	return nil
}

// kinds are the names of all events.
func kinds() []string {
	return []string{
		string(rollout.KindStarted), string(rollout.KindStepAdvanced), string(rollout.KindHeld), string(rollout.KindStalled),
		string(rollout.KindPaused), string(rollout.KindResumed), string(rollout.KindPromoted), string(rollout.KindRolledBack),
		string(rollout.KindRestarted), string(rollout.KindWeightSet), string(rollout.KindMismatch),
	}
}

// wants reports whether a target is told of events of a kind.
func (t Target) wants(kind rollout.Kind) bool {
	return len(t.Events) == 0 || contains(t.Events, string(kind))
}

func contains(list []string, word string) bool {
	for _, item := range list {
		if item == word {
			return true
		}
	}
	return false
}

// shown returns as much of a URL as anybody may see.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a URL that is none"
	}
	return u.Scheme + "://" + u.Host
}
