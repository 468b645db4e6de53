package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// written is what a variant was written with, so that another variant can be like it.
type written struct {
	upstreams []caddyfile.Token   // addresses on the variant's own line; none: the block holds directives
	lines     []caddyfile.Segment // of the block
}

// variant reads
//
//	variant <name> [<weight>] [<upstream...>] [{
//		[like <variant>]
//		[set <header> <value>]
//		<directives; with upstreams: subdirectives of reverse_proxy>
//	}]
func (p *parser) variant() error {
	directive := p.Token()
	var v Variant
	if !p.Args(&v.Name) {
		return p.Err("a variant needs a name: variant <name> [<weight>] [<upstream...>]")
	}
	if len(p.rollout.Variants) == 0 {
		p.here("variants", "variants")
	}
	p.here(indexed("variants", len(p.rollout.Variants)), "variant "+v.Name)
	if weightPattern.MatchString(p.peek()) {
		p.NextArg()
		v.Weight = p.Val()
	}
	w, err := p.written(v.Name)
	if err != nil {
		return err
	}
	if len(w.upstreams) > 0 {
		v.Routes, err = p.proxy(directive, w)
	} else if len(w.lines) > 0 {
		v.Routes, err = p.block(directive, w)
	}
	p.rollout.Variants = append(p.rollout.Variants, v)
	p.models = append(p.models, w)
	return err
}

// written reads the rest of a variant's line and its block, and completes them by what the variant is like.
func (p *parser) written(variant string) (written, error) {
	w := written{upstreams: p.RemainingArgsAsTokens()}
	if len(w.upstreams) > 0 && w.upstreams[0].Text == "where" {
		return w, p.Errf("variant %s: where, which selects upstreams by their metadata, is not available: name the addresses", variant)
	}
	var model string
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		segment := p.NextSegment()
		switch name := segment[0].Text; {
		case name != "like" && name != "set":
		case name == "like" && len(segment) != 2:
			return w, p.Errf("variant %s: like takes the name of a variant", variant)
		case name == "like" && (model != "" || len(w.lines) > 0):
			return w, p.Errf("variant %s: like stands once, and first: what follows overrides what it copies", variant)
		case name == "like":
			model = segment[1].Text
			continue
		case len(segment) != 3:
			return w, p.Errf("variant %s: set takes a request header and its value", variant)
		}
		w.lines = append(w.lines, segment)
	}
	if model != "" {
		i := slices.IndexFunc(p.rollout.Variants, func(v Variant) bool { return v.Name == model })
		if i < 0 {
			return w, p.Errf("variant %s: like %s: there is no variant of that name above", variant, model)
		}
		other := p.models[i]
		if len(w.upstreams) > 0 && len(other.upstreams) == 0 && len(other.lines) > 0 {
			return w, p.Errf("variant %s has upstreams, but %s, which it is like, a block of directives: write a block of directives", variant, model)
		}
		w = w.like(other, model)
	}
	w.translateSet()
	return w, nil
}

// translateSet writes set as the subdirective or directive that does it.
func (w written) translateSet() {
	name := "request_header"
	if len(w.upstreams) > 0 {
		name = "header_up"
	}
	for i, segment := range w.lines {
		if segment[0].Text == "set" {
			w.lines[i] = slices.Clone(segment)
			w.lines[i][0].Text = name
		}
	}
}

// like returns w completed by what another variant was written with: its upstreams, if w has none, and the lines of its
// block that no line of w replaces, before those of w.
func (w written) like(other written, name string) written {
	replaced := make(map[string]bool)
	for _, segment := range w.lines {
		replaced[kind(segment)] = true
	}
	addresses := len(w.upstreams) > 0 || replaced["to"] || replaced["dynamic"]
	if !addresses {
		w.upstreams = other.upstreams
	}
	var lines []caddyfile.Segment
	for _, segment := range other.lines {
		k := kind(segment)
		if replaced[k] || addresses && (k == "to" || k == "dynamic") {
			continue
		}
		segment = slices.Clone(segment)
		for i := range segment {
			// Another file makes Caddy's parser begin a new line, although the numbers of lines go back; and an error
			// says where the line came from.
			segment[i].File += " (like " + name + ")"
		}
		lines = append(lines, segment)
	}
	w.lines = append(lines, w.lines...)
	return w
}

// kind says which lines replace each other: those of one name; where a line is about one header or one matcher, those of
// one name and header or matcher.
func kind(segment caddyfile.Segment) string {
	name := segment[0].Text
	var args []string
	for _, token := range segment[1:] {
		if token.Text == "{" || token.Line != segment[0].Line {
			break
		}
		args = append(args, token.Text)
	}
	switch name {
	case "set", "header_up", "request_header":
		name = "request header"
	case "header_down", "header":
		name = "response header"
	case "handle", "handle_path", "handle_response", "replace_status", "route":
		return name + " " + strings.Join(args, " ")
	default:
		return name
	}
	matcher := ""
	if len(args) > 1 && strings.IndexAny(args[0], "@/*") == 0 {
		matcher, args = args[0], args[1:]
	}
	if len(args) == 0 {
		return name
	}
	return strings.ToLower(name + " " + matcher + " " + strings.TrimLeft(args[0], "+-?>"))
}

// proxy makes upstreams and a block of subdirectives one reverse_proxy, by Caddy's own parser.
func (p *parser) proxy(directive caddyfile.Token, w written) (caddyhttp.RouteList, error) {
	d := segment(directive, "reverse_proxy", w)
	proxy := new(reverseproxy.Handler)
	if err := proxy.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if err := proxy.FinalizeUnmarshalCaddyfile(p.WithDispenser(d)); err != nil {
		return nil, err
	}
	return caddyhttp.RouteList{{
		HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)},
	}}, nil
}

// block makes a block of directives routes, sorted and grouped as Caddy does in handle.
func (p *parser) block(directive caddyfile.Token, w written) (caddyhttp.RouteList, error) {
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(segment(directive, "variant", w)))
	if err != nil {
		return nil, err
	}
	return handler.(*caddyhttp.Subroute).Routes, nil
}

// segment writes a variant as a directive of that name with upstreams and a block.
func segment(directive caddyfile.Token, name string, w written) *caddyfile.Dispenser {
	token := func(text string, line int) caddyfile.Token {
		t := directive.Clone()
		t.Text, t.Line = text, line
		return t
	}
	tokens := []caddyfile.Token{token(name, directive.Line)}
	for _, upstream := range w.upstreams {
		tokens = append(tokens, token(upstream.Text, directive.Line))
	}
	if len(w.lines) > 0 {
		tokens = append(tokens, token("{", directive.Line))
		for _, line := range w.lines {
			tokens = append(tokens, line...)
		}
		last := tokens[len(tokens)-1]
		tokens = append(tokens, token("}", last.Line+last.NumLineBreaks()+1))
	}
	return caddyfile.NewDispenser(tokens)
}
