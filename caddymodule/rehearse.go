package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
)

// Rehearse returns engines for the rollouts in a configuration of Caddy's, in their order there, to ask them what would
// become of requests: see [core.Rehearse]. Of the rest of the configuration nothing is loaded, and nothing is started. An
// adapter "" is the one that the file's name suggests.
func Rehearse(file, adapter string) ([]*core.Engine, error) {
	// What is wrong is returned. What is logged beside it would be a line for each of thousands of made-up clients, with
	// matchers of addresses that those do not have.
	ctx, err := caddy.ProvisionContext(&caddy.Config{Logging: &caddy.Logging{Logs: defaultLog("PANIC")}})
	if err != nil {
		return nil, err
	}
	content, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, err
	}
	var config struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, fmt.Errorf("%s: decoding the configuration: %w", file, err)
	}
	app := new(App)
	if common := config.Apps[appID]; common != nil {
		if err := caddy.StrictUnmarshalJSON(common, app); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, appID, err)
		}
	}
	handlers, err := handlersIn(config.Apps["http"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(handlers) == 0 {
		return nil, fmt.Errorf("%s: there is no rollout in it", file)
	}
	var engines []*core.Engine
	for _, h := range handlers {
		engine, err := h.rehearse(ctx, app)
		if err != nil {
			return nil, fmt.Errorf("%s: rollout %q: %w", file, h.Name, err)
		}
		engines = append(engines, engine)
	}
	return engines, nil
}

// rehearse compiles the rollout alone: its matchers, and none of its routes.
func (h *Handler) rehearse(ctx caddy.Context, app *App) (*core.Engine, error) {
	conditions, err := h.loadMatchers(ctx)
	if err != nil {
		return nil, err
	}
	common, config := resolved(app.common()), resolved(h.config())
	return core.Rehearse(config, core.Host{
		Placeholder: placeholder, Conditions: conditions, Handles: h.handles(), Address: checkDial, Geo: openGeo, Prepare: received,
		Prometheus: common.Prometheus, Notify: common.Notify, Member: common.Member,
	})
}

// handlersIn returns the rollouts of a configuration of the app http, each once.
func handlersIn(config json.RawMessage) ([]*Handler, error) {
	if config == nil {
		return nil, nil
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, err
	}
	var (
		handlers []*Handler
		problems []error
	)
	known := map[string]string{} // specifications by name
	each(tree, func(object map[string]any) {
		if object["handler"] != "rollout" {
			return
		}
		delete(object, "handler")
		text, err := json.Marshal(object)
		h := new(Handler)
		if err == nil {
			err = caddy.StrictUnmarshalJSON(text, h)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("decoding a rollout: %w", err))
			return
		}
		specification := fingerprint(text)
		switch before, again := known[h.Name]; {
		case !again:
			handlers = append(handlers, h)
		case before != specification:
			problems = append(problems, fmt.Errorf("rollout %q: another rollout %w", h.Name, errDifferent))
		}
		known[h.Name] = specification
	})
	return handlers, errors.Join(problems...)
}

// each visits all objects of a JSON document, lists in their order and members in that of their names.
func each(tree any, visit func(object map[string]any)) {
	switch tree := tree.(type) {
	case []any:
		for _, element := range tree {
			each(element, visit)
		}
	case map[string]any:
		visit(tree)
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			each(tree[name], visit)
		}
	}
}

// received makes of a request what Caddy's server makes of it before any handler: variables, with the client's address,
// and placeholders.
func received(r *http.Request, address string) *http.Request {
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, address)
	return r
}
