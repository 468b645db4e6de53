package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxWatched = 8        // of a stream
	maxAnswer  = 16 << 20 // of the control API: more than any has
	stuck      = 30 * time.Second
)

// watchable are the answers of the control API that a stream may follow.
var watchable = regexp.MustCompile(`^rollouts(/[0-9A-Za-z_-][0-9A-Za-z._-]*/(events|series|mirror|results))?$`)

// watched is an answer that a stream follows.
type watched struct {
	path   string
	seldom bool   // it takes the gateway long to answer, and changes little
	last   []byte // what was sent last
	id     int64  // of the last point of a series, of which only what is new is asked for
}

// message is an answer as a stream sends it.
type message struct {
	Path   string          `json:"path"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// stream sends what the control API answers to each ?watch= whenever it differs from before, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	var all []*watched
	for _, path := range r.URL.Query()["watch"] {
		if !watchable.MatchString(path) || len(all) == maxWatched {
			refuse(w, http.StatusBadRequest, "request", "?watch= names what is to be followed, such as rollouts or rollouts/checkout/events: 8 at most")
			return
		}
		all = append(all, &watched{path: path, seldom: strings.HasSuffix(path, "/mirror") || strings.HasSuffix(path, "/results")})
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx in front would keep it to itself
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	controller := http.NewResponseController(w)
	defer func() { _ = controller.SetWriteDeadline(time.Time{}) }() // for what follows on the connection
	ticker := time.NewTicker(h.options.Every)
	defer ticker.Stop()
	text := "retry: 1000\n\n"
	for round := 0; ; round++ {
		for _, one := range all {
			if !one.seldom || round%10 == 0 {
				text += h.news(r, one)
			}
		}
		if text == "" {
			text = "data: {}\n\n" // still here: browsers tell a page of data only
		}
		_ = controller.SetWriteDeadline(time.Now().Add(stuck)) // where that is not supported, the server has its own
		if _, err := w.Write([]byte(text)); err != nil || controller.Flush() != nil {
			return
		}
		text = ""
		select {
		case <-r.Context().Done():
			return
		case <-h.options.Done:
			return
		case <-ticker.C:
		}
	}
}

// news returns what the control API answers as an event, or nothing if it says what it did before.
func (h *handler) news(r *http.Request, one *watched) string {
	status, body := h.look(r, one)
	if bytes.Equal(body, one.last) {
		return ""
	}
	if status == http.StatusOK && strings.HasSuffix(one.path, "/series") {
		var series struct{ Points []struct{ ID int64 } }
		if err := json.Unmarshal(body, &series); err != nil || len(series.Points) == 0 && one.last != nil {
			return ""
		}
		for _, point := range series.Points {
			one.id = point.ID
		}
	}
	one.last = body
	data, err := json.Marshal(message{Path: one.path, Status: status, Body: body})
	if err != nil {
		return "" // it was looked at
	}
	return "data: " + string(data) + "\n\n"
}

// look asks the control API. What is no JSON, it did not say.
func (h *handler) look(r *http.Request, one *watched) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(r.Context(), stuck)
	defer cancel()
	r = to(ctx, r, "/"+one.path)
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	r.Header = http.Header{"Accept": {"application/json"}}
	r.URL.RawQuery = ""
	if one.id > 0 {
		r.URL.RawQuery = url.Values{"after": {strconv.FormatInt(one.id, 10)}}.Encode()
	}
	kept := &keeper{header: http.Header{}, status: http.StatusOK}
	h.api.ServeHTTP(kept, r)
	if body = kept.body.Bytes(); !json.Valid(body) {
		return http.StatusBadGateway, []byte(`{"error":"the gateway's answer is not JSON: is that where it is controlled?","code":"answer"}`)
	}
	return kept.status, body
}

// keeper keeps an answer.
type keeper struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header of the answer.
func (k *keeper) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *keeper) WriteHeader(status int) { k.status = status }

func (k *keeper) Write(part []byte) (int, error) {
	if k.body.Len()+len(part) > maxAnswer {
		return 0, http.ErrContentLength
	}
	return k.body.Write(part)
}
