package control

import (
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	f := newFake()
	h := Guard("correct horse battery", handlerOf(map[string]live{"checkout": f}))
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "Bearer correct horse batter", "Bearer correct horse battery!", "Basic correct horse battery",
		"correct horse battery", "BearerX correct horse battery", "Bearer Correct horse battery",
	} {
		w := ask(h, "POST", "/rollouts/checkout/abort", "", "Authorization: "+authorization)
		wantAnswer(t, authorization, w, 401, `"code":"token"`)
		if strings.Contains(w.Body.String(), "checkout") || w.Header().Get("WWW-Authenticate") != `Bearer realm="rollouts"` || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %v %s", authorization, w.Header(), w.Body.String())
		}
		want := w.Body.String()
		if got := ask(h, "GET", "/elsewhere", "", "Authorization: "+authorization).Body.String(); got != want {
			t.Errorf("%q: elsewhere the answer is %s: it tells what there is", authorization, got)
		}
	}
	if len(f.commands) != 0 {
		t.Fatalf("the rollout got the commands %v", f.commands)
	}
	for _, scheme := range []string{"Bearer", "bearer"} {
		wantAnswer(t, scheme, ask(h, "POST", "/rollouts/checkout/abort", "", "Authorization: "+scheme+" correct horse battery"), 200)
	}
}

func TestGuardWithoutToken(t *testing.T) {
	h := Guard("", handlerOf(nil))
	for _, authorization := range []string{"", "Bearer", "Bearer "} {
		wantAnswer(t, authorization, ask(h, "GET", "/rollouts", "", "Authorization: "+authorization), 401)
	}
}
