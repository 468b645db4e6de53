package core

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/expr"
)

// stickiness is how a rollout remembers assignments, read and checked. Nil: it remembers none.
type stickiness struct {
	cookie   *assign.Cookie         // nil: it keeps no cookies
	secret   *keptSecret            // of the cookies; nil: the configuration names it
	router   *assign.RouterSettings // nil: it asks nobody
	capacity int                    // of the memory; 0: it has none
	remember bool                   // the memory keeps what the split decides too

	client     *expr.Key // identifies clients to the memory; nil: the id in the cookie does
	identifies bool      // there is no key: what identifies the client in another way is the key

	ttl, baselineTTL assign.Term
	drain            time.Duration
}

const (
	maxTimeout     = 30 * time.Second
	maxConcurrency = 100_000
)

// stickiness reads what is said of assignments and of the router that makes them.
func (c *checker) stickiness(config Config) *stickiness {
	s, r := config.Sticky, config.Router
	c.rest("sticky.", s.Rest, []string{"mode", "ttl", "baseline_ttl", "drain", "name", "secret", "domain", "path", "same_site", "client", "capacity"})
	c.rest("router.", r.Rest, []string{"url", "client", "timeout", "ttl", "headers", "concurrency"})
	plan := &stickiness{identifies: len(config.Key) == 0, capacity: s.Capacity}
	switch s.Mode {
	case "cookie":
		c.foreign(s, "client", len(s.Client) > 0)
		c.foreign(s, "capacity", s.Capacity != 0 && r.URL == "")
		c.cookie(config.Name, s, plan)
	case "memory":
		c.foreign(s, "name", s.Name != "")
		c.foreign(s, "secret", len(s.Secret) > 0)
		c.foreign(s, "domain", s.Domain != "")
		c.foreign(s, "path", s.Path != "")
		c.foreign(s, "same_site", s.SameSite != "")
		plan.remember = true
	case "":
		if written(s) {
			c.fail("sticky.mode", `assignments are kept in a "cookie" or in "memory": which?`)
		}
	default:
		c.fail("sticky.mode", `unknown mode %q: there are "cookie" and "memory"`, s.Mode)
	}
	plan.ttl = c.term("sticky.ttl", s.TTL, assign.Rollout)
	plan.baselineTTL = c.term("sticky."+c.spelled("baseline_ttl"), s.BaselineTTL, "5m")
	plan.drain = c.atMost("sticky.drain", s.Drain, 0, 0)
	if plan.drain > 0 && len(config.Plan.Steps) == 0 {
		c.fail("sticky.drain", "it is about promotions, and without a plan there are none: leave it out, or give the rollout a plan")
	}
	if r.URL != "" {
		plan.router = c.router(r, plan)
	} else if fmt.Sprintf("%+v", r) != fmt.Sprintf("%+v", Router{Rest: r.Rest}) {
		c.fail("router.url", "a router needs an address, such as http://10.0.0.9:8080/route")
	}
	if plan.router == nil && s.Mode == "" {
		return nil
	}
	if plan.router == nil && !plan.remember {
		plan.capacity = 0
		return plan
	}
	if plan.capacity == 0 {
		plan.capacity = assign.DefaultCapacity
	}
	if plan.capacity < 1 || plan.capacity > assign.MaxCapacity {
		c.fail("sticky.capacity", "%d: a memory has room for 1 to %d clients", plan.capacity, assign.MaxCapacity)
	}
	plan.client = c.client(config, plan)
	return plan
}

// written reports whether anything is said of assignments.
func written(s Sticky) bool { return fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", Sticky{Rest: s.Rest}) }

// foreign reports a setting of the other mode.
func (c *checker) foreign(s Sticky, key string, set bool) {
	if set {
		c.fail("sticky."+c.spelled(key), "it means nothing in the mode %q", s.Mode)
	}
}

func (c *checker) term(path, text, otherwise string) assign.Term {
	if text == "" {
		text = otherwise
	}
	term, err := assign.ParseTerm(text)
	if err != nil {
		c.fail(path, "%v", err)
	}
	return term
}

// atMost reads a duration; limit 0 is none.
func (c *checker) atMost(path, text string, otherwise, limit time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		c.fail(path, "%q is not a duration such as 500ms or 1m30s", text)
		return otherwise
	}
	if limit > 0 && d > limit {
		c.fail(path, "%s is too long: %s at most", text, limit)
		return otherwise
	}
	return d
}

