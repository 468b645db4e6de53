package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// api answers as a control API of which one rollout grows by an event and a point with every look.
type api struct {
	looks  atomic.Int64
	broken atomic.Bool
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if a.broken.Load() {
		_, _ = io.WriteString(w, "<html>nonsense")
		return
	}
	switch {
	case r.Method == http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"told":%q,"if_match":%q,"body":%q}`, r.URL.Path, r.Header.Get("If-Match"), body)
	case strings.HasSuffix(r.URL.Path, "/series"):
		n := a.looks.Add(1)
		_, _ = fmt.Fprintf(w, `{"points":[{"id":%d,"after":%q}]}`, n, r.URL.Query().Get("after"))
	default:
		_, _ = fmt.Fprintf(w, `{"path":%q,"accept":%q,"cookie":%q}`, r.URL.RequestURI(), r.Header.Get("Accept"), r.Header.Get("Cookie"))
	}
}

func ask(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://ops.example"+target, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	demo := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the demo") })
	h := Handler(&api{}, Options{Gateway: "here", Demo: demo})
	for _, test := range []struct {
		method, target string
		status         int
		kind, text     string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<title>"},
		{"GET", "/any/prefix/", 200, "text/html; charset=utf-8", "<title>"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/any/prefix/app.js", 200, "text/javascript; charset=utf-8", "import"},
		{"GET", "/base.css", 200, "text/css; charset=utf-8", "--ground"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "<svg"},
		{"GET", "/a/page.json", 200, "application/json", `{"demo":true,"gateway":"here","read_only":false}`},
		{"GET", "/a/demo", 200, "", "the demo"},
		{"GET", "/a/api/rollouts", 200, "application/json", `"path":"/rollouts"`},
		{"GET", "/a/api/rollouts/checkout/events?after=3", 200, "application/json", `"path":"/rollouts/checkout/events?after=3"`},
		{"POST", "/api/rollouts/checkout/abort", 200, "application/json", `"told":"/rollouts/checkout/abort"`},
		{"GET", "/unknown.js", 404, "application/json", `"code":"unknown"`},
		{"GET", "/../static/app.go", 404, "application/json", `"code":"unknown"`},
		{"POST", "/app.js", 405, "application/json", `"code":"method"`},
		{"GET", "/stream?watch=etc/passwd", 400, "application/json", `"code":"request"`},
		{"GET", "/stream?watch=rollouts/../config", 400, "application/json", `"code":"request"`},
		{"GET", "/stream?" + strings.Repeat("watch=rollouts&", 9), 400, "application/json", `8 at most`},
	} {
		w := ask(t, h, test.method, test.target, "")
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.text) || w.Header().Get("Content-Type") != test.kind && test.kind != "" {
			t.Errorf("%s %s: %d %s %.200s", test.method, test.target, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", test.target, policy)
		}
	}
}

// TestRedirect: a page that is asked for without its slash is beside that path, and never elsewhere.
func TestRedirect(t *testing.T) {
	h := Handler(&api{}, Options{})
	for target, want := range map[string]string{"/deploys": "./deploys/", "//evil.example": "./evil.example/", "/a/b%3Ac": "./b:c/", "/a%5C%5Cevil": "./a%5C%5Cevil/"} {
		r := httptest.NewRequest(http.MethodGet, "http://ops.example/", http.NoBody)
		r.URL.Path, r.URL.RawPath = must(r.URL.Parse("http://ops.example"+target)).Path, ""
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code == http.StatusPermanentRedirect && got != want || w.Code != http.StatusPermanentRedirect && w.Code != http.StatusNotFound {
			t.Errorf("%s: %d to %q, want %q", target, w.Code, got, want)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAssetsThatTheClientHas(t *testing.T) {
	h := Handler(&api{}, Options{})
	tag := ask(t, h, "GET", "/app.js", "").Header().Get("ETag")
	if w := ask(t, h, "GET", "/app.js", "", "If-None-Match: "+tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

// TestPageAsksNobodyElse: nothing in the page's files leads to another server, or is what the policy forbids.
func TestPageAsksNobodyElse(t *testing.T) {
	foreign := regexp.MustCompile(`(?:https?:)?//[a-z0-9-]+\.[a-z]+|style=|<script>|onclick=|innerHTML|insertAdjacentHTML|eval\(`)
	for name, a := range assets {
		for _, found := range foreign.FindAll(a.content, -1) {
			if text := string(found); !strings.HasPrefix(text, "http://www.w") { // the name of SVG, at www.w3.org
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	if len(assets) < 10 {
		t.Errorf("there are %d files", len(assets))
	}
}

func TestCommandsOfOtherSites(t *testing.T) {
	h := Handler(&api{}, Options{})
	for _, test := range []struct {
		headers []string
		status  int
	}{
		{nil, 200},
		{[]string{"Sec-Fetch-Site: same-origin", "Origin: http://ops.example"}, 200},
		{[]string{"Sec-Fetch-Site: none"}, 200},
		{[]string{"Origin: http://ops.example"}, 200},
		{[]string{"Sec-Fetch-Site: cross-site"}, 403},
		{[]string{"Sec-Fetch-Site: same-site"}, 403},
		{[]string{"Origin: http://evil.example"}, 403},
		{[]string{"Origin: null"}, 403},
	} {
		if w := ask(t, h, "POST", "/api/rollouts/checkout/abort", "", test.headers...); w.Code != test.status {
			t.Errorf("%q: %d %s", test.headers, w.Code, w.Body)
		}
	}
}

func TestReadOnly(t *testing.T) {
	h := Handler(&api{}, Options{ReadOnly: true})
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if w := ask(t, h, method, "/api/rollouts/checkout/abort", ""); w.Code != 403 || !strings.Contains(w.Body.String(), `"code":"read_only"`) {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	if w := ask(t, h, "GET", "/api/rollouts", ""); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := ask(t, h, "GET", "/page.json", ""); !strings.Contains(w.Body.String(), `"read_only":true`) {
		t.Error(w.Body)
	}
}

// TestStream: what changes is told, what stays is not, and of a series only what is new is asked for.
func TestStream(t *testing.T) {
	var a api
	done := make(chan struct{})
	server := httptest.NewServer(Handler(&a, Options{Every: 5 * time.Millisecond, Done: done}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := must(http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/p/stream?watch=rollouts&watch=rollouts/checkout/series", http.NoBody))
	r.Header.Set("Cookie", "session=secret")
	response := must(http.DefaultClient.Do(r)) //nolint:bodyclose // below: the linter does not see through must
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatal(kind)
	}
	lines := bufio.NewScanner(response.Body)
	told := func() (m message) {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "{}" {
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return m
	}
	if m := told(); m.Path != "rollouts" || m.Status != 200 || string(m.Body) != `{"path":"/rollouts","accept":"application/json","cookie":""}` {
		t.Errorf("%+v %s", m, m.Body)
	}
	for i := range 3 {
		after := fmt.Sprint(i)
		if i == 0 {
			after = ""
		}
		if m := told(); m.Path != "rollouts/checkout/series" || string(m.Body) != fmt.Sprintf(`{"points":[{"id":%d,"after":%q}]}`, i+1, after) {
			t.Errorf("%+v %s", m, m.Body)
		}
	}
	a.broken.Store(true)
	for {
		if m := told(); m.Path == "rollouts" {
			if m.Status != 502 || !strings.Contains(string(m.Body), "is not JSON") {
				t.Errorf("%+v %s", m, m.Body)
			}
			break
		}
	}
	close(done)
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}
