package metrics

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPreferred(t *testing.T) {
	for _, test := range []struct {
		accept []string
		want   Format
	}{
		{nil, Text},
		{[]string{"*/*"}, Text},
		{[]string{"text/html,application/xhtml+xml"}, Text},
		{[]string{"application/openmetrics-text"}, OpenMetrics},
		{[]string{"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Application/OpenMetrics-Text; version=1.0.0; q=0.5"}, OpenMetrics},
		{[]string{"application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.3"}, Text},
		{[]string{"application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.3"}, Text},
		{[]string{"application/openmetrics-text;q=0"}, Text},
		{[]string{"application/openmetrics-text;q=NaN"}, Text},
		{[]string{"application/openmetrics-text;q=7,;;=,text/plain;q"}, Text},
		{[]string{`application/openmetrics-text; version="1.0.0"; charset=utf-8`}, OpenMetrics},
		// What Prometheus 2.40 and 3.0 send.
		{[]string{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}, OpenMetrics},
		{[]string{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"}, OpenMetrics},
	} {
		if got := Preferred(test.accept); got != test.want {
			t.Errorf("%q: %d, want %d", test.accept, got, test.want)
		}
	}
}

func TestHandler(t *testing.T) {
	h := Handler("x_", families, every)
	for _, test := range []struct {
		method, accept string
		status         int
		kind, body     string
	}{
		{"GET", "", 200, "text/plain; version=0.0.4; charset=utf-8", asText},
		{"GET", "application/openmetrics-text", 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", asOpenMetrics},
		{"HEAD", "", 200, "text/plain; version=0.0.4; charset=utf-8", ""},
		{"POST", "", 405, "text/plain; charset=utf-8", "metrics are only read: GET\n"},
	} {
		r := httptest.NewRequest(test.method, "/metrics", http.NoBody)
		r.Header.Set("Accept", test.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.status || w.Header().Get("Content-Type") != test.kind || w.Body.String() != test.body {
			t.Errorf("%s %s: %d, %s\n%s", test.method, test.accept, w.Code, w.Header().Get("Content-Type"), w.Body.String())
		}
	}
}
