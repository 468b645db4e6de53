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

// TestServed: routes are Caddy's to run where they have matchers or the like, and where the server traces handlers. Only
// what a reverse_proxy alone may do to a request needs no undoing.
func TestServed(t *testing.T) {
	const (
		answer = `{"handler": "static_response", "body": "hello"}`
		proxy  = `{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:9"}]}`
	)
	traced := &caddyhttp.ServerLogConfig{Trace: true}
	for i, test := range []struct {
		routes string
		logs   *caddyhttp.ServerLogConfig
		want   string
	}{
		{``, nil, "direct"},
		{`{"handle": [` + answer + `]}`, nil, "direct"},
		{`{"handle": [` + answer + `]}`, &caddyhttp.ServerLogConfig{}, "direct logged"},
		{`{"handle": [` + answer + `]}`, traced, "compiled logged"},
		{`{"handle": [` + answer + `], "match": [{"path": ["/a/*"]}]}`, nil, "compiled"},
		{`{"handle": [` + answer + `], "group": "g"}`, nil, "compiled"},
		{`{"handle": [` + answer + `], "terminal": true}`, nil, "compiled"},
		{`{}, {"handle": [` + answer + `], "group": "g"}`, nil, "compiled"},
		{`{"handle": [` + proxy + `]}`, nil, "direct aside"},
		{`{"handle": [` + proxy + `]}`, traced, "compiled logged"},
		{`{"handle": [` + answer + `, ` + proxy + `]}`, nil, "direct"},
		{`{"handle": [` + answer + `]}, {"handle": [` + proxy + `]}`, nil, "direct"},
		{`{"handle": [{"handler": "reverse_proxy", "handle_response": [{"routes": [{"handle": [` + answer + `]}]}]}]}`, nil, "direct"},
	} {
		ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		ctx.Context = context.WithValue(ctx.Context, caddyhttp.ServerCtxKey, &caddyhttp.Server{Logs: test.logs})
		module, err := ctx.LoadModuleByID("http.handlers.rollout",
			fmt.Appendf(nil, `{"name": "served%d", "variants": [{"name": "stable", "routes": [%s]}]}`, i, test.routes))
		if err != nil {
			t.Fatal(err)
		}
		h := module.(*Handler)
		got := "direct"
		if h.variants[0].chain != nil {
			got = "compiled"
		}
		if h.variants[0].aside {
			got += " aside"
		}
		if h.logged {
			got += " logged"
		}
		if got != test.want {
			t.Errorf("%s on a server with logs %+v: %s, want %s", test.routes, test.logs, got, test.want)
		}
	}
}
