package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

func init() {
	caddy.RegisterModule(new(Policy))
}

// Policy selects upstreams by weight and metadata, in any reverse_proxy: exactly by their weights over a period, fairly
// when some are down, and only those whose metadata the request asks for. It needs no rollout.
//
// A retry goes to an upstream that was not tried yet; if all were, to any that is available.
type Policy struct {
	// Upstreams say which weight and metadata the reverse_proxy's upstreams have, static or dynamic ones. An item is a
	// text such as "10.0.0.1:8080 weight=9 version=v1", or an object with address, weight and metadata. The address is
	// the one that is dialed; for SRV records it is the target, with its port; without a port it is every port of the
	// host. Weight 0 drains an upstream. Upstreams that are not mentioned have weight 1 and no metadata.
	Upstreams []any `json:"upstreams,omitempty"`

	// Subsets narrow the upstreams to those that a request asks for, in turn. Empty: all may serve every request.
	Subsets []core.Subset `json:"subsets,omitempty"`

	// Baseline selects the upstreams that serve where a subset says so: those whose metadata have all of these pairs.
	// Empty: all.
	Baseline map[string]any `json:"baseline,omitempty"`

	balancer *core.Balancer
	variant  int // of the balancer, that requests are for
	declared map[string]core.Upstream
	log      *zap.Logger
	triedKey string // of the replacer

	current atomic.Pointer[matched]
	mu      sync.Mutex // held while current is replaced
}

// matched are the upstreams of a reverse_proxy with what the policy says of them.
type matched struct {
	upstreams reverseproxy.UpstreamPool
	pools     *core.Pools
}

// CaddyModule returns the Caddy module information.
func (*Policy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.selection_policies.rollout",
		New: func() caddy.Module { return new(Policy) },
	}
}

// Provision reads and checks the configuration.
func (p *Policy) Provision(ctx caddy.Context) error {
	var problems []core.Problem
	p.balancer, problems = p.compile()
	if err := core.Join(problems); err != nil {
		return err
	}
	p.variant = p.balancer.Last()
	p.log = ctx.Logger()
	p.triedKey = fmt.Sprintf("http.reverse_proxy.rollout.%p", p)
	p.declared = make(map[string]core.Upstream)
	for _, u := range p.balancer.Upstreams() {
		p.declared[canonical(u.Name)] = u
	}
	return nil
}

func (p *Policy) compile() (*core.Balancer, []core.Problem) {
	return core.CompileBalancer(
		core.BalancerConfig{Upstreams: p.Upstreams, Subsets: p.Subsets, Baseline: p.Baseline},
		core.Host{Placeholder: placeholder, Address: checkDeclared},
	)
}

// checkDeclared returns what is wrong with an address by which a policy knows upstreams.
func checkDeclared(address string) error {
	if strings.Contains(address, "://") {
		return fmt.Errorf("%q has a scheme: write what is dialed, such as 10.0.0.1:8080", address)
	}
	return checkDial(address)
}

// canonical returns the spelling of an address by which declared and dialed ones are compared. Resolvers return names
// with a final dot.
func canonical(address string) string {
	network, host, port, err := caddy.SplitNetworkAddress(address)
	if err != nil || caddy.IsUnixNetwork(network) || caddy.IsFdNetwork(network) {
		return address
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if port == "" {
		return host
	}
	return caddy.JoinNetworkAddress("", host, port)
}

// Select returns the upstream whose turn it is, or nil if none is available that may serve the request.
func (p *Policy) Select(upstreams reverseproxy.UpstreamPool, r *http.Request, _ http.ResponseWriter) *reverseproxy.Upstream {
	if len(upstreams) == 0 {
		return nil
	}
	pools := p.match(upstreams).pools
	// The proxy empties the URL's host before it tries for the first time, and fills it in when it tries.
	if r.URL.Host != "" {
		return p.retry(pools, upstreams, r)
	}
	if len(p.Subsets) == 0 {
		if i := core.Next(pools, p.variant, r, ""); i >= 0 && upstreams[i].Available() {
			return upstreams[i]
		}
	}
	return at(upstreams, pick(pools, p.variant, upstreams, r, clientOf(r), nil).Upstream)
}

func at(upstreams reverseproxy.UpstreamPool, i int) *reverseproxy.Upstream {
	if i < 0 {
		return nil
	}
	return upstreams[i]
}

// retry selects for a request that an upstream failed to serve.
func (p *Policy) retry(pools *core.Pools, upstreams reverseproxy.UpstreamPool, r *http.Request) *reverseproxy.Upstream {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return at(upstreams, pick(pools, p.variant, upstreams, r, clientOf(r), nil).Upstream)
	}
	// Not among the variables, which no lock guards: the attempt before may still be dialing in the background.
	last, _ := replacer.GetString("http.reverse_proxy.upstream.address")
	before, _ := replacer.Get(p.triedKey)
	addresses, _ := before.([]string)
	addresses = append(addresses, canonical(last))
	var tried []int
	for i, u := range upstreams {
		if slices.Contains(addresses, canonical(u.Dial)) {
			tried = append(tried, i)
		}
	}
	chosen := pick(pools, p.variant, upstreams, r, clientOf(r), tried).Upstream
	if chosen < 0 { // all were tried: they get another chance
		addresses = nil
		chosen = pick(pools, p.variant, upstreams, r, clientOf(r), nil).Upstream
	}
	replacer.Set(p.triedKey, addresses)
	return at(upstreams, chosen)
}

