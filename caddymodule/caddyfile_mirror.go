package caddymodule

import (
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// mirror reads
//
//	mirror <variant|url> [<percent>] [{ ... }]
func (p *parser) mirror() error {
	path := indexed("mirrors", len(p.rollout.Mirrors))
	var m core.Mirror
	if !p.Args(&m.Target) || m.Target == "" {
		return p.Err("who gets the copies? Write: mirror <variant|url> [<percent>]")
	}
	label := "mirror"
	if !strings.Contains(m.Target, "/") { // a URL may hold a secret, and is long
		label += " " + m.Target
	}
	p.here(path, label)
	switch next := p.peek(); {
	case weightPattern.MatchString(next):
		p.NextArg()
		m.Percent = p.Val()
	case looksLikeWeight.MatchString(next):
		return p.Errf("%s: %q is not a percentage such as 5, 5%% or 0.25%%", label, next)
	}
	if p.NextArg() {
		return p.Errf("%s: unexpected %q", label, p.Val())
	}
	known := []string{"name", "when", "methods", "timeout", "max_body", "concurrency", "drop", "compare", "ignore", "control", "show"}
	err := p.options(path, known, map[string]any{
		"name": &m.Name, "when": &m.When, "methods": &m.Methods, "timeout": &m.Timeout, "max_body": &m.MaxBody,
		"concurrency": &m.Concurrency, "drop": &m.Drop, "ignore": &m.Ignore, "show": &m.Show,
		"compare": func() error { return p.compare(path+".compare", &m) },
		"control": func() error { return p.control(path+".control", &m) },
	})
	p.rollout.Mirrors = append(p.rollout.Mirrors, m)
	return err
}

// compare reads what answers have to agree in:
//
//	compare <status|body|json|header <name>>...
func (p *parser) compare(path string, m *core.Mirror) error {
	words := p.RemainingArgs()
	if len(words) == 0 {
		return p.Err("compare takes what answers have to agree in: status, header <name>, body or json")
	}
	for len(words) > 0 {
		n := 1
		if words[0] == "header" && len(words) > 1 {
			n = 2
		}
		p.here(indexed(path, len(m.Compare)), "compare")
		m.Compare = append(m.Compare, strings.Join(words[:n], " "))
		words = words[n:]
	}
	return p.noBlock("compare")
}

// control reads
//
//	control [<url>]
func (p *parser) control(path string, m *core.Mirror) error {
	if m.Control != "" {
		return p.Err("mirror: control is given twice")
	}
	m.Control = "baseline"
	p.here(path, "control")
	switch args := p.RemainingArgs(); {
	case len(args) > 1 || len(args) == 1 && args[0] == "":
		return p.Err("control takes one argument: the baseline's URL, if the gateway does not reach it itself")
	case len(args) == 1:
		m.Control = args[0]
	}
	return p.noBlock("control")
}
