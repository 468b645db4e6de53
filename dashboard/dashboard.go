// Package dashboard is a page that shows rollouts live and commands them. It is made of the files in static alone, and
// asks nobody but the server that it comes from:
//
//	./                the page, and its style.css, *.js and icon.svg
//	./page.json       what the page has to know of its server
//	./api/rollouts…   the control API
//	./stream          answers of the control API as they change, as server-sent events
//	./demo            what the demo's versions do, if there is a demo
//
// All of them may stand behind any prefix.
package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// Options are what a dashboard may do.
type Options struct {
	// ReadOnly refuses commands, and shows no buttons for them.
	ReadOnly bool

	// Gateway is shown beside the title: where the rollouts are. Empty: nothing is.
	Gateway string

	// Demo answers ./demo: a GET with a list of versions, each with its name, error_rate and latency_ms, and a POST of one of
	// them by changing it. Nil: there is none.
	Demo http.Handler

	// Every is how often the control API is asked, for each page that is open. 0: every second.
	Every time.Duration

	// Done ends streams, whose clients come back, when it is closed. Nil: they last as long as their clients want.
	Done <-chan struct{}
}

// Handler serves the page and what it needs of a control API, which answers below /rollouts as package control does.
// Commands that a page of another site has a browser send are refused.
func Handler(api http.Handler, o Options) http.Handler {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	h := &handler{api: api, options: o}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "origin", "a page of another site cannot command rollouts")
	}))
	return protection.Handler(h)
}

type handler struct {
	api     http.Handler
	options Options
}

// policy lets the page do nothing but what it is for: what somebody smuggled into it would not run, and could tell nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP answers by the end of the path, whatever stands before it.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if i := strings.LastIndex(r.URL.Path, "/api/rollouts"); i >= 0 {
		h.ask(w, r, r.URL.Path[i+len("/api"):])
		return
	}
	name := path.Base(r.URL.Path)
	if h.options.Demo != nil && name == "demo" {
		h.options.Demo.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "method", "there is nothing here but to be looked at")
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/"):
		assets["index.html"].serve(w, r)
	case name == "stream":
		h.stream(w, r)
	case name == "page.json":
		answer(w, http.StatusOK, map[string]any{"read_only": h.options.ReadOnly, "gateway": h.options.Gateway, "demo": h.options.Demo != nil})
	case assets[name] != nil:
		assets[name].serve(w, r)
	case path.Ext(name) == "":
		w.Header().Set("Location", "./"+url.PathEscape(name)+"/") // relative, so that it leads to no other site
		w.WriteHeader(http.StatusPermanentRedirect)
	default:
		refuse(w, http.StatusNotFound, "unknown", "there is nothing here")
	}
}

// ask has the control API answer.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, target string) {
	if h.options.ReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusForbidden, "read_only", "this dashboard only shows rollouts")
		return
	}
	h.api.ServeHTTP(w, to(r.Context(), r, target))
}

// to returns a request with another path.
func to(ctx context.Context, r *http.Request, target string) *http.Request {
	r = r.Clone(ctx)
	r.URL.Path, r.URL.RawPath = target, ""
	r.RequestURI = r.URL.RequestURI()
	return r
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, map[string]string{"error": text, "code": code})
}

func answer(w http.ResponseWriter, status int, body any) {
	content, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and truths
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(content) // the client may be gone
}
