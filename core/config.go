package core

// Config is a rollout as a user writes it: the same fields in every gateway, in snake_case in Caddy's JSON and in
// camelCase in Traefik's YAML, TOML and labels. Durations, percentages, times and expressions are texts; [Compile] is
// the only place that reads and checks them.
type Config struct {
	// Name names the rollout in logs, headers and commands: a letter or digit, then letters, digits, dots, underscores
	// and hyphens, 64 characters at most. Required.
	Name string `json:"name,omitempty"`

	// Variants are the versions that can serve. The first is the baseline. At least one, and 256 at most.
	Variants []Variant `json:"variants,omitempty"`

	// Upstreams are a pool that variants share: each variant that is not reached in another way has those that its Where
	// selects. An item is a text,
	//
	//	<address> [weight=<n>] [<key>=<value>...]
	//
	// such as "10.0.0.1:8080 weight=9 version=v1", or a table with address, weight and metadata. Without a weight it is 1;
	// 0 drains the upstream. Empty: there is no shared pool.
	Upstreams []any `json:"upstreams,omitempty"`

	// Subsets narrow the pool of the variant that serves to the upstreams that a request asks for, in turn. Empty: every
	// upstream of a variant may serve each of its requests.
	Subsets []Subset `json:"subsets,omitempty"`

	// Rules send matching requests to a variant, whatever the split says. The first that matches decides. Empty: the
	// split decides everything.
	Rules []Rule `json:"rules,omitempty"`

	// Key holds the value expressions that identify a client for the split, such as cookie("uid") and ip(). The first
	// that is there and not empty counts; if none is, the base serves. random() as the last draws every such request
	// anew. Empty: every request is drawn anew.
	Key []string `json:"key,omitempty"`

	// Sticky lets clients keep the variant that they were assigned. Empty: key and weights alone decide, every time.
	Sticky Sticky `json:"sticky,omitzero"`

	// Router is a service that says which variant a client gets, before the split is asked. Empty: there is none.
	Router Router `json:"router,omitzero"`

	// Plan moves the candidate forward by itself. Empty: weights stay as they are, until somebody changes them.
	Plan Plan `json:"plan,omitzero"`

	// Mirrors send copies of requests to versions that no client sees, and compare the answers. Empty: nobody gets copies.
	Mirrors []Mirror `json:"mirrors,omitempty"`

	// Goals are what clients are to do: how many of each variant's clients do is counted and compared. 16 at most, and 64
	// variants beside them. Empty: nothing is.
	Goals []Goal `json:"goals,omitempty"`

	// Salt keeps the split independent of other rollouts: the same salt gives the same clients. Empty: the name.
	Salt string `json:"salt,omitempty"`

	// Revision says what is being released, such as "v2.3.1". It is part of the generation. Empty: what the gateway
	// derives from the candidate, if it can.
	Revision string `json:"revision,omitempty"`

	// JWT is how the tokens of requests are verified. Empty: claim() is an error.
	JWT JWT `json:"jwt,omitzero"`

	// Ends is the time (RFC 3339) from which only the baseline serves. Empty: never.
	Ends string `json:"ends,omitempty"`

	// Announce says who is told which variant serves.
	Announce Announce `json:"announce,omitzero"`

	// FallbackMethods are the methods of requests that the base may serve after the chosen variant failed before it
	// answered. Empty: GET, HEAD and OPTIONS. "none": never.
	FallbackMethods []string `json:"fallback_methods,omitempty"`

	// Observe is "off" where outcomes of requests must not be watched, which saves a little time. Empty: they are.
	Observe string `json:"observe,omitempty"`

	// Notify are those who are told what happens. Empty: nobody is.
	Notify []Notify `json:"notify,omitempty"`

	// Geo holds the files of databases in the MaxMind DB format that tell geo() where an address is: City, Country or
	// Enterprise, ASN or ISP. Of several, the first that knows a field answers it, unless it sees the address in another
	// country than those before. A file that changes is read again. Empty: geo() is an error.
	Geo []string `json:"geo,omitempty"`

	// TrustedProxies holds the CIDRs of proxies that are believed who the client is, where the gateway does not resolve the
	// client's address itself (Traefik). Empty: the client is who connects.
	TrustedProxies []string `json:"-"`

	// ClientHeader is the header in which all trusted proxies write it: Forwarded, as RFC 7239 has it, or any that holds
	// addresses with commas between them. No other header is looked at, because a proxy passes on what clients write in
	// those. Empty: X-Forwarded-For.
	ClientHeader string `json:"-"`

	// Proxy is what every variant with upstreams has in common, where the gateway has no proxy of its own for variants
	// (Traefik). A variant's own settings take precedence, one by one.
	Proxy Proxy `json:"-"`

	// Store is where the state is kept, where the gateway has no place of its own for what its rollouts have in common, as
	// for the next two (Traefik).
	Store Store `json:"-"`

	// Prometheus is the server that prometheus() asks. Empty: prometheus() is an error.
	Prometheus Prometheus `json:"-"`

	// Member is the name that this gateway goes by in what it tells others. Empty: none; among gateways that share a store
	// that of its machine.
	Member string `json:"-"`

	// Control makes of this no rollout, but the place where all rollouts of the gateway can be seen and commanded: nothing
	// else may be written then (Traefik).
	Control Control `json:"-"`

	// Rest catches keys that are none of the above, where a host's decoder drops them in silence. Each is an error.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Variant is one version that can serve.
type Variant struct {
	// Name names the variant, in the characters of a rollout's name. Required, unique.
	Name string `json:"name,omitempty"`

	// Weight is the variant's share of the split, in percent: "5", "5%", "0.25%", at most six decimals. Empty: 0. The
	// baseline takes what the others leave; if it has a weight, all weights must add up to exactly 100%.
	Weight string `json:"weight,omitempty"`

	// Order sorts the variants where a configuration cannot hold them in order: by this number, then as they come.
	// 0 for all: as they come.
	Order int `json:"order,omitempty"`

	// Upstreams are the addresses to which the engine's host proxies this variant's requests itself, each with a weight
	// and metadata as in Config.Upstreams. For Traefik they are http:// and https:// URLs, or srv+http:// and srv+https://
	// with a name whose SRV records lead to the addresses. Empty: the gateway reaches the variant in its own way, or by
	// the shared pool.
	Upstreams []any `json:"-"`

	// Where selects the variant's upstreams from the shared pool: those whose metadata have all of these pairs, which are
	// texts. Empty: all of them.
	Where map[string]any `json:"where,omitempty"`

	// Proxy is how the upstreams are reached, beyond what the rollout's Proxy says.
	Proxy Proxy `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Subset narrows a variant's pool by one key of its upstreams' metadata.
type Subset struct {
	// Key is the key of the metadata, such as version. Required, unique.
	Key string `json:"key,omitempty"`

	// Value is the expression whose value the metadata must equal, such as header("X-Version"). A request in which it is
	// absent or empty is not narrowed down. Required.
	Value string `json:"value,omitempty"`

	// Otherwise says who serves if no upstream of the variant has the value: "baseline", "any" upstream of the variant, or
	// "none", which is a 503. Empty: baseline.
	Otherwise string `json:"otherwise,omitempty"`

	// Order sorts the subsets, as in Variant.
	Order int `json:"order,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Proxy is how upstreams are reached. Durations are texts such as 500ms or 1m30s.
type Proxy struct {
	// DialTimeout bounds connecting. Empty: 5s.
	DialTimeout string `json:"-"`

	// ResponseTimeout bounds the wait for the header of the response. Empty: no bound, as with Traefik's own services.
	ResponseTimeout string `json:"-"`

	// IdleTimeout is how long an unused connection is kept. Empty: 90s.
	IdleTimeout string `json:"-"`

	// MaxIdle is how many unused connections are kept for each address. 0: 200.
	MaxIdle int `json:"-"`

	// PassHost is "false" where the upstream gets its own address as the Host header instead of the client's. Empty:
	// the client's.
	PassHost string `json:"-"`

	// HTTP2 is "false" where HTTP/2 must not be spoken to https upstreams. Empty: it is, if they offer it.
	HTTP2 string `json:"-"`

	// Resolver is the address of the name server that knows the upstreams, such as 127.0.0.1:8600: their SRV records, and
	// the hosts that these or the addresses name. Empty: the system's.
	Resolver string `json:"-"`

	// TLS is how https upstreams are met.
	TLS TLS `json:"-"`

	// Retries is how many other upstreams of the variant get a request that one did not answer, before the base does; for
	// the FallbackMethods. "0": none. Empty: 2.
	Retries string `json:"-"`

	// PassiveHealthCheck leaves upstreams alone for a while that do not answer requests.
	PassiveHealthCheck PassiveHealthCheck `json:"-"`

	// HealthCheck leaves upstreams alone that do not answer requests of the gateway's own.
	HealthCheck HealthCheck `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// PassiveHealthCheck is when failed requests take an upstream out, and for how long. When that time is over, one request
// tries it: an answer takes it back, and a failure doubles the time. A failure is a connection that cannot be made or
// breaks off before the answer, or an answer that is too late.
type PassiveHealthCheck struct {
	// Failures is how many in a row take an upstream out. "0": none do. Empty: 3.
	Failures string `json:"-"`

	// Statuses are answers that are failures too, such as 503: from 500 to 599. Empty: none.
	Statuses []string `json:"-"`

	// Backoff is how long an upstream is out the first time. Empty: 1s.
	Backoff string `json:"-"`

	// MaxBackoff is how long at most. Empty: 30s, or Backoff if that is longer.
	MaxBackoff string `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// HealthCheck is a GET that the gateway sends to every upstream from time to time. One that is not answered as expected
// takes the upstream out, and the next that is takes it back.
type HealthCheck struct {
	// Path is asked of every address, such as /healthz, with a query if it has one. Empty: there are no checks.
	Path string `json:"-"`

	// Interval is the time from one check to the next, give or take a tenth. Empty: 10s.
	Interval string `json:"-"`

	// Timeout bounds the wait for the answer. Empty: 5s.
	Timeout string `json:"-"`

	// Status is the answer that is expected. Empty: any from 200 to 399.
	Status string `json:"-"`

	// Hostname is the Host header. Empty: that of the address.
	Hostname string `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// TLS is how https upstreams are met. Certificates and keys are PEM: "file:/path", "env:NAME", or the text itself, which
// a gateway may show to whoever can read its configuration.
type TLS struct {
	// CA holds the certificate authorities that an upstream's certificate must come from. Empty: the system's.
	CA string `json:"-"`

	// Certificate authenticates the gateway to the upstream. Empty: nothing does.
	Certificate string `json:"-"`

	// Key is that of the certificate: both or none.
	Key string `json:"-"`

	// ServerName is the name that the upstream's certificate must be for. Empty: the host of its address.
	ServerName string `json:"-"`

	// UnsafeSkipVerify is "true" where any certificate will do, so that anybody in between can read and answer.
	UnsafeSkipVerify string `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Rule sends matching requests to a variant.
type Rule struct {
	// Name names the rule in logs, and is part of the salt of its percentage. Required, unique.
	Name string `json:"name,omitempty"`

	// Use is the name of the variant that serves. Required.
	Use string `json:"use,omitempty"`

	// Percent is the share of clients that the rule takes of those that match; the others go on to the next rule.
	// Empty: 100%.
	Percent string `json:"percent,omitempty"`

	// When is the condition. Required unless the gateway brings a condition of its own for the rule.
	When string `json:"when,omitempty"`

	// Order sorts the rules, as in Variant.
	Order int `json:"order,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Announce says who is told which variant serves a request.
type Announce struct {
	// Request is the header that tells the upstream. What a client sends in it, in any spelling, is removed. Empty:
	// X-Rollout-Variant. "off": the upstream is not told.
	Request string `json:"request,omitempty"`

	// Response is the header that tells the client. Empty: the client is not told.
	Response string `json:"response,omitempty"`

	// Baggage tells the upstream in the W3C baggage header too, as the member rollout.<name>=<variant>, which services
	// with OpenTelemetry hand on to the services that they call.
	Baggage bool `json:"baggage,omitempty"`

	// Follow holds the CIDRs of callers whose announcement decides: a request that arrives directly from one of them
	// with the baggage member of this rollout, or else with the request header, gets the variant named there, so that
	// one user meets one version across services. Empty: nobody is followed.
	Follow []string `json:"follow,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
