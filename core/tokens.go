package core

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/identity"
)

const (
	defaultLeeway = 60 * time.Second
	maxLeeway     = 10 * time.Minute
)

// tokens is where a request's token is, and what verifies it.
type tokens struct {
	from     []*expr.Key // nil: the Authorization header
	verifier *identity.Verifier
}

// tokens reads how tokens are verified; nil if they are not.
func (c *checker) tokens(config JWT) *tokens {
	if fmt.Sprintf("%+v", config) == fmt.Sprintf("%+v", JWT{}) {
		return nil
	}
	c.rest("jwt.", config.Rest, []string{"from", "jwks", "secret", "issuer", "audience", "leeway"})
	t := &tokens{from: c.from(config.From)}
	t.verifier = identity.New(identity.Settings{
		Issuer: config.Issuer, Audience: config.Audience, Leeway: c.leeway(config.Leeway), Memory: c.host.tokens,
	})
	for i, audience := range config.Audience {
		if audience == "" {
			c.fail(fmt.Sprintf("jwt.audience[%d]", i), "an empty audience is none: leave it out")
		}
	}
	if config.JWKS == "" && config.Secret == "" {
		c.fail("jwt", "what are tokens verified with? Give jwks, the URL or the file of a key set, or a secret")
	}
	if config.JWKS != "" {
		c.keys(config.JWKS, t.verifier)
	}
	if config.Secret != "" {
		c.secret("jwt.secret", config.Secret, func(secret string) error { return t.verifier.SetSecret(secret) })
	}
	return t
}

// from reads where the token is. There is no claim() in it: claims come from the token.
func (c *checker) from(sources []string) []*expr.Key {
	var list []*expr.Key
	for i, source := range sources {
		path := fmt.Sprintf("jwt.from[%d]", i)
		key, problems := expr.ParseKey([]string{source}, c.exprHost())
		for k := range problems {
			for _, problem := range problems[k] {
				c.fail(path, "%v", problem)
			}
		}
		if key != nil && key.Random() {
			c.fail(path, "random() is no token")
		}
		list = append(list, key)
	}
	return list
}

func (c *checker) leeway(text string) time.Duration {
	if text == "" {
		return defaultLeeway
	}
	leeway, err := time.ParseDuration(text)
	switch {
	case err != nil || leeway < 0 || leeway%time.Second != 0:
		c.fail("jwt.leeway", "%q is not a duration of whole seconds such as 30s", text)
	case leeway > maxLeeway:
		c.fail("jwt.leeway", "%s is too long: clocks differ by %s at most", text, maxLeeway)
	}
	return leeway
}

// keys reads public keys from a URL or a file.
func (c *checker) keys(source string, v *identity.Verifier) {
	if c.host.dry && strings.Contains(source, "{") {
		return // a placeholder of the gateway, which has its value only there
	}
	var err error
	if strings.Contains(source, "://") {
		err = v.Fetch(source)
	} else {
		err = c.host.watch(source, func(content []byte) error { return v.LoadKeys(content) })
	}
	if err != nil {
		c.fail("jwt.jwks", "%v", err)
	}
}

// claimsOf returns the claims of a request's token, or nil if it has none that is verified.
func claimsOf(t *tokens, r *http.Request) [][]string {
	fields := r.Header["Authorization"]
	if t.from != nil || len(fields) == 0 {
		return claimsFrom(t, r)
	}
	token, ok := strings.CutPrefix(fields[0], "Bearer ") // as almost everybody writes it
	if !ok || strings.HasPrefix(token, " ") {
		token = bearer(fields[0], true)
	}
	return verified(t, token)
}

func claimsFrom(t *tokens, r *http.Request) [][]string {
	in := &expr.Input{Request: r}
	for _, key := range t.from {
		if token := bearer(expr.Read(key, in), false); token != "" {
			return verified(t, token)
		}
	}
	return nil
}

// verified returns a token's claims. It asks the clock itself, so that requests without a token carry no time along.
func verified(t *tokens, token string) [][]string {
	if token == "" {
		return nil
	}
	claims, _ := identity.Verify(t.verifier, token, time.Now())
	return claims
}

// bearer returns the token of a text, without the scheme that may or must be before it (RFC 6750, section 2.1), or "".
func bearer(text string, must bool) string {
	const scheme = "bearer "
	if len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) { // RFC 9110, section 11.1: any case
		return strings.Trim(text[len(scheme):], " ")
	}
	if must || strings.Contains(text, " ") { // another scheme
		return ""
	}
	return text
}

// RefusedTokens returns how often a token was found to have no claims, by the causes that occurred, always in the same
// order. Requests without a token do not count, nor do those whose token nothing asked for.
func (l *Live) RefusedTokens() []identity.Refused { return l.tokens.Refused() }