// match returns what the policy says of the upstreams. Dynamic ones are new objects for every request, but mostly the
// same addresses.
func (p *Policy) match(upstreams reverseproxy.UpstreamPool) *matched {
	if m := p.current.Load(); m != nil && m.fits(upstreams) {
		return m
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.current.Load()
	if last != nil && last.fits(upstreams) {
		return last
	}
	var previous *core.Pools
	if last != nil {
		previous = last.pools
	}
	list := make([]core.Upstream, 0, len(upstreams))
	unknown := make([]string, 0, len(upstreams))
	for _, u := range upstreams {
		upstream, declared := p.lookup(u.Dial)
		if !declared {
			unknown = append(unknown, u.Dial)
		}
		list = append(list, upstream)
	}
	if last == nil && len(unknown) > 0 {
		p.log.Info("upstreams that the policy does not mention have weight 1 and no metadata", zap.Strings("upstreams", unknown))
	}
	m := &matched{upstreams: upstreams, pools: p.balancer.Pools(list, previous)}
	p.current.Store(m)
	return m
}

// lookup returns what is declared for an address, or for its host.
func (p *Policy) lookup(dial string) (core.Upstream, bool) {
	address := canonical(dial)
	declared, ok := p.declared[address]
	if !ok {
		if _, host, _, err := caddy.SplitNetworkAddress(address); err == nil {
			declared, ok = p.declared[canonical(host)]
		}
	}
	if !ok {
		declared = p.balancer.Upstream(address)
	}
	declared.Name = address
	return declared, ok
}

// fits reports whether these are the upstreams that were matched, by now perhaps other objects.
func (m *matched) fits(upstreams reverseproxy.UpstreamPool) bool {
	if len(m.upstreams) != len(upstreams) {
		return false
	}
	if &m.upstreams[0] == &upstreams[0] {
		return true
	}
	for i, u := range upstreams {
		if u.Dial != m.upstreams[i].Dial {
			return false
		}
	}
	return true
}

// search is what picking needs, used again and again.
type search struct {
	input     expr.Input
	upstreams reverseproxy.UpstreamPool
	available func(i int) bool
}

var searches = sync.Pool{New: func() any {
	s := new(search)
	s.available = func(i int) bool { return s.upstreams != nil && s.upstreams[i].Available() }
	return s
}}

// pick picks one of the upstreams for a request of a client with that address. Nil upstreams are not available.
func pick(pools *core.Pools, variant int, upstreams reverseproxy.UpstreamPool, r *http.Request, client string, tried []int) core.Pick {
	s := searches.Get().(*search)
	s.input = expr.Input{Request: r, Address: client}
	s.upstreams = upstreams
	picked := pools.Pick(variant, &s.input, s.available, tried)
	s.input, s.upstreams = expr.Input{}, nil
	searches.Put(s)
	return picked
}

// clientOf returns the client's address as Caddy resolved it.
func clientOf(r *http.Request) string {
	address, _ := varsOf(r)[caddyhttp.ClientIPVarKey].(string)
	return address
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Policy)(nil)
	_ reverseproxy.Selector = (*Policy)(nil)
)
