package core

import (
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// beginEpoch shows an engine's rollout as if another epoch had begun.
func beginEpoch(e *Engine, promotion bool, now time.Time) {
	v := e.live.shownTo(e)
	if v == nil {
		v = e.live.preview(e)
	}
	copied := *v
	copied.Record.Epoch++
	copied.Position.Epoch++
	copied.Record.State = rollout.RolledBack
	if promotion {
		copied.Record.State = rollout.Promoted
	}
	copied.Record.Since = now
	e.live.show(&copied)
}

// alone returns a decision without the phase that it belongs to, for comparing those of several engines.
func alone(d Decision) Decision {
	d.phase = nil
	return d
}
