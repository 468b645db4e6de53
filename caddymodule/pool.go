package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// pool is the reverse_proxy that all variants without routes share, so that an upstream's health is checked once. It
// selects the upstreams itself.
type pool struct {
	proxy  *reverseproxy.Handler
	pools  *core.Pools
	plain  bool         // whether no subset narrows
	told   string       // the variable that leads to a request's turn
	warned atomic.Int64 // Unix second of the last warning that a variant has no upstream available
}

// handles names the variants that have routes of their own.
func (h *Handler) handles() map[string]bool {
	handles := make(map[string]bool)
	for _, v := range h.Variants {
		handles[v.Name] = len(v.Routes) > 0
	}
	return handles
}

// loadPool finds the pool of the rollout. Its first handler makes it.
func (h *Handler) loadPool(ctx caddy.Context, r *rollout) (err error) {
	switch {
	case r.engine.Balancer() != nil && r.pool == nil:
		r.pool, err = h.newPool(ctx)
	case r.engine.Balancer() == nil && len(h.Proxy) > 0:
		err = errors.New("there are no upstreams that it could proxy to")
	}
	h.pool = r.pool
	return err
}

// newPool loads the reverse_proxy of the rollout's upstreams.
func (h *Handler) newPool(ctx caddy.Context) (*pool, error) {
	declared := h.engine.Balancer().Upstreams()
	proxy := new(reverseproxy.Handler)
	if len(h.Proxy) > 0 {
		if err := caddy.StrictUnmarshalJSON(h.Proxy, proxy); err != nil {
			return nil, err
		}
	}
	switch {
	case len(proxy.Upstreams) > 0 || proxy.DynamicUpstreamsRaw != nil:
		return nil, errors.New("the upstreams of the shared proxy stand in the rollout's own field upstreams; " +
			"for dynamic ones, give a variant a reverse_proxy of its own, with the selection policy rollout")
	case proxy.LoadBalancing != nil && proxy.LoadBalancing.SelectionPolicyRaw != nil:
		return nil, errors.New("load_balancing.selection_policy: the rollout itself selects the upstreams of the shared proxy")
	}
	for _, u := range declared {
		proxy.Upstreams = append(proxy.Upstreams, &reverseproxy.Upstream{Dial: u.Name})
	}
	config, err := json.Marshal(proxy)
	if err != nil {
		return nil, err
	}
	module, err := ctx.LoadModuleByID("http.handlers.reverse_proxy", config)
	if err != nil {
		return nil, err
	}
	p := &pool{
		proxy: module.(*reverseproxy.Handler), pools: h.engine.Pools(declared), plain: len(h.Subsets) == 0, told: h.keys.told,
	}
	p.proxy.LoadBalancing.SelectionPolicy = p
	p.pools.Observe(p)
	return p, nil
}

// checkDial returns what is wrong with an address that is to be dialed. Caddy replaces its placeholders later.
func checkDial(address string) error {
	if strings.Contains(address, "{") {
		return nil
	}
	parsed, err := caddy.ParseNetworkAddress(address)
	switch {
	case err != nil:
		return fmt.Errorf("%q cannot be dialed: %w", address, err)
	case parsed.PortRangeSize() != 1:
		return fmt.Errorf("%q is several ports: an upstream has one", address)
	}
	return nil
}

// Available reports whether an upstream can get a request now.
func (p *pool) Available(upstream int) bool { return p.proxy.Upstreams[upstream].Available() }

// served returns a variant that the shared proxy serves.
func (p *pool) served(name string) served {
	return served{name: name, handlers: []caddyhttp.MiddlewareHandler{p.proxy}, aside: isPlainProxy(p.proxy), pooled: true}
}

// choice is who is to serve a request.
type choice struct {
	core.Decision
	client   string         // its address
	upstream int            // the first to try; -1 if none is available, or the variant has routes of its own
	refusal  error          // why nobody may
	copies   *mirror.Copies // of the request; nil: nothing has to be told them
	saved    *attempt       // what is restored for the baseline to answer in its place; nil: it does not
}

// yields reports whether the baseline may serve in the place of the chosen variant. It may not if a subset says so.
func (h *Handler) yields(c choice, r *http.Request) bool {
	return !h.variants[c.Index].pooled || pick(h.pool.pools, c.Index, nil, r, c.client, nil).Variant != c.Index
}

// choose finds the upstream for a decision; if the variant has none, the baseline's. tried failed to serve this request.
func (h *Handler) choose(d core.Decision, r *http.Request, client string, tried []int) choice {
	c := choice{Decision: d, client: client, upstream: -1}
	if !h.variants[d.Index].pooled {
		return c
	}
	p := h.pool
	if p.plain && len(tried) == 0 {
		if i := core.Next(p.pools, d.Index, r, client); i >= 0 && p.proxy.Upstreams[i].Available() {
			c.upstream = i
			return c
		}
	}
	picked := pick(p.pools, d.Index, p.proxy.Upstreams, r, client, tried)
	c.upstream = picked.Upstream
	if picked.Variant != d.Index {
		if picked.Failed {
			h.unavailable(d)
		}
		c.Decision = h.engine.Fallback(d)
	}
	// Where upstreams are only not available, the proxy may wait for one, as it is configured.
	if picked.Problem != "" && !picked.Failed {
		c.refusal = caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("rollout %q: %s", h.Name, picked.Problem))
	}
	return c
}
