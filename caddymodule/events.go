package caddymodule

import (
	"fmt"

	machine "github.com/grayling-gateway/grayling/core/rollout"
)

// eventPrefix is what the names of events begin with in Caddy, where others have events too.
const eventPrefix = "rollout_"

// promotion is the event before a candidate is promoted, which is an event of Caddy's only.
const promotion = eventPrefix + "promotion"

// veto returns a function that asks the handlers of Caddy's events whether the candidate of a rollout may be promoted.
func (a *App) veto(name string) func(machine.Event) error {
	return func(e machine.Event) error {
		if aborted := a.events.Emit(a.ctx, promotion, eventData(name, e)).Aborted; aborted != nil {
			return fmt.Errorf("a handler of the event %s: %w", promotion, aborted)
		}
		return nil
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
