package control

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestRead(t *testing.T) {
	h := handlerOf(map[string]live{"search": newFake(), "checkout": newFake()})
	for _, prefix := range []string{"", "/control", "/a/b"} {
		w := ask(h, "GET", prefix+"/rollouts", "")
		wantAnswer(t, prefix+" list", w, 200, `{"rollouts":[{"name":"checkout"`)
		if got := strings.Count(w.Body.String(), `"name"`); got != 2 {
			t.Errorf("%s: %d rollouts in the list, want 2: %s", prefix, got, w.Body.String())
		}
		w = ask(h, "GET", prefix+"/rollouts/checkout", "")
		wantAnswer(t, prefix+" status", w, 200, `"name":"checkout"`, `"state":"progressing"`, `"base":"stable"`)
		for name, want := range map[string]string{
			"ETag": `"0"`, "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", prefix, name, got, want)
			}
		}
	}
	wantAnswer(t, "HEAD of the list", ask(h, "HEAD", "/rollouts", ""), 200)
	wantAnswer(t, "HEAD of one", ask(h, "HEAD", "/rollouts/search", ""), 200)
	wantAnswer(t, "no rollouts", ask(handlerOf(nil), "GET", "/rollouts", ""), 200, `{"rollouts":[]}`)
}

func TestRolloutNamedAsTheCollection(t *testing.T) {
	h := handlerOf(map[string]live{"rollouts": newFake(), "events": newFake()})
	wantAnswer(t, "status", ask(h, "GET", "/rollouts/rollouts", ""), 200, `"version":"0"`)
	wantAnswer(t, "command", ask(h, "POST", "/rollouts/rollouts/pause", ""), 200, `"version":"1"`)
	wantAnswer(t, "status", ask(h, "GET", "/rollouts/events", ""), 200, `"version":"0"`)
	wantAnswer(t, "events", ask(h, "GET", "/rollouts/rollouts/events", ""), 200, `{"events":[{"id":1`)
}

func TestUnknown(t *testing.T) {
	h := handlerOf(map[string]live{"checkout": newFake()})
	for _, test := range []struct {
		method, path string
		texts        []string
	}{
		{"GET", "/", []string{`/rollouts/{name}`}},
		{"GET", "/rollout", []string{`"code":"unknown"`}},
		{"GET", "/rollouts/", []string{`"code":"unknown"`}},
		{"GET", "/rollouts//events", []string{`"code":"unknown"`}},
		{"GET", "/rollouts/checkout/", []string{`"code":"unknown"`}},
		{"POST", "/rollouts/checkout/promote/now", []string{`"code":"unknown"`}},
		{"GET", "/rollouts/chekcout", []string{`no rollout \"chekcout\" runs (did you mean \"checkout\"?): there are checkout`}},
		{"POST", "/rollouts/search/pause", []string{`no rollout \"search\" runs: there are checkout`}},
		{"GET", "/rollouts/search/events", []string{`no rollout \"search\" runs`}},
		{"POST", "/rollouts/checkout/promot", []string{`no \"promot\" (did you mean \"promote\"?): there are events, series, mirror, results, promote`}},
		{"GET", "/rollouts/checkout/x%0Ay", []string{`no \"x\\ny\"`}},
	} {
		wantAnswer(t, test.method+" "+test.path, ask(h, test.method, test.path, ""), 404, append(test.texts, `"code":"unknown"`)...)
	}
	wantAnswer(t, "nothing runs", ask(handlerOf(nil), "GET", "/rollouts/checkout", ""), 404, `no rollout runs`)
	long := ask(h, "GET", "/rollouts/"+strings.Repeat("x", 5000), "")
	if wantAnswer(t, "a long name", long, 404); long.Body.Len() > 300 {
		t.Errorf("a long name makes an answer of %d bytes", long.Body.Len())
	}
}

func TestMethods(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	for _, test := range []struct{ path, allowed string }{
		{"/rollouts", "GET, HEAD"},
		{"/rollouts/checkout", "GET, HEAD"},
		{"/rollouts/checkout/events", "GET, HEAD"},
		{"/rollouts/checkout/abort", "POST"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"} {
			if strings.Contains(test.allowed, method) {
				continue
			}
			w := ask(h, method, test.path, "")
			wantAnswer(t, method+" "+test.path, w, 405, `"code":"method"`)
			if got := w.Header().Get("Allow"); got != test.allowed {
				t.Errorf("%s %s: Allow is %q, want %q", method, test.path, got, test.allowed)
			}
		}
	}
	if len(f.commands) != 0 {
		t.Errorf("the rollout got the commands %v", f.commands)
	}
}

func TestCommandsOfOtherSites(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	for site, status := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200} {
		wantAnswer(t, site, ask(h, "POST", "/rollouts/checkout/abort", "", "Sec-Fetch-Site: "+site), status)
	}
	if len(f.commands) != 2 {
		t.Errorf("the rollout got %d commands, want 2", len(f.commands))
	}
}

func TestIfNoneMatch(t *testing.T) {
	f := newFake()
	f.happens(rollout.KindStarted, rollout.KindStepAdvanced)
	h := handlerOf(map[string]live{"checkout": f})
	for tags, status := range map[string]int{`"2"`: 304, `W/"2"`: 304, `"1", "2"`: 304, `*`: 304, `"1"`: 200, `2`: 200, ``: 200, `"22"`: 200} {
		w := ask(h, "GET", "/rollouts/checkout", "", "If-None-Match: "+tags)
		wantAnswer(t, tags, w, status)
		if got := w.Header().Get("ETag"); got != `"2"` {
			t.Errorf("%s: ETag is %s", tags, got)
		}
		if status == 304 && w.Body.Len() > 0 {
			t.Errorf("%s: the body is %s", tags, w.Body.String())
		}
	}
}

func TestRolloutThatDoesNotRun(t *testing.T) {
	f := newFake()
	f.away = true
	h := handlerOf(map[string]live{"checkout": f})
	wantAnswer(t, "list", ask(h, "GET", "/rollouts", ""), 200, `{"rollouts":[]}`)
	wantAnswer(t, "status", ask(h, "GET", "/rollouts/checkout", ""), 503, `"code":"away"`)
	wantAnswer(t, "condition", ask(h, "POST", "/rollouts/checkout/pause", "", `If-Match: "0"`), 503, `"code":"away"`)
}

func TestErrorsAreJSON(t *testing.T) {
	w := ask(handlerOf(nil), "GET", `/rollouts/a"b\c`, "")
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body.String())
	}
	if body["code"] != "unknown" || !strings.Contains(body["error"], `a\"b\\c`) || len(body) != 2 {
		t.Errorf("the body is %v", body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if http.StatusNotFound != w.Code {
		t.Errorf("status %d", w.Code)
	}
}
