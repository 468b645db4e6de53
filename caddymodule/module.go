// Package caddymodule is the Caddy host of Grayling: the HTTP handler http.handlers.rollout with its Caddyfile
// directive rollout, and the app rollouts, which keeps what rollouts remember over reloads.
package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	_ "time/tzdata" // plans go by hours of time zones, and not every machine knows them

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler decides which variant of a service answers each request, and observes how that variant does.
//
// The same rollout may stand in several routes and servers of one configuration, as it does when a site has several
// addresses or a snippet is imported twice: handlers of one name share their state, and must be equal.
//
// It sets these placeholders before the variant runs:
//
// Placeholder | Description
// ------------|---------------
// `{http.rollout.<name>.variant}` | The variant that serves
// `{http.rollout.<name>.reason}` | Why: `followed`, `rule`, `assigned`, `router`, `split`, `base`, `fallback` or `rolled_back`
// `{http.rollout.<name>.rule}` | The rule that decided, if the reason is `rule`
// `{http.vars.rollout_variant}` | The variant of the rollout that decided last
//
// The access log gets the fields `rollout_<name>` and `rollout_<name>_reason`, and the trace span, if there is one, the
// attributes `rollout.<name>.variant` and `rollout.<name>.reason`.
type Handler struct {
	core.Config

	// Variants are the versions that can serve. The first is the baseline. At least one.
	Variants []Variant `json:"variants,omitempty"`

	// Proxy configures the reverse_proxy that all variants share which take their upstreams from the field upstreams, as
	// http.handlers.reverse_proxy does, but for upstreams and selection policy. Empty: Caddy's defaults.
	Proxy json.RawMessage `json:"proxy,omitempty"`

	// Rules send matching requests to a variant, whatever the split says. The first that matches decides.
	Rules []Rule `json:"rules,omitempty"`

	engine   *core.Engine
	pool     *pool // nil if no variant needs it
	log      *zap.Logger
	variants []served
	keys     keys
	nextKey  string  // of the variable that holds the handler after this one
	logged   bool    // whether the server may have an access log
	sender   *sender // nil without mirrors
}

// Variant is one version that can serve.
type Variant struct {
	core.Variant

	// Routes answer the requests that the variant gets. Requests that no route answers go on to the handler after the
	// rollout. Empty: the upstreams that where selects answer; if the rollout has none, the handler after it.
	Routes caddyhttp.RouteList `json:"routes,omitempty"`
}

// Rule sends matching requests to a variant.
type Rule struct {
	core.Rule

	// MatcherSetsRaw are Caddy's own matchers, in the place of a condition: matchers of one set are ANDed, sets are
	// ORed.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
}

// keys are the names under which a decision is told, composed once.
type keys struct {
	variant, reason, rule         string // placeholders
	logVariant, logReason         string
	attributeVariant, attributeBy string
	told, response                string // variables
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.rollout",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision loads the variants' routes and the rules' matchers and compiles the rollout.
func (h *Handler) Provision(ctx caddy.Context) error {
	specification, err := h.specification()
	if err != nil {
		return err
	}
	conditions, err := h.loadMatchers(ctx)
	if err != nil {
		return err
	}
	h.log = ctx.Logger()
	h.nextKey = fmt.Sprintf("rollout_next_%p", h)
	h.keys = keys{
		variant: "http.rollout." + h.Name + ".variant", reason: "http.rollout." + h.Name + ".reason",
		rule: "http.rollout." + h.Name + ".rule", logVariant: "rollout_" + h.Name, logReason: "rollout_" + h.Name + "_reason",
		attributeVariant: "rollout." + h.Name + ".variant", attributeBy: "rollout." + h.Name + ".reason",
		told: "rollout_told_" + h.Name, response: "rollout_response_" + h.Name,
	}
	h.sender = newSender(h)
	module, err := ctx.App(appID)
	if err != nil {
		return err
	}
	app := module.(*App)
	compiled, err := app.rollout(h.Config, specification, func(live *core.Live) (*core.Engine, error) {
		warnOfShownSecrets(h.Config, h.log)
		host := app.host(h.Name)
		host.Prepare = received
		host.Placeholder, host.Conditions, host.Handles, host.Address = placeholder, conditions, h.handles(), checkDial
		host.Log, host.Geo = ctx.Slogger(), openGeo
		if h.sender != nil {
			host.Copy, host.Detach = h.sender.send, h.sender.detach
		}
		return core.Compile(resolved(h.config()), live, host)
	})
	if err != nil {
		return fmt.Errorf("rollout %q: %w", h.Name, err)
	}
	h.engine = compiled.engine
	if err := h.loadPool(ctx, compiled); err != nil {
		return fmt.Errorf("rollout %q: proxy: %w", h.Name, err)
	}
	return h.loadRoutes(ctx)
}

// loadRoutes makes the routes of every variant ready once, in the order of the engine's variants.
func (h *Handler) loadRoutes(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.logged = !ok || server.Logs != nil
	traced := ok && server.Logs != nil && server.Logs.Trace
	byName := make(map[string]*Variant, len(h.Variants))
	for i := range h.Variants {
		byName[h.Variants[i].Name] = &h.Variants[i]
	}
	for _, name := range h.engine.Variants() {
		routes := byName[name].Routes
		if len(routes) == 0 && h.pool != nil {
			h.variants = append(h.variants, h.pool.served(name))
			continue
		}
		if err := routes.Provision(ctx); err != nil {
			return fmt.Errorf("rollout %q: variant %q: %w", h.Name, name, err)
		}
		h.variants = append(h.variants, newServed(name, routes, caddyhttp.HandlerFunc(h.serveNext), traced))
	}
	return nil
}

// loadMatchers returns the rules' matchers as conditions, by the rules' names. A matcher that fails panics, and the
// engine makes that the base.
func (h *Handler) loadMatchers(ctx caddy.Context) (map[string]func(*http.Request) bool, error) {
	conditions := make(map[string]func(*http.Request) bool)
	for i := range h.Rules {
		rule := &h.Rules[i]
		if len(rule.MatcherSetsRaw) == 0 {
			continue
		}
		loaded, err := ctx.LoadModule(rule, "MatcherSetsRaw")
		if err != nil {
			return nil, fmt.Errorf("rollout %q: rule %q: loading matchers: %w", h.Name, rule.Name, err)
		}
		var sets caddyhttp.MatcherSets
		if err := sets.FromInterface(loaded); err != nil {
			return nil, fmt.Errorf("rollout %q: rule %q: %w", h.Name, rule.Name, err)
		}
		conditions[rule.Name] = func(r *http.Request) bool {
			matches, err := sets.AnyMatchWithError(r)
			if err != nil {
				panic(fmt.Errorf("rule %q: %w", rule.Name, err))
			}
			return matches
		}
	}
	return conditions, nil
}

// config returns the part of the specification that the engine reads.
func (h *Handler) config() core.Config {
	config := h.Config
	config.Variants, config.Rules = nil, nil
	for _, v := range h.Variants {
		config.Variants = append(config.Variants, v.Variant)
	}
	for _, r := range h.Rules {
		config.Rules = append(config.Rules, r.Rule)
	}
	if config.Revision == "" {
		config.Revision = derivedRevision(h.Variants, h.Plan.Candidate)
	}
	return config
}

// placeholder returns a placeholder's value for expressions.
func placeholder(r *http.Request, name string) (string, bool) {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", false
	}
	value, ok := replacer.Get(name)
	if !ok || value == nil {
		return "", false
	}
	return caddy.ToString(value), true
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