// client reads what identifies clients to the memory.
func (c *checker) client(config Config, plan *stickiness) *expr.Key {
	path, sources := "sticky.client", config.Sticky.Client
	switch {
	case len(sources) == 0:
		path, sources = "router.client", config.Router.Client
	case len(config.Router.Client) > 0 && strings.Join(sources, "\x00") != strings.Join(config.Router.Client, "\x00"):
		c.fail("router.client", "the router's answers and other assignments are in one memory: identify clients as in sticky.client, or leave this out")
	}
	if len(sources) == 0 {
		sources = config.Key
		if len(sources) == 0 && config.Sticky.Mode != "cookie" {
			if plan.remember {
				path = "sticky.client"
			}
			c.fail(path, `what identifies a client? Say it here, as by header("X-Client-Id"), or in a key`)
		}
		if len(sources) == 0 {
			return nil
		}
		client, _ := expr.ParseKey(sources, c.exprHost()) // whose problems were told
		return client
	}
	client, problems := expr.ParseKey(sources, c.exprHost())
	for i := range problems {
		for _, problem := range problems[i] {
			c.fail(fmt.Sprintf("%s[%d]", path, i), "%v", problem)
		}
	}
	if client != nil && client.Random() {
		c.fail(fmt.Sprintf("%s[%d]", path, len(sources)-1), "random() identifies nobody: leave it out")
	}
	return client
}

// cookie reads how assignments are kept in a cookie.
func (c *checker) cookie(rollout string, s Sticky, plan *stickiness) {
	settings := assign.CookieSettings{Name: s.Name, Domain: s.Domain, Path: s.Path, Identifies: plan.identifies}
	if s.Name == "" {
		settings.Name = "rollout_" + rollout
	}
	if !expr.IsToken(settings.Name) {
		c.fail("sticky.name", "%q is not a cookie name", s.Name)
	}
	if strings.HasPrefix(s.Name, "__") {
		c.fail("sticky.name", "%q: browsers give names with two underscores a meaning; over TLS __Host- is put before the name anyway", s.Name)
	}
	if !attribute(s.Domain) || strings.ContainsAny(s.Domain, "/:") {
		c.fail("sticky.domain", "%q is not a domain such as shop.example", s.Domain)
	}
	if !attribute(s.Path) || s.Path != "" && s.Path[0] != '/' {
		c.fail("sticky.path", "%q is not a path such as /shop", s.Path)
	}
	switch strings.ToLower(s.SameSite) {
	case "", "lax":
		settings.SameSite = "Lax"
	case "strict":
		settings.SameSite = "Strict"
	case "none":
		settings.SameSite = "None"
	default:
		c.fail("sticky."+c.spelled("same_site"), "%q: there are lax, strict and none", s.SameSite)
	}
	codec, kept := c.codec(rollout, s.Secret)
	plan.cookie = assign.NewCookie(codec, settings)
	plan.secret = kept
}

// attribute reports whether a text can stand in a cookie's attribute.
func attribute(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] <= ' ' || text[i] >= 0x7f || text[i] == ';' || text[i] == ',' {
			return false
		}
	}
	return true
}

// codec reads the secrets that cookies are signed with. If there are none the store's is used.
func (c *checker) codec(rollout string, secrets []string) (*assign.Codec, *keptSecret) {
	codec := assign.NewCodec(rollout)
	var kept *keptSecret
	if len(secrets) == 0 && !c.host.dry {
		kept = c.ownSecret(codec)
	}
	if len(secrets) > assign.MaxSecrets {
		c.fail("sticky.secret", "%d are too many: %d at most, each of which may be tried on a cookie", len(secrets), assign.MaxSecrets)
	}
	for i, secret := range secrets {
		i := i
		c.secret(fmt.Sprintf("sticky.secret[%d]", i), secret, func(secret string) error { return codec.SetSecret(i, secret) })
	}
	return codec, kept
}

// ownSecret takes the secret that the gateway's store keeps.
func (c *checker) ownSecret(codec *assign.Codec) *keptSecret {
	if c.host.Secrets == nil {
		c.fail("sticky.secret", "a cookie needs a secret of %d bytes at least, as env:NAME or file:/path; make one with: openssl rand -base64 32", assign.MinSecret)
		return nil
	}
	kept := &keptSecret{store: c.host.Secrets, codec: codec, known: c.host.secret}
	kept.begin()
	return kept
}

// router reads how the router is asked.
func (c *checker) router(r Router, plan *stickiness) *assign.RouterSettings {
	settings := &assign.RouterSettings{
		URL: r.URL, Concurrency: r.Concurrency,
		Timeout: c.atMost("router.timeout", r.Timeout, assign.DefaultTimeout, maxTimeout),
		Limit:   c.atMost("router.ttl", r.TTL, assign.DefaultLimit, 0),
	}
	placeholder := c.host.dry && strings.Contains(r.URL, "{")
	if address, err := url.Parse(r.URL); !placeholder && (err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https") {
		c.fail("router.url", "it is not an address such as http://10.0.0.9:8080/route") // which may contain a secret
	}
	if r.Concurrency == 0 {
		settings.Concurrency = assign.DefaultConcurrency
	}
	if settings.Concurrency < 1 || settings.Concurrency > maxConcurrency {
		c.fail("router.concurrency", "%d: there may be 1 to %d questions at once", r.Concurrency, maxConcurrency)
	}
	for i, header := range r.Headers {
		if !expr.IsToken(header) {
			c.fail(fmt.Sprintf("router.headers[%d]", i), "%q is not a header name", header)
		}
		settings.Headers = append(settings.Headers, http.CanonicalHeaderKey(header))
	}
	return settings
}
