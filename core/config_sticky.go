package core

// Sticky lets clients keep the variant that they were assigned, whatever becomes of the weights. What the split or the
// router decided is remembered, for the baseline too; rules, fallback and the end of a rollout assign nobody.
type Sticky struct {
	// Mode is "cookie", which the client keeps, or "memory", which the gateway keeps for clients who say who they are.
	// Empty: nothing is remembered.
	Mode string `json:"mode,omitempty"`

	// TTL is how long a client keeps another variant than the baseline, counted from when it was assigned: a duration, a
	// time (RFC 3339), or "rollout", which is until a new revision or salt, a rollback, a restart or a promotion. Empty:
	// "rollout".
	TTL string `json:"ttl,omitempty"`

	// BaselineTTL is the same for clients of the baseline: after it they are asked again, and move on if the candidate
	// has grown. Empty: 5m.
	BaselineTTL string `json:"baseline_ttl,omitempty"`

	// Drain is for how long after a promotion by the plan, which there must be, clients may keep the baseline. Empty: not at
	// all.
	Drain string `json:"drain,omitempty"`

	// Name is the cookie's name. Over TLS it gets the prefix __Host-, unless Domain or Path are set. Empty: rollout_ and
	// the rollout's name.
	Name string `json:"name,omitempty"`

	// Secret holds the secrets that cookies are signed with, of 32 bytes at least: "env:NAME", "file:/path", or the text
	// itself, which a gateway may show to whoever can read its configuration. The first signs, and cookies by all of them
	// count, eight at most. Empty: one that the store keeps for all gateways, if they share one; else, in Caddy, one that
	// its storage keeps.
	Secret []string `json:"secret,omitempty"`

	// Domain is the cookie's Domain attribute. Empty: the host that the request names, and no other.
	Domain string `json:"domain,omitempty"`

	// Path is the cookie's Path attribute. Empty: "/".
	Path string `json:"path,omitempty"`

	// SameSite is the cookie's SameSite attribute: lax, strict or none. Empty: lax.
	SameSite string `json:"same_site,omitempty"`

	// Client holds the value expressions that identify a client to the memory, as in Key. Empty: the key does.
	Client []string `json:"client,omitempty"`

	// Capacity is how many clients the memory has room for; the least recently seen goes first. 0: 100,000.
	Capacity int `json:"capacity,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Router is a service that says which variant a client gets, where no rule and no assignment does. Where it does not
// answer, the split decides.
type Router struct {
	// URL is where questions are posted to, http:// or https://. Empty: there is no router.
	URL string `json:"url,omitempty"`

	// Client holds the value expressions that identify the client to the router, as in Key: without any of them it is not
	// asked. Empty: what identifies the client to the memory, or else the key, or else the id in the cookie.
	Client []string `json:"client,omitempty"`

	// Timeout bounds the wait for an answer, 30s at most. Empty: 500ms.
	Timeout string `json:"timeout,omitempty"`

	// TTL is the longest that an answer is remembered, whatever it says. Empty: 24h.
	TTL string `json:"ttl,omitempty"`

	// Headers are the request headers that the router is told. Empty: none.
	Headers []string `json:"headers,omitempty"`

	// Concurrency is how many questions may be open at once. 0: 100.
	Concurrency int `json:"concurrency,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
