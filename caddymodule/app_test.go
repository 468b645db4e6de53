package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestAppInJSON: what rollouts have in common is checked whether there are any or not, and errors name their place.
func TestAppInJSON(t *testing.T) {
	for _, test := range []struct{ config, want string }{
		{`{}`, ""},
		{`{"store": {"kind": "memory"}, "member": "edge-1"}`, ""},
		{`{"stor": {}}`, `unknown field "stor"`},
		{`{"store": {"kind": "memry"}}`, `store.kind: unknown kind "memry" (did you mean "memory"?)`},
		{`{"store": {"kind": "file"}}`, `store.path: a file needs a path`},
		{`{"store": {"path": "/var/lib/state.json"}}`, `store.path: only the kind file has a path`},
		{`{"prometheus": {"url": "10.0.0.9"}}`, `prometheus.url: not a URL`},
		{`{"prometheus": {"username": "me"}}`, `prometheus.url: `},
		{`{"notify": [{"url": "https://hooks.example", "events": ["promotd"]}]}`, `notify[0].events[0]: unknown event "promotd" (did you mean "promoted"?)`},
		{`{"notify": [{}], "store": {"kind": "disk"}}`, `notify[0].url: who is to be told?`},
		{`{"notify": [{}], "store": {"kind": "disk"}}`, `store.kind: unknown kind "disk"`},
	} {
		ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(ctx)
		_, err = ctx.LoadModuleByID(appID, []byte(test.config))
		cancel()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.config, err, test.want)
		}
	}
}
