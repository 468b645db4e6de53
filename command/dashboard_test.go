package command

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHandlerKeepsTheToken: the gateway gets the token and what it needs, clients nothing that is not theirs.
func TestHandlerKeepsTheToken(t *testing.T) {
	var got *http.Request
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"7"`)
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Server", "Caddy")
		_, _ = io.WriteString(w, `{}`)
	}))
	defer gateway.Close()
	t.Setenv("GRAYLING_TOKEN", "secret")
	c, err := (&options{url: gateway.URL + "/control", timeout: 1e9}).client()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost:1/rollouts/checkout/abort", strings.NewReader("{}"))
	for name, value := range map[string]string{"If-Match": `"6"`, "Content-Type": "application/json", "Cookie": "a=b", "Authorization": "Basic x",
		"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-origin", "X-Forwarded-For": "1.2.3.4", "Referer": "http://localhost:1/"} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.handler().ServeHTTP(w, r)
	if w.Code != 200 || got.URL.Path != "/control/rollouts/checkout/abort" || got.Host != strings.TrimPrefix(gateway.URL, "http://") {
		t.Fatalf("%d, %s of %s", w.Code, got.URL, got.Host)
	}
	for name, want := range map[string]string{"Authorization": "Bearer secret", "If-Match": `"6"`, "Content-Type": "application/json", "Origin": gateway.URL,
		"Cookie": "", "Sec-Fetch-Site": "", "X-Forwarded-For": "", "Referer": ""} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("the gateway gets %s: %q, want %q", name, value, want)
		}
	}
	for name, want := range map[string]string{"ETag": `"7"`, "Content-Type": "application/json", "Set-Cookie": "", "WWW-Authenticate": "", "Server": ""} {
		if value := w.Header().Get(name); value != want {
			t.Errorf("the client gets %s: %q, want %q", name, value, want)
		}
	}
	gateway.Close()
	w = httptest.NewRecorder()
	c.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/rollouts", http.NoBody))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"code":"away"`) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a gateway that is away: %d %s", w.Code, w.Body)
	}
}

func TestHere(t *testing.T) {
	h := here(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	for host, want := range map[string]int{"localhost": 200, "localhost:8123": 200, "127.0.0.1:1": 200, "[::1]:1": 200, "127.9.9.9": 200,
		"evil.example": 421, "evil.example:8123": 421, "localhost.evil.example": 421, "10.0.0.1": 421, "": 421, "127.0.0.1.evil.example:1": 421} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestDashboardListensHereOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "10.0.0.1:0", "[::]:0", "example.org:80", "8123", "localhost"} {
		root := New(Program{Name: "grayling"})
		root.SetArgs([]string{"dashboard", "--listen", address})
		var out strings.Builder
		root.SetOut(&out)
		root.SetErr(&out)
		if err := root.ExecuteContext(context.Background()); ExitCode(err) != exitUsage || !strings.Contains(out.String(), "--listen") {
			t.Errorf("%s: %v, %s", address, err, &out)
		}
	}
}

func TestVersionsOfTheDemo(t *testing.T) {
	all, err := newVersions("stable", "canary")
	if err != nil {
		t.Fatal(err)
	}
	defer all.close()
	turned := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		all.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/demo", strings.NewReader(body)))
		return w
	}
	for _, body := range []string{``, `[]`, `{"name":"blue"}`, `{"name":"canary","error_rate":1.1}`, `{"name":"canary","error_rate":-1}`,
		`{"name":"canary","latency_ms":1e9}`, `{"name":"canary","latency_ms":-1}`, `{"name":"canary","error_rate":0.5,"latency_ms":-1}`, strings.Repeat(" ", 9999)} {
		if w := turned(body); w.Code != http.StatusBadRequest {
			t.Errorf("%.50s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := turned(`{"name":"canary","error_rate":1,"latency_ms":0}`); w.Code != 200 || !strings.Contains(w.Body.String(),
		`{"name":"stable","error_rate":0.004,"latency_ms":60},{"name":"canary","error_rate":1,"latency_ms":0}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for range 20 {
		response, err := http.Get("http://" + all.list[1].addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusInternalServerError {
			t.Errorf("a version that always fails answers %s", response.Status)
		}
	}
}
