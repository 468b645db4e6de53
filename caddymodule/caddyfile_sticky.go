package caddymodule

import (
	"slices"
	"strconv"
	"strings"
)

// sticky reads
//
//	sticky cookie [<name>] [{ ... }]
//	sticky memory [{ ... }]
func (p *parser) sticky() error {
	s := &p.rollout.Sticky
	p.here("sticky", "sticky")
	if !p.Args(&s.Mode) || s.Mode != "cookie" && s.Mode != "memory" {
		return p.Err("what keeps assignments? Write: sticky cookie, or: sticky memory")
	}
	if s.Mode == "cookie" && p.NextArg() {
		p.here("sticky.name", "sticky cookie")
		if s.Name = p.Val(); s.Name == "" {
			return p.Err("sticky cookie: the cookie's name is empty: leave it out, or write one")
		}
	}
	if p.NextArg() {
		return p.Errf("unexpected %q", p.Val())
	}
	known := []string{"ttl", "baseline_ttl", "drain", "secret", "domain", "path", "same_site", "capacity"}
	if s.Mode == "memory" {
		known = []string{"ttl", "baseline_ttl", "drain", "client", "capacity"}
	}
	return p.options("sticky", known, map[string]any{
		"ttl": &s.TTL, "baseline_ttl": &s.BaselineTTL, "drain": &s.Drain, "secret": &s.Secret, "domain": &s.Domain, "path": &s.Path,
		"same_site": &s.SameSite, "client": &s.Client, "capacity": &s.Capacity,
	})
}

// router reads
//
//	router <url> [{ ... }]
func (p *parser) router() error {
	r := &p.rollout.Router
	p.here("router", "router")
	p.here("router.url", "router")
	if !p.AllArgs(&r.URL) || r.URL == "" {
		return p.Err("a router needs an address: router <url>")
	}
	return p.options("router", []string{"client", "timeout", "ttl", "headers", "concurrency"}, map[string]any{
		"client": &r.Client, "timeout": &r.Timeout, "ttl": &r.TTL, "headers": &r.Headers, "concurrency": &r.Concurrency,
	})
}

// options reads a block of which each line is a known word and its value: a text, a list or a number, given once, or what
// a function reads, as often as it stands there.
func (p *parser) options(section string, known []string, values map[string]any) error {
	seen := make(map[string]bool)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		name := p.Val()
		if !slices.Contains(known, name) {
			return unknown(p.Dispenser, known)
		}
		read, repeats := values[name].(func() error)
		if seen[name] && !repeats {
			label, _, _ := strings.Cut(section, "[")
			return p.Errf("%s: %s is given twice", label, name)
		}
		seen[name] = true
		path := section + "." + name
		var err error
		switch into := values[name].(type) {
		case *string:
			err = p.text(path, into)
		case *[]string:
			p.here(path, name)
			err = p.list(into)
		case *int:
			err = p.number(path, into)
		default:
			err = read()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// number reads a subdirective's only argument, a whole number.
func (p *parser) number(path string, into *int) error {
	name := p.Val()
	var text string
	if err := p.text(path, &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return p.Errf("%s: %q is not a number", name, text)
	}
	*into = n
	return nil
}
