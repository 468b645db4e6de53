package notify

import (
	"encoding/json"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// message is an event as JSON. Its documentation is the package's.
type message struct {
	ID       int64              `json:"id"`
	Event    string             `json:"event"`
	Rollout  string             `json:"rollout"`
	Revision string             `json:"revision"`
	Epoch    int                `json:"epoch"`
	State    string             `json:"state"`
	Step     int                `json:"step"`
	Cause    string             `json:"cause,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Figures  map[string]float64 `json:"figures,omitempty"`
	Time     time.Time          `json:"time"`
	Member   string             `json:"member,omitempty"`
}

func newMessage(name, member string, e rollout.Event) message {
	return message{
		ID: e.ID, Event: string(e.Kind), Rollout: name, Revision: e.Revision, Epoch: e.Epoch, State: string(e.State), Step: e.Step,
		Cause: string(e.Cause), Reason: e.Reason, Figures: e.Figures, Time: e.Time.UTC(), Member: member,
	}
}

// body returns a message as a target of a format gets it.
func (m message) body(format string) []byte {
	body, err := m.marshal(format)
	if err != nil && m.Figures != nil { // an infinite one; the event is more than its figures
		m.Figures = nil
		body, _ = m.marshal(format)
	}
	return body
}

func (m message) marshal(format string) ([]byte, error) {
	if format == Slack {
		return json.Marshal(slackMessage(m))
	}
	return json.Marshal(m) // itself, and not by way of an any: Yaegi would pass something else
}
