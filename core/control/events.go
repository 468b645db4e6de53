package control

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/rollout"
)

const (
	// heartbeat is how often a stream in which nothing happens says that it is there: proxies close silent connections,
	// often after a minute.
	heartbeat = 15 * time.Second

	// stuck is after how long a client is given up that does not read.
	stuck = 30 * time.Second
)

// history holds events of a rollout, oldest first.
type history struct {
	Events []rollout.Event `json:"events"`
}

// events answers with what happened after the event that the client names: at once, or as a stream that goes on.
func (h *handler) events(w http.ResponseWriter, r *http.Request, name string) *refusal {
	text := r.Header.Get("Last-Event-ID") // of a client that comes back to a stream
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	after := int64(0)
	if text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 0 {
			return refuse(http.StatusBadRequest, "request", fmt.Sprintf("%.32q is not the ID of an event: a number from 0", text))
		}
		after = id
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		h.stream(w, r, name, after)
		return nil
	}
	l, known := h.rollouts()[name]
	if !known {
		return unknown(name, h.rollouts())
	}
	events, _ := since(l, after)
	answer(w, http.StatusOK, history{Events: append([]rollout.Event{}, events...)})
	return nil
}

// since returns the events after one, and what tells of more. A rollout that has not come to the event began anew, as
// those in memory do with their gateway: then it is all of them.
func since(l live, after int64) ([]rollout.Event, <-chan struct{}) {
	events, changed := l.Events(after)
	if len(events) > 0 || after == 0 {
		return events, changed
	}
	all, _ := l.Events(0)
	if len(all) == 0 || all[len(all)-1].ID < after {
		return all, changed
	}
	return events, changed
}

// stream sends events as they happen, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html),
// until the client goes, or the rollout does. Where nothing can be flushed it ends with what there is to say now: clients
// come back for more.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, name string, after int64) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx in front would keep events to itself
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	controller := http.NewResponseController(w)
	defer forgetDeadline(controller)
	text := "retry: 1000\n\n"
	for {
		l, runs := h.rollouts()[name]
		if !runs {
			return
		}
		events, changed := since(l, after)
		for i := range events {
			text += message(&events[i])
			after = events[i].ID
		}
		if text == "" {
			text = ":\n\n"
		}
		if !send(w, controller, text) || !h.wait(r, changed) {
			return
		}
		text = ""
	}
}

// wait waits for more to say, and reports whether there is somebody to hear it.
func (h *handler) wait(r *http.Request, changed <-chan struct{}) bool {
	silence := time.NewTimer(h.heartbeat)
	defer silence.Stop()
	await.First(r.Context().Done(), changed, silence.C)
	return r.Context().Err() == nil
}

// send sends text at once, and reports whether more can be sent.
func send(w http.ResponseWriter, controller *http.ResponseController, text string) bool {
	_ = controller.SetWriteDeadline(time.Now().Add(stuck)) // where that is not supported, the gateway has its own
	if _, err := w.Write([]byte(text)); err != nil {
		return false
	}
	return controller.Flush() == nil
}

// forgetDeadline leaves the connection as it was for the request that follows on it.
func forgetDeadline(controller *http.ResponseController) {
	_ = controller.SetWriteDeadline(time.Time{})
}

// message is an event as a stream sends it.
func message(event *rollout.Event) string {
	data, err := encode(event)
	if err != nil {
		return "" // events hold what was read from JSON, or can be written as such
	}
	kind := strings.Join(strings.Fields(string(event.Kind)), " ") // no line of its own, whoever wrote the store
	return "id: " + strconv.FormatInt(event.ID, 10) + "\nevent: " + kind + "\ndata: " + string(data) + "\n"
}
