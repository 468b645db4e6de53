package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("rollout", parseRollout)
	httpcaddyfile.RegisterDirectiveOrder("rollout", httpcaddyfile.Before, "reverse_proxy")
}

// weightPattern tells a weight or percentage from an upstream's address and from a condition.
var weightPattern = regexp.MustCompile(`^\d+(\.\d+)?%?$`)

// subdirectives are the words that a rollout's block may begin a line with.
var subdirectives = []string{"variant", "rule", "key", "salt", "revision", "announce", "ends", "fallback_methods", "observe"}

// parseRollout sets up a rollout from its directive:
//
//	rollout [<matcher>] <name> {
//		variant  <name> [<weight>] [<upstream...>] [{
//			[like <variant>]
//			[set <header> <value>]
//			<directives; with upstreams: subdirectives of reverse_proxy>
//		}]
//		rule     <name> <variant> [<percent>] <condition | @matcher | /path* | matcher...> [{
//			<matchers, if the line names none>
//		}]
//		key      <expression...>
//		salt     <text>
//		revision <text>
//		ends     <time>
//		announce {
//			request  <header>|off
//			response <header>
//			baggage
//			follow   <cidr...>
//		}
//		fallback_methods <method...>|none
//		observe  off
//	}
//
// The first variant is the baseline. A weight is a percentage such as 5, 5% or 0.25%; the baseline takes what the others
// leave. Conditions and expressions stand in backticks.
func parseRollout(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := &parser{Helper: h, rollout: new(Handler), seen: make(map[string]bool), lines: make(map[string]line)}
	p.Next() // the directive's name
	if !p.Args(&p.rollout.Name) {
		return nil, p.Err("a rollout needs a name")
	}
	if p.NextArg() {
		return nil, p.Errf("unexpected %q: a rollout has one name", p.Val())
	}
	p.here("name", "rollout")
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		if err := p.subdirective(); err != nil {
			return nil, err
		}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.rollout, p.unique()
}

// parser reads one rollout and remembers where everything stood, so that the engine's problems get a file and a line.
type parser struct {
	httpcaddyfile.Helper
	rollout *Handler
	models  []written // of the variants, for like
	seen    map[string]bool
	lines   map[string]line // by the path of a problem
}

// line is a place in a Caddyfile.
type line struct {
	label string
	fail  func(error) error // adds file and line
}

// here remembers that the value of a path stands where the cursor is.
func (p *parser) here(path, label string) {
	dispenser := *p.Dispenser
	p.lines[path] = line{label: label, fail: dispenser.WrapErr}
}

func (p *parser) subdirective() error {
	name := p.Val()
	if name != "variant" && name != "rule" {
		if p.seen[name] {
			return p.Errf("%s is given twice", name)
		}
		p.seen[name] = true
	}
	c := &p.rollout.Config
	switch name {
	case "variant":
		return p.variant()
	case "rule":
		return p.rule()
	case "key":
		p.here("key", "key")
		return p.list(&c.Key)
	case "fallback_methods":
		p.here("fallback_methods", "fallback_methods")
		return p.list(&c.FallbackMethods)
	case "salt":
		return p.text("salt", &c.Salt)
	case "revision":
		return p.text("revision", &c.Revision)
	case "ends":
		return p.text("ends", &c.Ends)
	case "observe":
		return p.text("observe", &c.Observe)
	case "announce":
		return p.announce()
	}
	return p.unknown(subdirectives)
}

func (p *parser) announce() error {
	if p.NextArg() {
		return p.Errf("unexpected %q: announce takes a block", p.Val())
	}
	a := &p.rollout.Announce
	seen := make(map[string]bool)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		name := p.Val()
		if seen[name] {
			return p.Errf("announce: %s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "request":
			err = p.text("announce.request", &a.Request)
		case "response":
			err = p.text("announce.response", &a.Response)
		case "follow":
			p.here("announce.follow", "follow")
			err = p.list(&a.Follow)
		case "baggage":
			if a.Baggage = true; p.NextArg() {
				err = p.Errf("unexpected %q: baggage takes no argument", p.Val())
			}
		default:
			err = p.unknown([]string{"request", "response", "baggage", "follow"})
		}
		if err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return p.Err("announce needs a block with request, response, baggage or follow")
	}
	return nil
}

