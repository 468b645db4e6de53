package caddymodule

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/grayling-gateway/grayling/core"
)

// places are where the values of a configuration stand, by the paths of problems. "" is the place of those that have
// none.
type places map[string]place

// place is where something stands in a Caddyfile.
type place struct {
	token caddyfile.Token
	label string // of what stands there, for an error
}

// here remembers that the value of a path stands where the cursor is.
func (p *parser) here(path, label string) {
	p.places[path] = place{token: p.Token(), label: label}
}

// errorf returns an error with file and line.
func (at place) errorf(format string, args ...any) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{at.token})
	d.Next()
	return d.Errf(format, args...)
}

// report gives every problem the nearest place.
func (p places) report(problems []core.Problem) error {
	var list []error
	for _, problem := range problems {
		path := problem.Path
		at, ok := p[path]
		for ; !ok && path != ""; at, ok = p[path] {
			path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		}
		label := at.label
		if index := problem.Path[len(path):]; path != "" && strings.HasPrefix(index, "[") {
			label += index // which of several on one line
		}
		list = append(list, at.errorf("%s: %s", label, problem.Text))
	}
	return errors.Join(list...)
}
