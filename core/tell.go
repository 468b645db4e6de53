package core

import (
	"context"
	"log/slog"
	"sort"

	"github.com/grayling-gateway/grayling/core/notify"
	"github.com/grayling-gateway/grayling/core/prometheus"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// messengers returns who tells others of events, and who asks for values. They outlive engines, and so does what still
// waits to be told.
func (l *Live) messengers(e *Engine) (*notify.Notifier, *prometheus.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notifier == nil {
		l.notifier = notify.New(e.log)
		l.client = prometheus.NewClient(e.log)
	}
	return l.notifier, l.client
}

// Notices returns what became of what webhooks were told.
func (l *Live) Notices() *notify.Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notifier == nil {
		return &notify.Counts{}
	}
	return &l.notifier.Counts
}

// Queries returns what became of the questions to Prometheus.
func (l *Live) Queries() *prometheus.Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil {
		return &prometheus.Counts{}
	}
	return &l.client.Counts
}

// tellOf tells everybody whom the engine knows of events.
func (e *Engine) tellOf(events []rollout.Event) {
	for i := range events {
		e.logEvent(&events[i])
	}
	e.live.countTold(events)
	notifier, _ := e.live.messengers(e)
	notifier.Send(e.name, e.member(), events)
	if e.host.Listen != nil {
		e.host.Listen(events)
	}
}

// countTold counts events that others were told of.
func (l *Live) countTold(events []rollout.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.toldOf == nil {
		l.toldOf = map[rollout.Kind]int64{}
	}
	for i := range events {
		l.toldOf[events[i].Kind]++
	}
}

// told returns how many events of a kind others were told of.
func (l *Live) told(kind rollout.Kind) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.toldOf[kind]
}

// logEvent writes an event as one line. What people should look at is a warning.
func (e *Engine) logEvent(event *rollout.Event) {
	attributes := []any{"rollout", e.name, "revision", event.Revision, "epoch", event.Epoch, "state", string(event.State), "step", event.Step}
	if event.Cause != "" {
		attributes = append(attributes, "cause", string(event.Cause))
	}
	if event.Member != "" {
		attributes = append(attributes, "member", event.Member)
	}
	if event.Reason != "" {
		attributes = append(attributes, "reason", event.Reason)
	}
	names := make([]string, 0, len(event.Figures))
	for name := range event.Figures {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		attributes = append(attributes, name, event.Figures[name])
	}
	level := slog.LevelInfo
	switch event.Kind {
	case rollout.KindRolledBack, rollout.KindStalled, rollout.KindMismatch:
		level = slog.LevelWarn
	}
	e.log.Log(context.Background(), level, "rollout "+string(event.Kind), attributes...)
}

// member returns the name of this gateway; "" if it has none.
func (e *Engine) member() string {
	if e.memberName != "" {
		return e.memberName
	}
	return e.host.Member
}
