package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// TestMonitoring has a real Prometheus scrape a Caddy and a Traefik, and asks it everything that the dashboard and the
// alerts of the examples ask: of either gateway all of it has to have an answer.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	prometheus := "http://" + port.Address(t)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	watched := monitored(hook.URL, newRouter(t).URL)
	site := gateway.Site{Control: true, Prometheus: prometheus, Rollouts: []gateway.Rollout{watched}}
	gateways := make([]*gateway.Gateway, 2)
	gateways[0] = gateway.Start(t, gateway.Caddy{}, site)
	gateways[1] = gateway.Start(t, gateway.TraefikProxy{}, site)
	startPrometheus(t, prometheus, shown(t, gateways[0]), shown(t, gateways[1]))
	gateway.Eventually(t, "both gateways are scraped", func() bool { return len(query(t, prometheus, "up == 1")) == 2 })
	for _, g := range gateways {
		checkExposition(t, g)
		p := &pilot{g: g, rollout: watched}
		p.awaitState(t, "progressing", 1)
		p.traffic(t, p.users(50))
		p.command(t, http.StatusOK, "pause", "")
		p.command(t, http.StatusOK, "resume", "")
		g.Get(t, p.path(), bearer("no.token.at.all"))
	}

	questions := slices.Concat(dashboardQueries(t), alertQueries(t), pageQueries(t))
	if len(questions) < 30 {
		t.Fatalf("%d questions found", len(questions))
	}
	for _, question := range questions {
		prefixes := []string{"caddy", "traefik"}
		if strings.Contains(question, "members") {
			prefixes = prefixes[:1] // nobody shares the store of this Traefik
		}
		for _, prefix := range prefixes {
			one := strings.ReplaceAll(question, "(caddy|traefik)", prefix)
			if one == question {
				t.Errorf("it is not for both gateways: %s", question)
			}
			gateway.Eventually(t, "an answer to "+one, func() bool { return len(query(t, prometheus, one)) > 0 })
		}
		gateway.Eventually(t, "an answer of both gateways together to "+question, func() bool { return len(query(t, prometheus, question)) > 0 })
	}
	expectHealthyRules(t, prometheus)
}

// monitored is a rollout that has all that metrics are about.
func monitored(hook, router string) gateway.Rollout {
	r := planned("watched", manual("50%"), step("100%", ""))
	r.Plan.Checks = append(r.Plan.Checks, `prometheus("vector(1)") == 1`)
	r.Rules = []gateway.Rule{rule("admins", `claim("role") == "admin"`)}
	r.JWT = gateway.JWT{Secret: tokenSecret}
	r.Sticky = gateway.Sticky{Mode: "memory"}
	r.Router = gateway.Router{URL: router, Timeout: "100ms"}
	r.Notify = []gateway.Notify{{URL: hook, Secret: webhookSecret}}
	r.Mirrors = []gateway.Mirror{{Backend: "shadow", Compare: []string{"status"}}}
	r.Goals = []gateway.Goal{{Name: "paid", When: `path() == "/thanks"`}}
	return r
}

// logged returns the lines of the gateway's log that are about events of a kind.
func (p *pilot) logged(e gateway.Event) []string {
	var found []string
	for line := range strings.Lines(p.g.Log()) {
		line = strings.NewReplacer(`\\`, "", `\"`, `"`).Replace(line) // Traefik's log has the plugin's lines inside its own
		ours := strings.Contains(line, `"rollout":"`+p.rollout.Name+`"`) || strings.Contains(line, " rollout="+p.rollout.Name+" ")
		if ours && strings.Contains(line, `"rollout `+e.Event+`"`) && strings.HasSuffix(line, "\n") {
			found = append(found, line)
		}
	}
	return found
}

