package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
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

// looksLikeWeight finds what was meant to be one.
var looksLikeWeight = regexp.MustCompile(`^[-+]?[\d.,]+%?$`)

// subdirectives are the words that a rollout's block may begin a line with.
var subdirectives = []string{"variant", "upstreams", "subset", "rule", "key", "sticky", "router", "jwt", "salt", "revision", "plan", "mirror", "goal", "notify", "announce", "ends", "fallback_methods", "observe", "geo"}

// parseRollout sets up a rollout from its directive:
//
//	rollout [<matcher>] <name> {
//		variant  <name> [<weight>] [<upstream...>] [{
//			[like <variant>]
//			[set <header> <value>]
//			<directives; with upstreams: subdirectives of reverse_proxy>
//		}]
//		variant  <name> [<weight>] where <key>=<value>...
//		upstreams {
//			<address> [weight=<n>] [<key>=<value>...]
//			proxy {
//				<subdirectives of reverse_proxy>
//			}
//		}
//		subset   <metadata-key> <expression> [baseline|any|none]
//		rule     <name> <variant> [<percent>] <condition | @matcher | /path* | matcher...> [{
//			<matchers, if the line names none>
//		}]
//		key      <expression...>
//		sticky   cookie [<name>] [{
//			ttl          <duration>|<time>|rollout
//			baseline_ttl <duration>|<time>|rollout
//			drain        <duration>
//			secret       <secret...>
//			domain       <domain>
//			path         <path>
//			same_site    lax|strict|none
//			capacity     <clients>
//		}]
//		sticky   memory [{
//			client       <expression...>
//			ttl          <duration>|<time>|rollout
//			baseline_ttl <duration>|<time>|rollout
//			drain        <duration>
//			capacity     <clients>
//		}]
//		router   <url> [{
//			client       <expression...>
//			timeout      <duration>
//			ttl          <duration>
//			headers      <header...>
//			concurrency  <questions>
//		}]
//		jwt {
//			from     <expression...>
//			jwks     <url|file>
//			secret   <text>
//			issuer   <text>
//			audience <text...>
//			leeway   <duration>
//		}
//		plan     [<candidate>] [step <percent> [<duration>|manual] [confirm <url>]...] [{
//			step         <percent> [<duration>|manual] [confirm <url>]
//			check        <condition>
//			every        <duration>
//			window       <duration>
//			min_requests <requests>
//			failures     <evaluations>
//			alpha        <percent>
//			on_fail      rollback|pause
//			deadline     <duration>
//			only         [<days>] [<from>-<to>] [<time zone>]
//		}]
//		mirror   <variant|url> [<percent>] [{
//			name        <name>
//			when        <condition>
//			methods     <method...>
//			timeout     <duration>
//			max_body    <size>
//			concurrency <requests>
//			drop        <header...>
//			compare     <status|header <name>|body|json>...
//			ignore      <order|path...>
//			control     [<url>]
//			show        content
//		}]
//		goal     <name> <condition>
//		notify   <url> [{
//			events <event...>
//			secret <text>
//			format json|slack
//		}]
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
//		geo      <database>
//	}
//
// The first variant is the baseline. A variant with neither addresses nor a block has the upstreams of the rollout that
// where selects, or all of them. A weight is a percentage such as 5, 5% or 0.25%; the baseline takes what the others
// leave. Conditions and expressions stand in backticks.
func parseRollout(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := &parser{Helper: h, rollout: new(Handler), seen: make(map[string]bool), places: make(places)}
	p.Next() // the directive's name
	if !p.Args(&p.rollout.Name) {
		return nil, p.Err("a rollout needs a name: rollout [<matcher>] <name> { ... }")
	}
	p.here("", "rollout")
	p.here("name", "rollout")
	if p.NextArg() {
		return nil, p.Errf("unexpected %q: a rollout has one name", p.Val())
	}
	var wrong []error
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		begin := *p.Dispenser
		if err := p.subdirective(); err != nil {
			if !errors.Is(err, errLikeWrong) {
				wrong = append(wrong, err)
			}
			*p.Dispenser = begin // wherever reading stopped
			p.NextSegment()
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
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
	places  places

	likePooled []place // where a variant is like one that takes its upstreams from the shared pool, if there is one
}

func (p *parser) subdirective() error {
	name := p.Val()
	if !slices.Contains([]string{"variant", "rule", "subset", "geo", "mirror", "goal", "notify"}, name) {
		if p.seen[name] {
			return p.Errf("%s is given twice", name)
		}
		p.seen[name] = true
	}
	c := &p.rollout.Config
	switch name {
	case "variant":
		return p.variant()
	case "upstreams":
		return p.upstreams()
	case "subset":
		return p.subset()
	case "rule":
		return p.rule()
	case "key":
		p.here("key", "key")
		return p.list(&c.Key)
	case "fallback_methods":
		p.here("fallback_methods", "fallback_methods")
		return p.list(&c.FallbackMethods)
	case "sticky":
		return p.sticky()
	case "router":
		return p.router()
	case "jwt":
		return p.jwt()
	case "plan":
		return p.plan()
	case "mirror":
		return p.mirror()
	case "goal":
		return p.goal()
	case "notify":
		return p.notify(&c.Notify)
	case "salt":
		return p.text("salt", &c.Salt)
	case "revision":
		return p.text("revision", &c.Revision)
	case "ends":
		return p.text("ends", &c.Ends)
	case "observe":
		return p.text("observe", &c.Observe)
	case "geo":
		file := ""
		err := p.text(indexed("geo", len(c.Geo)), &file)
		c.Geo = append(c.Geo, file)
		return err
	case "announce":
		return p.announce()
	}
	return unknown(p.Dispenser, subdirectives)
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
	at := place{token: p.Token()}
	if p.NextBlock(p.Nesting()) {
		return at.errorf("%s takes no block", name)
	}
	return nil
}

func unknown(d *caddyfile.Dispenser, known []string) error {
	hint := expr.Suggest(d.Val(), known)
	if hint == "" {
		hint = "; there are " + strings.Join(known, ", ")
	}
	return d.Errf("unrecognized subdirective %q%s", d.Val(), hint)
}

// check lets the engine check the configuration and gives every problem its place.
func (p *parser) check() error {
	host := core.Host{
		Placeholder: placeholder,
		Conditions:  make(map[string]func(*http.Request) bool),
		Handles:     p.rollout.handles(),
		Address:     checkDial,
	}
	if option, ok := p.Option(appID).(httpcaddyfile.App); ok {
		var app App
		if err := json.Unmarshal(option.Value, &app); err != nil {
			return err
		}
		host.Prometheus = app.Prometheus
	}
	for _, r := range p.rollout.Rules {
		if len(r.MatcherSetsRaw) > 0 {
			host.Conditions[r.Name] = func(*http.Request) bool { return false }
		}
	}
	if len(p.likePooled) > 0 && len(p.rollout.Upstreams) > 0 {
		at := p.likePooled[0]
		return at.errorf("%s: that one has nothing to copy, as proxy in upstreams says how its upstreams are reached", at.label)
	}
	config := p.rollout.config()
	config.Plan.Steps = slices.Clone(config.Plan.Steps)
	for i := range config.Plan.Steps {
		if step := &config.Plan.Steps[i]; strings.Contains(step.Confirm, "{") {
			step.Confirm = "http://placeholder" // which has its value only where Caddy runs
		}
	}
	return p.places.report(core.Check(config, host))
}

// unique makes sure that rollouts of one name are equal, in one configuration. They may be several: a snippet that two
// sites import, for instance.
func (p *parser) unique() error {
	specification, err := p.rollout.specification()
	if err != nil {
		return err
	}
	at := p.places["name"]
	key := "rollout " + p.rollout.Name
	first, ok := p.State[key].(declared)
	if ok && first.specification != specification {
		return at.errorf("rollout %s: the one at %s:%d %w", p.rollout.Name, first.token.File, first.token.Line, errDifferent)
	}
	p.State[key] = declared{specification: specification, token: at.token}
	return nil
}

// declared is a rollout that stands above.
type declared struct {
	specification string
	token         caddyfile.Token
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
