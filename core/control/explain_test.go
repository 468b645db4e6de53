package control

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func TestExplain(t *testing.T) {
	h := run(t, core.Host{})
	w := ask(h, "POST", "/rollouts/checkout/explain", `{"url": "https://shop.example/cart", "headers": {"X-Version": ["v2"]}, "ip": "192.0.2.1"}`)
	wantAnswer(t, "explain", w, http.StatusOK, `"rollout":"checkout"`, `"state":"progressing"`, `"step":1`, `"variant":"canary","weight":"10%","from":0,"to":6554`)
	var x core.Explanation
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil {
		t.Fatal(err)
	}
	if !x.Random || x.Decision.Reason != core.BySplit || x.Split.Draw == nil || !x.Split.Draw.Random {
		t.Errorf("a rollout without a key: %s", w.Body.String())
	}
	if status := statusOf(t, h); len(status.Counts) > 0 && status.Counts["decisions_split"] > 0 {
		t.Errorf("an explanation is counted: %v", status.Counts)
	}
}

func TestExplainRefuses(t *testing.T) {
	h := run(t, core.Host{})
	for body, want := range map[string]string{
		``:                                      "the body is not the JSON object of a request",
		`[]`:                                    "the body is not the JSON object of a request",
		`{}`:                                    "not a request: url",
		`{"url": 5}`:                            "the body is not the JSON object of a request",
		`{"uri": "http://x"}`:                   `unknown field \"uri\"`,
		`{"url": "http://x/"} {}`:               "more than the JSON object",
		`{"url": "gopher://x/"}`:                "not a request: url",
		`{"url": "http://x/", "ip": "home"}`:    "not a request: ip",
		`{"url": "http://x/", "method": "A B"}`: "not a request: method",
		`{"url": "http://x/", "headers": {"A\n": ["b"]}}`:         "not a request: headers",
		`{"url": "http://x/", "headers": {"A": ["b\nC: d"]}}`:     "more than one line",
		`{"url": "http://x/", "match": {"staff": true}}`:          "not a request: match",
		`{"url": "http://x/", "claims": {"sub": "ada"}}`:          "not a request: claims",
		`{"url": "http://x/` + strings.Repeat("x", 20<<10) + `"}`: "not a request: url",
	} {
		wantAnswer(t, body, ask(h, "POST", "/rollouts/checkout/explain", body), http.StatusBadRequest, want, `"code":"request"`)
	}
	wantAnswer(t, "a large body", ask(h, "POST", "/rollouts/checkout/explain", strings.Repeat(" ", maxBody+1)), http.StatusRequestEntityTooLarge)
	wantAnswer(t, "a form", ask(h, "POST", "/rollouts/checkout/explain", "url=x", "Content-Type: text/plain"), http.StatusUnsupportedMediaType)
	wantAnswer(t, "GET", ask(h, "GET", "/rollouts/checkout/explain", ""), http.StatusMethodNotAllowed)
	wantAnswer(t, "another site", ask(h, "POST", "/rollouts/checkout/explain", `{}`, "Sec-Fetch-Site: cross-site"), http.StatusForbidden)
	wantAnswer(t, "nobody", ask(h, "POST", "/rollouts/search/explain", `{}`), http.StatusNotFound)
	away := handlerOf(map[string]live{"checkout": newFake()})
	wantAnswer(t, "away", ask(away, "POST", "/rollouts/checkout/explain", `{"url": "http://x/"}`), http.StatusServiceUnavailable)
}
