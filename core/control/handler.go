package control

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/goal"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Rollouts returns the rollouts that run, by name. It may be called at any time.
type Rollouts func() map[string]*core.Live

// Handler answers requests about the rollouts. It answers below the first segment "rollouts" of a path, so that a gateway
// may put any prefix before it.
func Handler(rollouts Rollouts) http.Handler {
	return &handler{heartbeat: heartbeat, rollouts: func() map[string]live {
		running := map[string]live{}
		for name, l := range rollouts() {
			l := l // an interface made of the loop's variable would follow it, interpreted
			running[name] = l
		}
		return running
	}}
}

// live is what the handler needs of a [core.Live].
type live interface {
	Status() (core.Status, bool)
	Command(ctx context.Context, command rollout.Command, version string) (core.Status, error)
	Events(after int64) (events []rollout.Event, changed <-chan struct{})
	Explain(ctx context.Context, question core.Question) (explained *core.Explanation, runs bool, err error)
	Series(after int64) []core.Point
	Mirrors() (reports []mirror.Report, has bool)
	Results() (results []goal.Results, has bool)
}

// handler answers requests about the rollouts that run.
type handler struct {
	rollouts  func() map[string]live
	heartbeat time.Duration // the longest silence in a stream of events
}

// ServeHTTP answers a request, and in JSON if it cannot.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if refused := h.serve(w, r); refused != nil {
		answerError(w, refused)
	}
}

// serve answers a request, or says why it does not.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) *refusal {
	name, action, found := target(r.URL.Path)
	if !found {
		return refuse(http.StatusNotFound, "unknown", "there is nothing here: rollouts are at /rollouts and /rollouts/{name}")
	}
	command := among(verbs, action) || action == explanation
	if action != "" && !among(views, action) && !command {
		known := append(append(append([]string{}, views...), verbs...), explanation)
		return refuse(http.StatusNotFound, "unknown", fmt.Sprintf("a rollout has no %.64q%s: there are %s",
			action, expr.Suggest(action, known), strings.Join(known, ", ")))
	}
	if refused := checkMethod(w, r, command); refused != nil {
		return refused
	}
	if name == "" {
		answer(w, http.StatusOK, h.list())
		return nil
	}
	rollouts := h.rollouts()
	l, known := rollouts[name]
	if !known {
		return unknown(name, rollouts)
	}
	if action == explanation {
		return explain(w, r, l)
	}
	if command {
		return obey(w, r, l, action)
	}
	switch action {
	case "events":
		return h.events(w, r, name)
	case "series":
		return series(w, r, l)
	case "mirror":
		return mirrors(w, l)
	case "results":
		return results(w, l)
	}
	return show(w, r, l)
}

// views are what can be read of a rollout besides its status.
var views = []string{"events", "series", "mirror", "results"}

func among(list []string, action string) bool {
	for _, name := range list {
		if name == action {
			return true
		}
	}
	return false
}

// target returns what a path is about: no name is the list of all rollouts, no action a rollout's status.
func target(path string) (name, action string, found bool) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment != "rollouts" {
			continue
		}
		rest := segments[i+1:]
		if len(rest) > 0 {
			name = rest[0]
		}
		if len(rest) > 1 {
			action = rest[1]
		}
		missing := len(rest) > 2 || len(rest) > 0 && name == "" || len(rest) > 1 && action == ""
		return name, action, !missing
	}
	return "", "", false
}

// checkMethod lets only requests through with a method that the target has. Commands that a page of another site has a
// browser send are none: the browser may be logged in.
func checkMethod(w http.ResponseWriter, r *http.Request, command bool) *refusal {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !command && !read {
		return wrongMethod(w, r, "GET, HEAD")
	}
	if command && r.Method != http.MethodPost {
		return wrongMethod(w, r, "POST")
	}
	site := r.Header.Get("Sec-Fetch-Site")
	if command && site != "" && site != "same-origin" && site != "none" {
		return refuse(http.StatusForbidden, "origin", "a page of another site cannot command rollouts")
	}
	return nil
}

func wrongMethod(w http.ResponseWriter, r *http.Request, allowed string) *refusal {
	w.Header().Set("Allow", allowed)
	return refuse(http.StatusMethodNotAllowed, "method", fmt.Sprintf("%.32q is none of the methods here: %s", r.Method, allowed))
}

func unknown(name string, rollouts map[string]live) *refusal {
	names := sortedNames(rollouts)
	there := "no rollout runs"
	if len(names) > 0 {
		there = "there are " + strings.Join(names, ", ")
	}
	return refuse(http.StatusNotFound, "unknown", fmt.Sprintf("no rollout %.64q runs%s: %s", name, expr.Suggest(name, names), there))
}

func sortedNames(rollouts map[string]live) []string {
	names := make([]string, 0, len(rollouts))
	for name := range rollouts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// list holds all rollouts that run, by name.
type list struct {
	Rollouts []core.Status `json:"rollouts"`
}

func (h *handler) list() list {
	rollouts := h.rollouts()
	all := list{Rollouts: []core.Status{}}
	for _, name := range sortedNames(rollouts) {
		if status, runs := rollouts[name].Status(); runs {
			all.Rollouts = append(all.Rollouts, status)
		}
	}
	return all
}

// show answers with a rollout's status, unless nothing has happened since the version that the client has.
func show(w http.ResponseWriter, r *http.Request, l live) *refusal {
	status, runs := l.Status()
	if !runs {
		return notRunning()
	}
	if tags := r.Header.Values("If-None-Match"); len(tags) > 0 && names(tags, status.Version) {
		w.Header().Set("ETag", tag(status.Version))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	answerStatus(w, status)
	return nil
}

func notRunning() *refusal {
	return refuse(http.StatusServiceUnavailable, "away", "the rollout is about to start, or to end: try again")
}

func answerStatus(w http.ResponseWriter, status core.Status) {
	w.Header().Set("ETag", tag(status.Version))
	answer(w, http.StatusOK, status)
}

func tag(version string) string { return `"` + version + `"` }

// names reports whether the entity tags of a condition name a version. Proxies that compress a response make its tag a
// weak one (W/), which is as good here.
func names(tags []string, version string) bool {
	for _, text := range strings.Split(strings.Join(tags, ","), ",") {
		named := strings.TrimPrefix(strings.TrimSpace(text), "W/")
		if named == "*" || named == tag(version) {
			return true
		}
	}
	return false
}
