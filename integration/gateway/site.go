// Package gateway runs real gateways for the scenarios: it renders a neutral description of a site
// into the words of one product, starts that product's binary, and talks to it as its clients do.
package gateway

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Site is what a gateway serves in a scenario, in no product's words.
type Site struct {
	Rollouts []Rollout
	// TrustedProxies are the CIDRs whose X-Forwarded-For is believed; none by default.
	TrustedProxies []string
	// ClientHeader is the header that they write instead of it.
	ClientHeader string
	// AliasHeaders lets the spellings of X-Rollout-Variant with "_" through, where a host would drop
	// them by itself.
	AliasHeaders bool
	// TLS serves the site over HTTPS too, with HTTP/2 and HTTP/3.
	TLS bool
	// Routers names the routers of Rollouts, and their middlewares, where a host has such; empty: each is
	// named as its rollout.
	Routers []string
	// Verbose has the gateway log what happens, and not only what is wrong.
	Verbose bool
	// Control has the control API where a gateway has to be told.
	Control bool
	// StateInFile keeps the state of rollouts in Gateway.StateFile; false: where the gateway does by default.
	StateInFile bool
	// Etcd are the members of a cluster that keeps it, where gateways share it; empty: none does.
	Etcd []string
	// EtcdAccess is what the cluster asks for; empty: nothing.
	EtcdAccess EtcdAccess
	// Storage is the directory of a Caddy's storage, which several may share; empty: each has its own.
	Storage string
	// Member is the name of the gateway among those that share a cluster; empty: its machine's.
	Member string
	// Prometheus is the address of the server that checks ask; empty: none.
	Prometheus string
	// Verbatim is used instead of Rollouts, in the language of the only host of the scenario: a
	// text/template with {{site}}, {{other}} (two free addresses), {{upstream "name"}}, {{probe "rollout"}} and {{dir}}
	// for Caddy, and for Traefik {{routers}} and {{middlewares}} (to begin these sections with), {{entryPoints}} and
	// {{upstream "name"}}.
	Verbatim string
	// Traces has the gateway send its spans to the backend "collector".
	Traces bool
	// Weighed has the gateway collect its garbage as often as by default, because somebody watches its memory, or what ends
	// when nothing refers to it any more.
	Weighed bool
}

func (s Site) logLevel() string {
	if s.Verbose {
		return "INFO"
	}
	return "WARN"
}

// Rollout is the neutral twin of core.Config: the same words, as they stand in the documentation.
type Rollout struct {
	Name     string
	Path     string // only requests under this path, "/a/*"; empty: all
	Revision string
	Salt     string
	Variants []Variant
	// Upstreams are the pool that variants share which name no upstreams of their own.
	Upstreams []Upstream
	Subsets   []Subset
	// Retries is how often the gateway tries another upstream at most; 0: its default.
	Retries int
	// Unwatched has upstreams that fail get requests all the same, where a gateway would leave them alone by default.
	Unwatched bool
	// Checked is what upstreams are asked for once a second, where the rollout has a proxy of its own; empty: they are not.
	Checked  string
	Rules    []Rule
	Key      []string
	Sticky   Sticky
	Router   Router
	Plan     Plan
	Notify   []Notify
	Mirrors  []Mirror
	Goals    []Goal
	JWT      JWT
	Announce Announce
	Fallback []string // methods
	Ends     string
	Geo      []string // files
}

// Variant is a version and what reaches it.
type Variant struct {
	Name   string
	Weight string
	// Backend names the variant's backend; empty: as the variant.
	Backend string
	// Upstreams is filled in with the address of its backend if it is empty, and the rollout has no pool.
	Upstreams []string
	// Where selects upstreams of the pool by their metadata.
	Where map[string]string
}

// Upstream is the backend of that name in a pool.
type Upstream struct {
	Backend  string
	Weight   string // empty: left out
	Metadata map[string]string
}

// Text writes the upstream with an address in the words that all gateways share.
func (u Upstream) Text(address string) string {
	if u.Weight != "" {
		address += " weight=" + u.Weight
	}
	return address + pairs(u.Metadata)
}

// pairs writes metadata, each pair after a blank.
func pairs(metadata map[string]string) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		text.WriteString(" " + key + "=" + metadata[key])
	}
	return text.String()
}

// Subset narrows a pool to the upstreams whose metadata have the value.
type Subset struct{ Key, Value, Otherwise string }

// Rule sends what meets its condition to the variant Use, or Percent of it.
type Rule struct{ Name, Use, Percent, When string }

// Announce tells the decision to others.
type Announce struct {
	Request  string // header for the upstream; empty: the default, "off": none
	Response string // header for the client; empty: none
	Baggage  bool
	Follow   []string // CIDRs of peers whose announcement decides
}

// Decision is what a gateway recorded about one request.
type Decision struct{ Variant, Reason, Rule string }

// String is "variant reason", with the rule after a colon: "canary rule:qa".
func (d Decision) String() string {
	s := d.Variant
	if d.Reason != "" {
		s += " " + d.Reason
	}
	if d.Rule != "" {
		s += ":" + d.Rule
	}
	return s
}

// Host is one product in one mode.
type Host interface {
	Name() string
	Traits() Traits
	// launch starts the product with g.Site and returns when it answers.
	launch(g *Gateway) instance
}

// Traits are how products differ where a scenario has to know.
type Traits struct {
	// Reasons tells that a decision's reason and rule can be seen from outside, not the variant alone.
	Reasons bool
	// Trailers tells that the trailers of a request reach the backend.
	Trailers bool
	// Keeps tells that a configuration with an error leaves the one before serving.
	Keeps bool
	// Fallback tells that the baseline answers for a variant that does not, where a request may be repeated.
	Fallback bool
}

// instance is a running product.
type instance interface {
	// load replaces the configuration, as Gateway.Load says.
	load(Site) error
	// settle waits until nothing of the configuration before takes requests.
	settle(testing.TB)
	// decision returns what was recorded for the request with this probe header.
	decision(rollout, probe string) (Decision, error)
	// log is everything logged so far, without the access log.
	log() string
	// control is the address of the control API's list of rollouts, and the token that it wants, if any.
	control() (url, token string)
	// metrics is the same of what Prometheus is shown.
	metrics() (url, token string)
	// configuration is the address under which the product's own API shows what runs.
	configuration() (url string)
	// kill ends the process at once, and start starts one in its place, with what the last load said.
	kill()
	start()
	// root is the file of the certificate authority that the site's certificate is from.
	root() string
	// pid is the process's.
	pid() int
	// pprof is the address under which the profiles of net/http/pprof are.
	pprof() string
}
