package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestDashboardAnswersForThisCaddy: it shows the rollouts of the configuration in force, and refuses what it may not do.
func TestDashboardAnswersForThisCaddy(t *testing.T) {
	ask := func(readOnly bool, method, path string) *httptest.ResponseRecorder {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		defer cancel()
		d := &Dashboard{ReadOnly: readOnly}
		if err := d.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := d.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody), nil); err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, test := range []struct {
		readOnly     bool
		method, path string
		status       int
		text         string
	}{
		{false, "GET", "/ops/", 200, "<title>"},
		{false, "GET", "/ops/api/rollouts", 200, `{"rollouts":[`},
		{false, "POST", "/ops/api/rollouts/nobody/abort", 404, `"code":"unknown"`},
		{true, "GET", "/ops/api/rollouts", 200, `{"rollouts":[`},
		{true, "GET", "/ops/page.json", 200, `"read_only":true`},
		{true, "POST", "/ops/api/rollouts/nobody/abort", 403, `"code":"read_only"`},
	} {
		if w := ask(test.readOnly, test.method, test.path); w.Code != test.status || !strings.Contains(w.Body.String(), test.text) {
			t.Errorf("%+v: %d %.200s", test, w.Code, w.Body)
		}
	}
}
