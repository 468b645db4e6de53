package notify

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestConfirm(t *testing.T) {
	var body, authorization, method string
	code := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		body = string(content)
		method = r.Method
		_, authorization, _ = r.BasicAuth()
		if code/100 == 3 {
			w.Header().Set("Location", "/approved")
		}
		if r.URL.Path == "/approved" {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.WriteHeader(code)
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "://", "://me:hush@", 1) + "/hush?hush=hush"
	question := Question{Rollout: "checkout", Revision: "v2", Epoch: 1, Step: 2, Weight: "10%"}
	for status, want := range map[int]string{
		200: "", 204: "", 299: "", 301: "301 Moved Permanently", 307: "307 Temporary Redirect", 403: "403 Forbidden", 503: "503 Service Unavailable",
	} {
		code = status
		confirmed, reason := Confirm(context.Background(), address, question)
		if want != "" {
			want = server.URL + " did not confirm the step: it answered " + want
		}
		if confirmed != (want == "") || reason != want {
			t.Errorf("%d: got %v, %q", status, confirmed, reason)
		}
	}
	if want := `{"rollout":"checkout","revision":"v2","epoch":1,"step":2,"weight":"10%"}`; body != want || method != http.MethodPost || authorization != "hush" {
		t.Errorf("asked %s %s with %q", method, body, authorization)
	}
	server.Close()
	confirmed, reason := Confirm(context.Background(), address, question)
	if confirmed || strings.Contains(reason, "hush") || !strings.HasPrefix(reason, server.URL+" did not confirm the step: dial tcp ") {
		t.Errorf("gone: %v, %q", confirmed, reason)
	}
	if confirmed, reason = Confirm(context.Background(), "http://%zz/hush", question); confirmed || strings.Contains(reason, "hush") || reason == "" {
		t.Errorf("no URL: %v, %q", confirmed, reason)
	}
}

// TestConfirmWaits: for five seconds, and no longer.
func TestConfirmWaits(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or nobody would see the client go
		<-r.Context().Done()
	}))
	defer server.Close()
	confirmed, reason := Confirm(context.Background(), server.URL, Question{})
	if confirmed || reason != server.URL+" did not confirm the step: no answer within 5s" {
		t.Errorf("got %v, %q", confirmed, reason)
	}
}
