package caddymodule

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/grayling-gateway/grayling/core/expr"
)

// written is what a variant was written with, so that another variant can be like it.
type written struct {
	directive caddyfile.Token     // the word variant, which says where
	name      string              // of the variant
	upstreams []caddyfile.Token   // addresses on the variant's own line
	pooled    bool                // whether where stands in the place of addresses
	proxy     bool                // whether the block holds subdirectives of reverse_proxy, or else directives
	lines     []caddyfile.Segment // of the block
	wrong     bool                // whether something is, which was told
}

// errLikeWrong is why a variant cannot be read that is like one of which it was told what is wrong.
var errLikeWrong = errors.New("it is like a variant that is wrong")

// variant reads
//
//	variant <name> [<weight>] [<upstream...>] [{
//		[like <variant>]
//		[set <header> <value>]
//		<directives; with upstreams: subdirectives of reverse_proxy>
//	}]
//	variant <name> [<weight>] where <key>=<value>...
func (p *parser) variant() error {
	w := written{directive: p.Token()}
	if !p.Args(&w.name) {
		return p.Err("a variant needs a name: variant <name> [<weight>] [<upstream...>]")
	}
	v := Variant{}
	v.Name = w.name
	if len(p.rollout.Variants) == 0 {
		p.here("variants", "variants")
	}
	p.here(indexed("variants", len(p.rollout.Variants)), "variant "+v.Name)
	if weightPattern.MatchString(p.peek()) {
		p.NextArg()
		v.Weight = p.Val()
	}
	if p.peek() == "where" {
		p.NextArg()
		w.pooled = true
		p.rollout.Variants = append(p.rollout.Variants, v)
		p.models = append(p.models, w)
		return p.where(&p.rollout.Variants[len(p.rollout.Variants)-1])
	}
	err := p.finish(&w)
	switch {
	case err != nil:
	case w.proxy:
		v.Routes, err = p.reverseProxy(w)
	case len(w.lines) > 0:
		v.Routes, err = p.block(w)
	}
	w.wrong = err != nil
	p.rollout.Variants = append(p.rollout.Variants, v)
	p.models = append(p.models, w)
	return err
}

// notAddress finds what cannot be an upstream's address and was probably meant to be a weight.
var notAddress = regexp.MustCompile(`^[-+.]|%$|,|` + weightPattern.String())

// finish reads the rest of a variant's line and its block, and completes them by what the variant is like.
func (p *parser) finish(w *written) error {
	for p.NextArg() {
		if p.Val() == "" {
			return p.Errf("variant %s: an address is empty, which would be this machine's port 80: leave it out, or write one", w.name)
		}
		if notAddress.MatchString(p.Val()) {
			return p.Errf("variant %s: %q is not an address; a weight such as 5, 5%% or 0.25%% stands before the addresses, once", w.name, p.Val())
		}
		w.upstreams = append(w.upstreams, p.Token())
	}
	w.proxy = len(w.upstreams) > 0

	var model *written
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		line := p.NextSegment()
		at := place{token: line[0]}
		switch name := line[0].Text; {
		case name == "set" && (len(line) != 3 || line[1].Text == ""):
			return at.errorf("variant %s: set takes a request header and its value", w.name)
		case name != "like":
			w.lines = append(w.lines, line)
		case len(line) != 2:
			return at.errorf("variant %s: like takes the name of a variant", w.name)
		case model != nil || len(w.lines) > 0:
			return at.errorf("variant %s: like stands once, and first: what follows overrides what it copies", w.name)
		default:
			if model = p.model(line[1].Text); model == nil {
				return at.errorf("variant %s: like %s: there is no variant of that name above%s",
					w.name, line[1].Text, expr.Suggest(line[1].Text, p.variantNames()))
			}
			if model.wrong {
				return errLikeWrong
			}
			if model.pooled || len(model.upstreams)+len(model.lines) == 0 {
				p.likePooled = append(p.likePooled, place{token: line[0], label: "variant " + w.name + ": like " + model.name})
			}
			if w.proxy && !model.proxy && len(model.lines) > 0 {
				return at.errorf("variant %s has addresses, but %s, which it is like, a block of directives: "+
					"write a block of directives, or addresses there too", w.name, model.name)
			}
		}
	}
	if model != nil {
		w.copy(model)
	}
	w.translateSet()
	return nil
}

// reverseProxy makes upstreams and a block of subdirectives one reverse_proxy, by Caddy's own parser.
func (p *parser) reverseProxy(w written) (caddyhttp.RouteList, error) {
	proxy, err := p.parseProxy(w, "variant "+w.name+" is a reverse_proxy, as it has addresses: ")
	if err != nil {
		return nil, err
	}
	return caddyhttp.RouteList{{
		HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil)},
	}}, nil
}

func (p *parser) parseProxy(w written, prefix string) (*reverseproxy.Handler, error) {
	d := w.as("reverse_proxy")
	proxy := new(reverseproxy.Handler)
	err := proxy.UnmarshalCaddyfile(d)
	if err == nil {
		err = proxy.FinalizeUnmarshalCaddyfile(p.WithDispenser(d))
	}
	if err != nil {
		return nil, placed(err, w.directive, prefix)
	}
	return proxy, nil
}

// block makes a block of directives routes, sorted and grouped as Caddy does in handle.
func (p *parser) block(w written) (caddyhttp.RouteList, error) {
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(w.as("variant")))
	if err != nil {
		return nil, p.blame(w, err)
	}
	return handler.(*caddyhttp.Subroute).Routes, nil
}

// blame gives an error in a block its place. Caddy's parser takes a block as a whole and places most errors at its end;
// so here every line is tried alone, with the matchers that it may need.
func (p *parser) blame(w written, err error) error {
	prefix := "variant " + w.name + ", a block of directives, as it has no addresses: "
	isMatcher := func(line caddyfile.Segment) bool { return strings.HasPrefix(line[0].Text, "@") }
	matchers := slices.DeleteFunc(slices.Clone(w.lines), func(line caddyfile.Segment) bool { return !isMatcher(line) })
	for _, line := range w.lines {
		if isMatcher(line) {
			continue
		}
		alone := w
		alone.lines = append(slices.Clone(matchers), line)
		if _, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(alone.as("variant"))); err != nil {
			return placed(err, line[0], prefix)
		}
	}
	return placed(err, w.directive, prefix)
}

// placed adds a token's place to an error that names none.
func placed(err error, token caddyfile.Token, prefix string) error {
	text := strings.TrimSuffix(prefix+err.Error(), ", at "+blockEnd+":0")
	text = inPlace.ReplaceAllString(text, "")
	if strings.Contains(text, ", at ") {
		return errors.New(text)
	}
	return place{token: token}.errorf("%s", text)
}

// blockEnd is the file of the brace that ends a block which is written here.
const blockEnd = "the end of the block"

// as writes a variant as a directive of that name with upstreams and a block.
func (w *written) as(name string) *caddyfile.Dispenser {
	token := func(text string) caddyfile.Token {
		t := w.directive.Clone()
		t.Text = text
		return t
	}
	tokens := []caddyfile.Token{token(name)}
	for _, upstream := range w.upstreams {
		tokens = append(tokens, token(upstream.Text))
	}
	if len(w.lines) > 0 {
		tokens = append(tokens, token("{"))
		for _, line := range w.lines {
			tokens = append(tokens, line...)
		}
		tokens = append(tokens, caddyfile.Token{Text: "}", File: blockEnd})
	}
	return caddyfile.NewDispenser(tokens)
}
