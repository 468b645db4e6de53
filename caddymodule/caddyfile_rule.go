package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core/expr"
)

// rule reads
//
//	rule <name> <variant> [<percent>] <condition | @matcher | /path* | matcher...> [{ <matchers> }]
func (p *parser) rule() error {
	var r Rule
	if !p.Args(&r.Name, &r.Use) {
		return p.Err("a rule needs a name, a variant and a condition: rule <name> <variant> [<percent>] <condition>")
	}
	p.here(indexed("rules", len(p.rollout.Rules)), "rule "+r.Name)
	switch next := p.peek(); {
	case weightPattern.MatchString(next):
		p.NextArg()
		r.Percent = p.Val()
	case looksLikeWeight.MatchString(next):
		return p.Errf("rule %s: %q is not a percentage such as 5, 5%% or 0.25%%", r.Name, next)
	}
	matchers, err := p.condition(&r)
	if err != nil {
		return err
	}
	if len(matchers) > 0 {
		r.MatcherSetsRaw = caddyhttp.RawMatcherSets{matchers}
	}
	p.rollout.Rules = append(p.rollout.Rules, r)
	return nil
}

// condition reads what is left of a rule's line, and its block.
func (p *parser) condition(r *Rule) (caddy.ModuleMap, error) {
	at := place{token: p.Token()}
	switch first, count := p.peek(), p.CountRemainingArgs(); {
	case count == 0:
		return p.matchers(*r)
	case strings.IndexAny(first, "@/*") == 0:
		if count > 1 {
			return nil, at.errorf("rule %s takes one @matcher or path; for more, write a matcher such as: path /a/* /b/*", r.Name)
		}
		matchers, ok, err := p.MatcherToken()
		if err != nil {
			return nil, at.errorf("rule %s: %w", r.Name, err)
		}
		if ok && matchers == nil { // *
			r.When = "true"
		}
		return matchers, p.noBlock("rule " + r.Name + ", which has a matcher,")
	case count == 1:
		p.NextArg()
		r.When = p.Val()
		return nil, p.noBlock("rule " + r.Name + ", which has a condition,")
	case !isMatcher(first):
		return nil, at.errorf("rule %s: %q is not a matcher%s; a condition of several words stands in backticks: `header(\"X-Version\") == \"v2\"`",
			r.Name, first, expr.Suggest(first, matcherNames()))
	default: // a matcher with its arguments
		return caddyhttp.ParseCaddyfileNestedMatcherSet(p.Dispenser)
	}
}

// matchers reads a block of matchers.
func (p *parser) matchers(r Rule) (caddy.ModuleMap, error) {
	at := place{token: p.Token()}
	// Caddy's parser places an unknown matcher at the end of the block.
	ahead := *p.Dispenser
	for nesting := ahead.Nesting(); ahead.NextBlock(nesting); {
		if name := ahead.Token(); !name.Quoted() && !isMatcher(name.Text) {
			return nil, place{token: name}.errorf("rule %s: unknown matcher %q%s", r.Name, name.Text, expr.Suggest(name.Text, matcherNames()))
		}
		ahead.NextSegment()
	}
	matchers, err := caddyhttp.ParseCaddyfileNestedMatcherSet(p.Dispenser)
	if err == nil && len(matchers) == 0 {
		err = at.errorf("rule %s needs a condition, a matcher, or a block of matchers", r.Name)
	}
	return matchers, err
}

func isMatcher(name string) bool { return slices.Contains(matcherNames(), name) }

func matcherNames() []string {
	var names []string
	for _, module := range caddy.GetModules("http.matchers") {
		names = append(names, module.ID.Name())
	}
	return names
}
