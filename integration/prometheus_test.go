package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// target is what a Prometheus scrapes.
type target struct{ address, path, token string }

// shown is where a gateway has the metrics of its rollouts.
func shown(t *testing.T, g *gateway.Gateway) target {
	t.Helper()
	where, token := g.MetricsURL()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	return target{u.Host, u.Path, token}
}

// startPrometheus starts a Prometheus at an address, which scrapes targets every second, and knows the alerts of the
// examples.
func startPrometheus(t *testing.T, at string, targets ...target) {
	t.Helper()
	dir := t.TempDir()
	alerts, err := filepath.Abs("../examples/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n", alerts)
	for i, target := range targets {
		fmt.Fprintf(&config, "- {job_name: gateway%d, metrics_path: %q, static_configs: [{targets: [%q]}]", i, target.path, target.address)
		if target.token != "" {
			fmt.Fprintf(&config, ", authorization: {credentials: %q}", target.token)
		}
		config.WriteString("}\n")
	}
	file := filepath.Join(dir, "prometheus.yml")
	write(t, file, config.String())
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(at, "http://"), "--log.level=warn")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("log of Prometheus:\n%s", text)
		}
	})
	gateway.Eventually(t, "Prometheus is ready", func() bool {
		resp, err := http.Get(at + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// tool is the path of a program that is built for the tests.
func tool(t *testing.T, name string) string {
	t.Helper()
	binary, err := exec.Command("tools/build.sh", name).Output()
	if err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return strings.TrimSpace(string(binary))
}

// fromPrometheus asks a Prometheus for something of its API, such as /api/v1/query, and reads the data of the answer.
func fromPrometheus(t *testing.T, at, path string, parameters url.Values, data any) {
	t.Helper()
	resp, err := http.Get(at + path + "?" + parameters.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s %v: %s, %v %s", path, parameters, resp.Status, err, answer.Error)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		t.Fatalf("%s: %v in %s", path, err, answer.Data)
	}
}
