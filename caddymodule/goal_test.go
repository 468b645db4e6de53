package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
)

// TestGoalsByStatus: goals that ask for the status are reached by what the client got, whoever it is from, and by nothing
// that broke off.
func TestGoalsByStatus(t *testing.T) {
	respond := func(status int) script {
		return func(w http.ResponseWriter, r *http.Request) error {
			r.URL.Path = "/elsewhere" // goals are of what came
			w.WriteHeader(status)
			return nil
		}
	}
	fail := func(status int) script {
		return func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(status, errPlain) }
	}
	for _, test := range []struct {
		name           string
		method         string
		stable, canary script
		want           string
	}{
		{"201", "POST", nil, respond(201), "paid ordered"},
		{"200", "POST", nil, respond(200), "paid"},
		{"402", "POST", nil, respond(402), ""},
		{"500", "POST", nil, respond(500), "broken"},
		{"nothing", "POST", nil, func(http.ResponseWriter, *http.Request) error { return nil }, "paid"},
		{"an error", "POST", nil, fail(502), "broken"},
		{"an error below 500", "GET", nil, fail(404), ""},
		{"an answer in its place", "GET", respond(200), fail(502), ""},
		{"another error in its place", "GET", fail(503), fail(502), "broken"},
		{"an error of whom nobody replaces", "GET", nil, func(_ http.ResponseWriter, r *http.Request) error {
			_, _ = io.Copy(io.Discard, r.Body)
			return caddyhttp.Error(502, errPlain)
		}, "broken"},
		{"an error after the header", "POST", nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(201)
			return errPlain
		}, ""},
		{"an error after the header of an error", "POST", nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(503)
			return errPlain
		}, ""},
		{"an error that broke off", "POST", nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(503)
			panic(http.ErrAbortHandler)
		}, ""},
		{"broken off", "POST", nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(201)
			panic(http.ErrAbortHandler)
		}, ""},
		{"gone", "POST", nil, respond(499), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			name, fields := scriptedVariants(t, test.stable, test.canary, "99.99%")
			h, err := load(t, fmt.Sprintf(`{%s,
				"salt": "goals",
				"key": ["header(\"X-User\")"],
				"goals": [
					{"name": "paid", "when": "path() == \"/orders\""},
					{"name": "ordered", "when": "path() == \"/orders\" && status() == 201"},
					{"name": "broken", "when": "status() >= 500"}
				]
			}`, fields))
			if err != nil {
				t.Fatal(err)
			}
			var running sync.WaitGroup
			running.Go(func() { h.engine.Run(t.Context()) })
			t.Cleanup(running.Wait)
			live := liveOf(t, name)
			eventually(t, "it runs", func() bool {
				status, runs := live.Status()
				return runs && status.State != core.UnknownState
			})
			server, done := serveReal(t, h)
			var body io.Reader
			if test.stable == nil && test.method == http.MethodGet {
				body = strings.NewReader(strings.Repeat("more than is kept ", 10_000))
			}
			request, _ := http.NewRequestWithContext(t.Context(), test.method, server.URL+"/orders", body)
			request.Header.Set("X-User", "ada")
			if response, err := http.DefaultClient.Do(request); err == nil {
				response.Body.Close()
			}
			<-done
			list, _ := live.Results()
			var reached []string
			for _, g := range list[0].Goals {
				if g.Variants[1].Reached > 0 {
					reached = append(reached, g.Name)
				}
				if g.Variants[0].Clients != 0 || g.Variants[1].Clients != 1 {
					t.Errorf("the client is not the canary's: %+v", g)
				}
			}
			if got := strings.Join(reached, " "); got != test.want {
				t.Errorf("reached %q, want %q", got, test.want)
			}
		})
	}
}
