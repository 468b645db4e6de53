package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Plan is the neutral twin of core.Plan.
type Plan struct {
	Candidate   string
	Steps       []Step // none: there is no plan
	Checks      []string
	Every       string
	Window      string
	MinRequests int
	Failures    int
	OnFail      string
	Deadline    string
	Only        []string
}

// Step is the neutral twin of core.Step.
type Step struct {
	Weight, For string
	Manual      bool
	Confirm     string
}

// Notify is the neutral twin of core.Notify.
type Notify struct {
	URL    string
	Events []string
	Secret string
	Format string
}

// stateFile is where a site whose store is a file keeps the state of its rollouts.
const stateFile = "state.json"

// common writes the global option of what rollouts have in common in Caddy's words.
func (c *caddy) common(b *bytes.Buffer, site Site) {
	if site.Storage != "" {
		fmt.Fprintf(b, "\tstorage file_system %s\n", site.Storage)
	}
	if !site.StateInFile && site.Prometheus == "" && len(site.Etcd) == 0 && site.Member == "" {
		return
	}
	b.WriteString("\trollouts {\n")
	c.etcd(b, site)
	if site.Member != "" {
		fmt.Fprintf(b, "\t\tmember %s\n", site.Member)
	}
	if site.StateInFile {
		fmt.Fprintf(b, "\t\tstore file %s\n", c.g.StateFile())
	}
	if site.Prometheus != "" {
		fmt.Fprintf(b, "\t\tprometheus %s\n", site.Prometheus)
	}
	b.WriteString("\t}\n")
}

// plan writes plan and notify in Caddy's words.
func (c *caddy) plan(b *bytes.Buffer, r Rollout) {
	if p := r.Plan; len(p.Steps) > 0 {
		var lines [][]string
		for _, s := range p.Steps {
			line := []string{"step", s.Weight}
			if s.For != "" {
				line = append(line, s.For)
			}
			if s.Manual {
				line = append(line, "manual")
			}
			if s.Confirm != "" {
				line = append(line, "confirm", s.Confirm)
			}
			lines = append(lines, line)
		}
		for _, check := range p.Checks {
			lines = append(lines, []string{"check", check})
		}
		for _, only := range p.Only {
			lines = append(lines, words("only", strings.Fields(only)))
		}
		section(b, strings.TrimSpace("plan "+p.Candidate), append(lines,
			[]string{"every", p.Every}, []string{"window", p.Window}, []string{"min_requests", number(p.MinRequests)},
			[]string{"failures", number(p.Failures)}, []string{"on_fail", p.OnFail}, []string{"deadline", p.Deadline}))
	}
	for _, n := range r.Notify {
		section(b, "notify "+n.URL, [][]string{words("events", n.Events), {"secret", n.Secret}, {"format", n.Format}})
	}
}

// plan adds plan, notify and what is common to all rollouts in Traefik's words.
func (t *traefik) plan(config map[string]any, site Site, r Rollout) map[string]any {
	var steps, notify []map[string]any
	for _, s := range r.Plan.Steps {
		steps = append(steps, present{"weight": s.Weight, "for": s.For, "manual": s.Manual, "confirm": s.Confirm}.fields())
	}
	for _, n := range r.Notify {
		notify = append(notify, present{"url": n.URL, "events": n.Events, "secret": n.Secret, "format": n.Format}.fields())
	}
	p := r.Plan
	config["plan"] = present{
		"candidate": p.Candidate, "steps": steps, "checks": p.Checks, "every": p.Every, "window": p.Window, "minRequests": number(p.MinRequests),
		"failures": number(p.Failures), "onFail": p.OnFail, "deadline": p.Deadline, "only": p.Only,
	}.fields()
	config["notify"] = notify
	if site.StateInFile {
		config["store"] = present{"kind": "file", "path": t.g.StateFile()}
	}
	if len(site.Etcd) > 0 {
		config["store"] = t.etcd(site)
	}
	config["member"] = site.Member
	config["prometheus"] = present{"url": site.Prometheus}.fields()
	return present(config).fields()
}

// number is a number as a text, and nothing for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