// text reads a subdirective's only argument.
func (p *parser) text(path string, into *string) error {
	name := p.Val()
	p.here(path, name)
	if !p.AllArgs(into) || *into == "" {
		return p.Errf("%s takes one argument", name)
	}
	return p.noBlock(name)
}

// list reads a subdirective's arguments, at least one.
func (p *parser) list(into *[]string) error {
	name := p.Val()
	if *into = p.RemainingArgs(); len(*into) == 0 {
		return p.Errf("%s takes at least one argument", name)
	}
	return p.noBlock(name)
}

func (p *parser) noBlock(name string) error {
	if p.NextBlock(p.Nesting()) {
		return p.Errf("%s takes no block", name)
	}
	return nil
}

func (p *parser) unknown(known []string) error {
	hint := expr.Suggest(p.Val(), known)
	if hint == "" {
		hint = "; there are " + strings.Join(known, ", ")
	}
	return p.Errf("unrecognized subdirective %q%s", p.Val(), hint)
}

// check lets the engine check the configuration and gives every problem its place.
func (p *parser) check() error {
	host := core.Host{
		Placeholder: placeholder,
		Conditions:  make(map[string]func(*http.Request) bool),
	}
	for _, r := range p.rollout.Rules {
		if len(r.MatcherSetsRaw) > 0 {
			host.Conditions[r.Name] = func(*http.Request) bool { return false }
		}
	}
	var problems []error
	for _, problem := range core.Check(p.rollout.config(), host) {
		place, ok := p.lines[problem.Path]
		for path := problem.Path; !ok && path != ""; place, ok = p.lines[path] {
			path = path[:max(strings.LastIndexAny(path, ".["), 0)] // the nearest that has a line
		}
		if !ok {
			place = p.lines["name"]
		}
		problems = append(problems, place.fail(errors.New(place.label+": "+problem.Text)))
	}
	return errors.Join(problems...)
}

// unique makes sure that rollouts of one name are equal, in one configuration. They may be several: a snippet that two
// sites import, for instance.
func (p *parser) unique() error {
	specification, err := p.rollout.specification()
	if err != nil {
		return err
	}
	key := "rollout " + p.rollout.Name
	if known, ok := p.State[key]; ok && known != specification {
		return p.lines["name"].fail(errors.New("rollout " + p.rollout.Name + ": " + errDifferent.Error()))
	}
	p.State[key] = specification
	return nil
}

// rule reads
//
//	rule <name> <variant> [<percent>] <condition | @matcher | /path* | matcher...> [{ <matchers> }]
func (p *parser) rule() error {
	var r Rule
	if !p.Args(&r.Name, &r.Use) {
		return p.Err("a rule needs a name, a variant and a condition: rule <name> <variant> [<percent>] <condition>")
	}
	p.here(indexed("rules", len(p.rollout.Rules)), "rule "+r.Name)
	if p.CountRemainingArgs() > 0 && weightPattern.MatchString(p.peek()) {
		p.NextArg()
		r.Percent = p.Val()
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
	switch first := p.peek(); {
	case p.CountRemainingArgs() == 0: // a block of matchers
		matchers, err := caddyhttp.ParseCaddyfileNestedMatcherSet(p.Dispenser)
		if err == nil && len(matchers) == 0 {
			err = p.Errf("rule %s needs a condition, a matcher, or a block of matchers", r.Name)
		}
		return matchers, err
	case p.CountRemainingArgs() == 1 && strings.IndexAny(first, "@/*") == 0:
		matchers, ok, err := p.MatcherToken()
		if err != nil {
			return nil, p.WrapErr(err)
		}
		if ok && matchers == nil { // *
			r.When = "true"
		}
		return matchers, p.noBlock("rule " + r.Name)
	case p.CountRemainingArgs() == 1:
		p.NextArg()
		r.When = p.Val()
		return nil, p.noBlock("rule " + r.Name)
	default: // a matcher with its arguments
		if _, err := caddy.GetModule("http.matchers." + first); err != nil {
			return nil, p.Errf("rule %s: %q is not a matcher; a condition of several words stands in backticks: `header(\"X-Version\") == \"v2\"`", r.Name, first)
		}
		return caddyhttp.ParseCaddyfileNestedMatcherSet(p.Dispenser)
	}
}

func indexed(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// peek returns the next argument of the line, or "".
func (p *parser) peek() string {
	if !p.NextArg() {
		return ""
	}
	text := p.Val()
	p.Prev()
	return text
}
