package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// step is a handler that notes its name, and goes on to the one after it unless it is the last.
type step struct {
	name string
	last bool
	seen *[]string
}

func (s step) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	*s.seen = append(*s.seen, s.name)
	if s.last {
		return nil
	}
	return next.ServeHTTP(w, r)
}

func TestRun(t *testing.T) {
	for _, test := range []struct{ names, want string }{
		{"", "next"},
		{"a", "a next"},
		{"a b c", "a b c next"},
		{"a b! c", "a b!"}, // b answers
	} {
		var seen []string
		var handlers []caddyhttp.MiddlewareHandler
		for name := range strings.FieldsSeq(test.names) {
			handlers = append(handlers, step{name, strings.HasSuffix(name, "!"), &seen})
		}
		next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
			seen = append(seen, "next")
			return nil
		})
		if err := run(handlers, httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), next); err != nil {
			t.Error(err)
		}
		if got := strings.Join(seen, " "); got != test.want {
			t.Errorf("%q: %q, want %q", test.names, got, test.want)
		}
	}
}

// TestCompiledOrNot: routes are Caddy's to run where they have matchers or the like, and where the server traces handlers.
func TestCompiledOrNot(t *testing.T) {
	const answer = `{"handler": "static_response", "body": "hello"}`
	for i, test := range []struct {
		routes   string
		logs     *caddyhttp.ServerLogConfig
		compiled bool
		logged   bool
	}{
		{``, nil, false, false},
		{`{"handle": [` + answer + `]}`, nil, false, false},
		{`{"handle": [` + answer + `]}`, &caddyhttp.ServerLogConfig{}, false, true},
		{`{"handle": [` + answer + `]}`, &caddyhttp.ServerLogConfig{Trace: true}, true, true},
		{`{"handle": [` + answer + `], "match": [{"path": ["/a/*"]}]}`, nil, true, false},
		{`{"handle": [` + answer + `], "group": "g"}`, nil, true, false},
		{`{"handle": [` + answer + `], "terminal": true}`, nil, true, false},
		{`{}, {"handle": [` + answer + `], "group": "g"}`, nil, true, false},
	} {
		ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		ctx.Context = context.WithValue(ctx.Context, caddyhttp.ServerCtxKey, &caddyhttp.Server{Logs: test.logs})
		module, err := ctx.LoadModuleByID("http.handlers.rollout",
			fmt.Appendf(nil, `{"name": "compiled%d", "variants": [{"name": "stable", "routes": [%s]}]}`, i, test.routes))
		if err != nil {
			t.Fatal(err)
		}
		h := module.(*Handler)
		if got := h.variants[0].chain != nil; got != test.compiled || h.logged != test.logged {
			t.Errorf("%s on a server with logs %+v: compiled %v, logged %v", test.routes, test.logs, got, h.logged)
		}
	}
}
