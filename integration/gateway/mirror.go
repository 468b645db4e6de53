package gateway

import (
	"bytes"
	"strings"
	"testing"
)

// Mirror is the neutral twin of core.Mirror.
type Mirror struct {
	// To is the variant that gets copies. Where the gateway cannot reach variants itself, it is the URL of the variant's
	// backend, under the variant's name.
	To string
	// Backend gets copies in the place of a variant, by its URL; or URL does, as it stands.
	Backend, URL string

	Percent     string
	When        string
	Methods     []string
	Timeout     string
	MaxBody     string
	Concurrency int
	Drop        []string
	Compare     []string // each as one line of a Caddyfile says it, "header Etag"
	Ignore      []string
	// Control has a second copy sent to the baseline.
	Control bool
}

// target is the URL that gets copies; empty if a variant does, or if nothing else does.
func (g *Gateway) target(m Mirror) string {
	if m.Backend != "" {
		return "http://" + g.Backend(m.Backend).Addr()
	}
	return m.URL
}

// mirrors writes mirrors in Caddy's words.
func (c *caddy) mirrors(b *bytes.Buffer, r Rollout) {
	for _, m := range r.Mirrors {
		lines := [][]string{
			{"when", m.When}, words("methods", m.Methods), {"timeout", m.Timeout}, {"max_body", m.MaxBody}, {"concurrency", number(m.Concurrency)},
			words("drop", m.Drop), words("ignore", m.Ignore),
		}
		for _, part := range m.Compare {
			lines = append(lines, words("compare", strings.Fields(part)))
		}
		if m.Control {
			lines = append(lines, []string{"control", "baseline"})
		}
		section(b, strings.Join([]string{"mirror", or(m.To, c.g.target(m)), or(m.Percent, "100%")}, " "), lines)
	}
}

// mirrors adds mirrors in Traefik's words.
func (t *traefik) mirrors(config map[string]any, r Rollout) map[string]any {
	var list []map[string]any
	for _, m := range r.Mirrors {
		target, name, control := or(m.To, t.g.target(m)), "", ""
		if m.Control {
			control = "baseline"
		}
		if t.mode == serviceMode {
			if m.To != "" {
				target, name = t.backendOf(r, m.To), m.To
			}
			if m.Control {
				control = t.backendOf(r, r.Variants[0].Name)
			}
		}
		concurrency := any(m.Concurrency)
		if m.Concurrency == 0 {
			concurrency = ""
		}
		list = append(list, present{
			"target": target, "name": name, "percent": or(m.Percent, "100%"), "when": m.When, "methods": m.Methods, "timeout": m.Timeout,
			"maxBody": m.MaxBody, "concurrency": concurrency, "drop": m.Drop, "compare": m.Compare, "ignore": m.Ignore, "control": control,
		}.fields())
	}
	config["mirrors"] = list
	return present(config).fields()
}

// backendOf is the URL of a variant's backend.
func (t *traefik) backendOf(r Rollout, variant string) string {
	for _, v := range r.Variants {
		if v.Name == variant {
			return t.upstreams(v)[0]
		}
	}
	return "no variant " + variant
}

// MirrorReport is what the control API tells of a mirror.
type MirrorReport struct {
	Mirror     string
	Counts     map[string]int64
	Compared   int64
	Mismatch   float64
	Controlled bool
	Fields     []MirrorField
	Pairs      []MirrorPair
}

// MirrorField is something in which answers differed.
type MirrorField struct {
	Name             string
	Different, Noise int64
	Above            bool `json:"above_noise"`
}

// MirrorPair is a request whose answers differed.
type MirrorPair struct {
	Method, Path string
	RequestID    string `json:"request_id"`
	Fields       []MirrorDifference
}

// MirrorDifference is how a field differed.
type MirrorDifference struct{ Field, Baseline, Target string }

// Field is what is told of a field; the zero value if nothing is.
func (r MirrorReport) Field(name string) MirrorField {
	for _, f := range r.Fields {
		if f.Name == name {
			return f
		}
	}
	return MirrorField{}
}

// Mirrors returns what the mirrors of a rollout learned.
func (g *Gateway) Mirrors(t testing.TB, rollout string) []MirrorReport {
	t.Helper()
	var all struct{ Mirrors []MirrorReport }
	if err := g.read("/"+rollout+"/mirror", &all); err != nil {
		t.Fatalf("mirrors of %s: %v", rollout, err)
	}
	return all.Mirrors
}
