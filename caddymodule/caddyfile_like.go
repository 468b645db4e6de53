package caddymodule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// model returns the variant of a name that stands above, or nil.
func (p *parser) model(name string) *written {
	i := slices.IndexFunc(p.models, func(w written) bool { return w.name == name })
	if i < 0 {
		return nil
	}
	return &p.models[i]
}

func (p *parser) variantNames() []string {
	names := make([]string, 0, len(p.models))
	for _, w := range p.models {
		names = append(names, w.name)
	}
	return names
}

// translateSet writes set as the subdirective or directive that does it.
func (w *written) translateSet() {
	name := "request_header"
	if w.proxy {
		name = "header_up"
	}
	for i, line := range w.lines {
		if line[0].Text == "set" {
			w.lines[i] = slices.Clone(line)
			w.lines[i][0].Text = name
		}
	}
}

// copy completes w by what another variant was written with: its upstreams, if w has none, and the lines of its block,
// before those of w. A line of w that replaces another stands where the other stood, because the order may matter.
func (w *written) copy(model *written) {
	w.proxy = w.proxy || model.proxy
	own := make(map[string]bool)
	for _, line := range w.lines {
		for _, kind := range w.kinds(line) {
			own[kind] = true
		}
	}
	upstreams := len(w.upstreams) > 0 || w.proxy && (own["to"] || own["dynamic"])
	if !upstreams {
		w.upstreams = model.upstreams
	}
	var lines []caddyfile.Segment
	for _, line := range model.lines {
		kind := w.kind(line)
		switch {
		case upstreams && (kind == "to" || kind == "dynamic"):
		case isFieldBlock(line):
			lines = append(lines, copied(w.without(line, own), model.name)...)
		case own[kind]:
			lines = append(lines, w.take(kind, line[0])...)
		default:
			lines = append(lines, copied([]caddyfile.Segment{line}, model.name)...)
		}
	}
	w.lines = append(lines, w.lines...)
}

// copied returns lines that come from another variant. Another file makes Caddy's parser begin a new line, although the
// numbers of lines go back; and an error says where the line came from.
func copied(lines []caddyfile.Segment, from string) []caddyfile.Segment {
	for i, line := range lines {
		lines[i] = relocated(line, " (like "+from+")")
	}
	return lines
}

func relocated(line caddyfile.Segment, mark string) caddyfile.Segment {
	line = slices.Clone(line)
	for i := range line {
		line[i].File += mark
	}
	return line
}

// inPlace marks lines that took the place of a copied line, for Caddy's parser only.
var inPlace = regexp.MustCompile(` \(in the place of line \d+\)`)

// take removes the lines of one kind from w and returns them for the place of another.
func (w *written) take(kind string, replaced caddyfile.Token) (taken []caddyfile.Segment) {
	var left []caddyfile.Segment
	for _, line := range w.lines {
		if !isFieldBlock(line) && w.kind(line) == kind {
			taken = append(taken, relocated(line, fmt.Sprintf(" (in the place of line %d)", replaced.Line)))
		} else {
			left = append(left, line)
		}
	}
	w.lines = left
	return taken
}

// isFieldBlock tells that a line is the directive header with a block, each line of which is about a header.
func isFieldBlock(line caddyfile.Segment) bool {
	return line[0].Text == "header" && slices.ContainsFunc(line, func(t caddyfile.Token) bool { return t.Text == "{" })
}

// without returns a block of header without the fields that w has lines of its own for.
func (w *written) without(block caddyfile.Segment, own map[string]bool) []caddyfile.Segment {
	opening := slices.IndexFunc(block, func(t caddyfile.Token) bool { return t.Text == "{" })
	left := slices.Clone(block[:opening+1])
	for _, field := range fields(block) {
		if !own[w.kind(fieldLine(block, field))] {
			left = append(left, field...)
		}
	}
	if len(left) == opening+1 {
		return nil
	}
	return []caddyfile.Segment{append(left, block[len(block)-1])}
}

// fields returns the lines of a block.
func fields(block caddyfile.Segment) (lines []caddyfile.Segment) {
	d := caddyfile.NewDispenser(block)
	d.Next()
	d.RemainingArgs()
	for d.NextBlock(0) {
		lines = append(lines, d.NextSegment())
	}
	return lines
}

// fieldLine writes a line of a block of header as a line of its own.
func fieldLine(block, field caddyfile.Segment) caddyfile.Segment {
	opening := slices.IndexFunc(block, func(t caddyfile.Token) bool { return t.Text == "{" })
	line := slices.Concat(block[:opening], field)
	for i := range line {
		line[i].Line = block[0].Line
	}
	return line
}

// kinds returns what a line is about: several headers, if it is a block of them.
func (w *written) kinds(line caddyfile.Segment) []string {
	if !isFieldBlock(line) {
		return []string{w.kind(line)}
	}
	var kinds []string
	for _, field := range fields(line) {
		kinds = append(kinds, w.kind(fieldLine(line, field)))
	}
	return kinds
}

// kind says which lines replace each other: those of one name; among directives, of one name and matcher; where a line
// is about one header, of one name, matcher and header.
func (w *written) kind(line caddyfile.Segment) string {
	name := line[0].Text
	var args []string
	for _, token := range line[1:] {
		if token.Text == "{" || token.Line != line[0].Line {
			break
		}
		args = append(args, token.Text)
	}
	switch name {
	case "handle", "handle_path", "handle_response", "replace_status", "route":
		return name + " " + strings.Join(args, " ")
	case "set", "header_up", "request_header":
		name = "request header"
	case "header_down", "header":
		name = "response header"
	default:
		if w.proxy {
			return name
		}
	}
	matcher := ""
	if n := matcherArgs(line[0].Text, args); n > 0 {
		matcher, args = strings.TrimSuffix(" "+args[0], " *"), args[1:]
	}
	if !strings.HasSuffix(name, " header") || len(args) == 0 {
		return name + matcher
	}
	return strings.ToLower(name + matcher + " " + strings.TrimLeft(args[0], "+-?>"))
}

// matcherArgs returns how many of a directive's arguments are its matcher: 1 or 0. Some directives take a path as their
// only argument.
func matcherArgs(directive string, args []string) int {
	switch {
	case len(args) == 0 || directive == "try_files":
		return 0
	case strings.HasPrefix(args[0], "@"):
		return 1
	case !strings.HasPrefix(args[0], "/") && args[0] != "*":
		return 0
	case len(args) == 1 && slices.Contains([]string{"root", "rewrite", "redir", "header", "request_header"}, directive):
		return 0
	}
	return 1
}
