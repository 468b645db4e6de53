package caddymodule

import (
	"fmt"
	"time"

	machine "github.com/grayling-gateway/grayling/core/rollout"
)

// eventPrefix is what the names of events begin with in Caddy, where others have events too.
const eventPrefix = "rollout_"

// promotion is the event before a candidate is promoted, which is an event of Caddy's only.
const promotion = eventPrefix + "promotion"

// vetoLasts is for how long a plan takes no for an answer before it asks again.
const vetoLasts = 10 * time.Second

// veto returns a function that asks the handlers of Caddy's events whether the candidate of a rollout may be promoted. It
// is called in turn: by commands, which always ask, and every second by a plan that has nothing else to wait for.
func (a *App) veto(name string) func(machine.Event) error {
	var (
		refusal error
		asked   time.Time
	)
	return func(e machine.Event) error {
		if e.Cause == "" && refusal != nil && time.Since(asked) < vetoLasts {
			return refusal
		}
		refusal, asked = nil, time.Now()
		if aborted := a.events.Emit(a.ctx, promotion, eventData(name, e)).Aborted; aborted != nil {
			refusal = fmt.Errorf("a handler of the event %s: %w", promotion, aborted)
		}
		return refusal
	}
}

// listen returns a function that makes what happens to a rollout events of Caddy.
func (a *App) listen(name string) func([]machine.Event) {
	return func(events []machine.Event) {
		for _, e := range events {
			a.events.Emit(a.ctx, eventPrefix+string(e.Kind), eventData(name, e))
		}
	}
}

// eventData returns what handlers can know of an event, in a map of their own.
func eventData(name string, e machine.Event) map[string]any {
	data := map[string]any{
		"id": e.ID, "time": e.Time, "rollout": name, "revision": e.Revision, "epoch": e.Epoch, "state": string(e.State), "step": e.Step,
		"cause": string(e.Cause), "reason": e.Reason,
	}
	if len(e.Figures) > 0 {
		data["figures"] = e.Figures
	}
	return data
}