// expectLogged holds an event to be one line of the gateway's log, with its reason and all figures.
func (p *pilot) expectLogged(t *testing.T, e gateway.Event) {
	t.Helper()
	var found []string
	gateway.Eventually(t, e.Event+" is logged", func() bool {
		found = p.logged(e)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%s is logged %d times: %q", e.Event, len(found), found)
	}
	for name := range e.Figures {
		if !strings.Contains(found[0], name+"=") && !strings.Contains(found[0], `"`+name+`":`) {
			t.Errorf("the line lacks %s: %s", name, found[0])
		}
	}
	if reason := strings.NewReplacer(`\`, "", `"`, "").Replace(e.Reason); !strings.Contains(strings.NewReplacer(`\`, "", `"`, "").Replace(found[0]), reason) {
		t.Errorf("the line lacks the reason %s: %s", reason, found[0])
	}
}

// checkExposition has Prometheus' own linter look at the metrics of rollouts.
func checkExposition(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	prefix := strings.ToLower(strings.Fields(g.Host)[0]) + "_rollout_"
	var ours strings.Builder
	for line := range strings.Lines(g.Metrics(t, "text/plain")) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), prefix) {
			ours.WriteString(line)
		}
	}
	if n := strings.Count(ours.String(), "# TYPE "); n < len(everyMetric(t))-2 { // but those of a fleet, if nobody shares the store
		t.Errorf("%s shows %d metrics of rollouts", g.Host, n)
	}
	cmd := exec.Command(tool(t, "promtool"), "check", "metrics", "--extended")
	cmd.Stdin = strings.NewReader(ours.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", g.Host, err, out)
	}
	if prefix == "traefik_rollout_" {
		text := g.Metrics(t, "application/openmetrics-text")
		if !strings.HasSuffix(text, "\n# EOF\n") {
			t.Errorf("OpenMetrics ends with %q", text[max(0, len(text)-80):])
		}
	}
}

// everyMetric are the names of all metrics, as the documentation lists them.
func everyMetric(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (?:counter|gauge|histogram) ").FindAllStringSubmatch(string(page), -1) {
		names = append(names, row[1])
	}
	if len(names) < 20 {
		t.Fatalf("docs/metrics.md lists %d metrics", len(names))
	}
	return names
}

// query returns the series that answer an expression.
func query(t *testing.T, prometheus, expression string) []json.RawMessage {
	t.Helper()
	var data struct{ Result []json.RawMessage }
	fromPrometheus(t, prometheus, "/api/v1/query", url.Values{"query": {expression}}, &data)
	return data.Result
}

// variables are what Grafana puts in the place of the dashboard's.
var variables = strings.NewReplacer("$__rate_interval", "2m", "$__range", "2m", "$rollout", "watched", "$instance", ".*", "${datasource}", "prometheus")

// dashboardQueries are all that the dashboard asks Prometheus, those of its variables as expressions.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr, LegendFormat string }
		}
		Annotations struct{ List []struct{ Expr string } }
		Templating  struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	text, err := os.ReadFile("../examples/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			list = append(list, variables.Replace(target.Expr))
		}
	}
	for _, annotation := range dashboard.Annotations.List {
		list = append(list, variables.Replace(annotation.Expr))
	}
	labelValues := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(variables.Replace(variable.Definition))
		if parts == nil {
			t.Fatalf("the variable %s is defined as %s", variable.Name, variable.Definition)
		}
		list = append(list, fmt.Sprintf(`count by (%s) ({%[1]s!="", %s)`, parts[2], strings.TrimPrefix(parts[1], "{")))
	}
	return list
}

// pageQueries are those that the documentation shows.
func pageQueries(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```promql\n(.*?)\n```").FindStringSubmatch(string(page))
	if block == nil {
		t.Fatal("docs/metrics.md shows no query")
	}
	return strings.Split(block[1], "\n\n")
}

// alertFile are the alerts of the examples.
type alertFile struct {
	Groups []struct {
		Rules []struct{ Alert, Expr string }
	}
}

// alertQueries are what the alerts look at, without what it is compared with.
func alertQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../examples/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file alertFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	comparison := regexp.MustCompile(`\s+(==|>)\s+[0-9.]+\s*$`)
	var list []string
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			looked := comparison.ReplaceAllString(rule.Expr, "")
			if looked == rule.Expr {
				t.Errorf("the alert %s compares nothing: %s", rule.Alert, rule.Expr)
			}
			list = append(list, looked)
		}
	}
	return list
}

// expectHealthyRules holds Prometheus to have evaluated every alert.
func expectHealthyRules(t *testing.T, prometheus string) {
	t.Helper()
	type rule struct{ Name, Health, LastError string }
	var data struct{ Groups []struct{ Rules []rule } }
	gateway.Eventually(t, "the alerts are evaluated", func() bool {
		fromPrometheus(t, prometheus, "/api/v1/rules", nil, &data)
		return len(data.Groups) == 1 && len(data.Groups[0].Rules) > 0 &&
			!slices.ContainsFunc(data.Groups[0].Rules, func(r rule) bool { return r.Health == "unknown" })
	})
	for _, rule := range data.Groups[0].Rules {
		if rule.Health != "ok" {
			t.Errorf("the alert %s is %s: %s", rule.Name, rule.Health, rule.LastError)
		}
	}
}

// TestAlerts runs Prometheus' own test of rules: every alert fires for either gateway when it should, and none for a
// rollout that is well.
func TestAlerts(t *testing.T) {
	t.Parallel()
	alerts, err := filepath.Abs("../examples/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	promtool := tool(t, "promtool")
	if out, err := exec.Command(promtool, "check", "rules", "--lint=all", "--lint-fatal", alerts).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	text, err := os.ReadFile("testdata/prometheus-alerts-test.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests := filepath.Join(t.TempDir(), "tests.yml")
	write(t, tests, strings.Replace(string(text), "[ALERTS]", fmt.Sprintf("[%q]", alerts), 1))
	if out, err := exec.Command(promtool, "test", "rules", tests).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	content, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var file alertFile
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	for _, rule := range file.Groups[0].Rules {
		for _, gateway := range []string{"caddy", "traefik"} {
			if !strings.Contains(string(text), "- name: "+rule.Alert+" of "+gateway+"\n") {
				t.Errorf("no test of the alert %s of %s", rule.Alert, gateway)
			}
		}
	}
}
