package traefikplugin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestMetrics: Prometheus sees what a rollout counts, if it knows the token, and after a reload, too.
func TestMetrics(t *testing.T) {
	config := planned(t)
	handler := start(t, config, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	handler.ServeHTTP(httptest.NewRecorder(), get("Cookie: uid=ada"))
	control := command(t, testToken)
	eventually(t, "the plan has begun", func() bool { return stateOf(control, config.Name) == "progressing" })
	rollout := `rollout="` + config.Name + `"`
	want := []string{
		"# TYPE traefik_rollout_response_duration_seconds histogram\n",
		`traefik_rollout_state{` + rollout + `,state="progressing"} 1` + "\n",
		`traefik_rollout_decisions_total{` + rollout + `,reason="split"} 1` + "\n",
		`traefik_rollout_weight_ratio{` + rollout + `,variant="canary"} 0.1` + "\n",
		`outcome="failure"} 1` + "\n",
	}
	for _, path := range []string{"/metrics", "/behind/a/prefix/metrics"} {
		code, body := tell(control, http.MethodGet, path, testToken)
		for _, line := range want {
			if code != http.StatusOK || !strings.Contains(body, line) {
				t.Errorf("%s: %d, and there is no %q in\n%s", path, code, line, body)
			}
		}
	}
	if code, body := tell(control, http.MethodGet, "/metrics", "another token altogether"); code != http.StatusUnauthorized || strings.Contains(body, "rollout_") {
		t.Errorf("without the token: %d %s", code, body)
	}
	if code, body := tell(control, http.MethodGet, "/rollouts/metrics", testToken); code != http.StatusNotFound || !strings.Contains(body, `no rollout \"metrics\"`) {
		t.Errorf("a rollout that has the name: %d %s", code, body)
	}
}
