package command

import (
	"strings"
	"testing"
	"time"
)

func TestMirrorReport(t *testing.T) {
	const report = `{"mirrors": [
		{"mirror": "canary", "counts": {"sent": 1200, "answered": 1198, "timed_out": 2}, "compared": 1190, "mismatch": 0.021, "controlled": true,
		 "fields": [{"name": "status", "different": 25, "noise": 0, "share": 0.021, "above_noise": true}, {"name": "$.time\u001b[2J", "different": 1190, "noise": 1190, "share": 0, "above_noise": false}],
		 "baseline_latency": {"p50_ns": 1000000, "p95_ns": 2000000, "p99_ns": 3000000}, "target_latency": {"p50_ns": 4000000, "p95_ns": 5000000, "p99_ns": 6000000},
		 "pairs": [{"time": "2026-11-22T10:00:00Z", "method": "GET", "path": "/items?page=…", "request_id": "r-1", "fields": [
			{"field": "status", "baseline": "200", "target": "500"}, {"field": "$.price"}]}]},
		{"mirror": "shadow.internal", "counts": {"sent": 1}, "compared": 2, "mismatch": 0.5, "controlled": false, "fields": [{"name": "body", "different": 1, "noise": 0, "share": 0.5, "above_noise": true}]},
		{"mirror": "quiet", "counts": {}, "compared": 0, "mismatch": 0, "controlled": false}]}`
	t.Setenv("GRAYLING_SERVER", answering(t, 200, "application/json", report))
	stdout, stderr, code := execute(t.Context(), "mirror", "checkout")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, part := range []string{
		"\nMirror: canary\nCounts: answered=1198 sent=1200 timed_out=2\nCompared: 1190, of which 2.10% differ beyond the noise\n",
		"\nANSWERS OF P50 P95 P99\nbaseline 1ms 2ms 3ms\nmirror 4ms 5ms 6ms\n",
		"\nFIELD DIFFERENT NOISE BEYOND CERTAIN\nstatus 25 0 2.10% yes\n$.time [2J 1190 1190 0.00% no\n",
		"\nTIME REQUEST ID FIELD BASELINE MIRROR\n" + time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Local().Format(time.DateTime) + " GET /items?page=… r-1 status 200 500\n$.price - -\n",
		"\nMirror: shadow.internal\nCounts: sent=1\nCompared: 2, of which 50.00% differ\n\nFIELD DIFFERENT\nbody 1\n",
		"\nMirror: quiet\nCompared: none yet\n",
	} {
		if !strings.Contains(squeezed(stdout), part) {
			t.Errorf("no %q in:\n%s", part, stdout)
		}
	}
	if stdout, _, _ := execute(t.Context(), "mirror", "checkout", "--json"); stdout != report {
		t.Errorf("not as the API answers it: %s", stdout)
	}
}

func TestNoMirrors(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	g.talk(t, exitRefused, []string{"has no mirrors"}, "mirror", "checkout")
	g.talk(t, exitRefused, []string{"has no mirrors"}, "mirror", "checkout", "--json")
	g.talk(t, exitRefused, []string{`no rollout "chekcout" runs (did you mean "checkout"?)`}, "mirror", "chekcout")
	g.talk(t, exitUsage, []string{`"a/b" is not the name of a rollout`}, "mirror", "a/b")
}
