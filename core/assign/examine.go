package assign

import (
	"net/http"
	"strings"
	"time"
)

// Found is a cookie of the right name in a request.
type Found struct {
	Name string

	// Genuine tells that one of the secrets signed it for this rollout. Then Assignment and ID say what is in it.
	Genuine    bool
	Assignment Assignment
	ID         string
}

// Examine returns the cookies among which [Find] looks for the first that is genuine. Nothing is remembered of them.
func (c *Cookie) Examine(r *http.Request) []Found {
	pair := c.Name(r.TLS != nil) + "="
	list := []Found{}
	for _, field := range r.Header["Cookie"] {
		for _, cookie := range strings.SplitN(field, ";", 1000) {
			value, found := strings.CutPrefix(strings.Trim(cookie, " \t"), pair)
			if !found {
				continue
			}
			one := Found{Name: strings.TrimSuffix(pair, "=")}
			if known := c.codec.verify(value); known != nil {
				one.Genuine = true
				one.Assignment = known.assignment
				one.ID = known.id
			}
			list = append(list, one)
			if one.Genuine || len(list) == maxTries {
				return list
			}
		}
	}
	return list
}

// Name returns the cookie's name over TLS, or over plain HTTP.
func (c *Cookie) Name(safe bool) string {
	if safe {
		return strings.TrimSuffix(c.safe.pair, "=")
	}
	return strings.TrimSuffix(c.plain.pair, "=")
}

// Blind tells that there is no secret to know genuine cookies by.
func (c *Cookie) Blind() bool { return len(c.codec.signers.Load().([]*signer)) == 0 }

// Peek returns a client's assignment, if one is remembered, and leaves the client's place among those to be forgotten as
// it is.
func (m *Memory) Peek(client string) (Assignment, bool) {
	key := named(client)
	m.mu.Lock()
	defer m.mu.Unlock()
	at, known := m.places[key]
	return m.entries[at].assignment, known
}

// Inquire asks the router about a client, as [Router.Ask] does, and neither counts nor remembers anything.
func (r *Router) Inquire(request *http.Request, client string, now time.Time) (Assignment, error) {
	quiet := &Router{settings: r.settings, counts: &RouterCounts{}, client: r.client}
	content, _, err := quiet.post(request, client)
	if err != nil {
		return Assignment{}, err
	}
	variant, expires, err := quiet.read(content, now)
	if err != nil {
		return Assignment{}, err
	}
	return Assignment{Variant: variant, Expires: expires}, nil
}
