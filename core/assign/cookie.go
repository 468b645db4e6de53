package assign

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CookieSettings say how browsers keep a rollout's cookie.
type CookieSettings struct {
	// Name is the cookie's name, without the prefix that it gets over TLS.
	Name string

	// Domain and Path widen and narrow where the browser sends the cookie. Empty: the host that set it, and all paths.
	Domain, Path string

	// SameSite is Lax, Strict or None.
	SameSite string

	// Identifies tells that the id in the cookie is what the client is known by, so that the cookie has to outlive the
	// assignments in it.
	Identifies bool
}

// Cookie is a rollout's cookie. It is safe for concurrent use.
type Cookie struct {
	codec       *Codec
	plain, safe cookieForm // for requests over plain HTTP, and over TLS
	identifies  bool
}

// cookieForm is a cookie's name and attributes.
type cookieForm struct {
	pair       string // the name with an equals sign
	attributes string // all but Max-Age
}

// maxAge is how long a cookie lasts at most, as browsers have it (RFC 6265bis, section 5.5).
const maxAge = 400 * 24 * time.Hour

// NewCookie returns the cookie of a codec.
//
// Over TLS it is Secure, and unless it has a domain or path of its own its name has the prefix __Host-, so that no
// other host and nobody on the way can set it (RFC 6265bis, section 4.1.3). Scripts never see it.
func NewCookie(codec *Codec, s CookieSettings) *Cookie {
	path := s.Path
	prefix := ""
	if path == "" {
		path = "/"
		if s.Domain == "" {
			prefix = "__Host-"
		}
	}
	attributes := "; Path=" + path
	if s.Domain != "" {
		attributes += "; Domain=" + s.Domain
	}
	attributes += "; HttpOnly; SameSite=" + s.SameSite
	return &Cookie{
		codec: codec, identifies: s.Identifies,
		plain: cookieForm{pair: s.Name + "=", attributes: attributes},
		safe:  cookieForm{pair: prefix + s.Name + "=", attributes: attributes + "; Secure"},
	}
}

// Header returns the field of a Set-Cookie header that gives the assignment to the client with that id. It is empty if
// there is no secret yet.
func (c *Cookie) Header(r *http.Request, a Assignment, id string, now time.Time) string {
	value := c.codec.Seal(a, id)
	if value == "" {
		return ""
	}
	form := c.plain
	if r.TLS != nil {
		form = c.safe
	}
	lasts := maxAge
	if left := time.Duration(a.Expires-now.UnixMilli()) * time.Millisecond; !c.identifies && a.Expires < Never && left < maxAge {
		lasts = left + time.Second // browsers count in seconds: the assignment ends first
	}
	return form.pair + value + "; Max-Age=" + strconv.FormatInt(int64(lasts/time.Second), 10) + form.attributes
}

// maxTries is how many cookies of the right name are looked at in one request: somebody else may have set one for a
// wider domain, and whoever sends a thousand does not mean it.
const maxTries = 4

// Find returns the assignment and the client's id of the first genuine cookie in a request, and false if there is none.
// It is a function for the reason that [Open] gives.
func Find(c *Cookie, r *http.Request) (Assignment, string, bool) {
	fields := r.Header["Cookie"]
	if len(fields) == 0 {
		return Assignment{}, "", false
	}
	pair := c.plain.pair
	if r.TLS != nil {
		pair = c.safe.pair
	}
	// As browsers write it, the cookie stands first, or after a semicolon and a blank.
	before, rest, found := strings.Cut(fields[0], pair)
	if !found {
		return findAll(c, pair, fields[1:])
	}
	value, _, _ := strings.Cut(rest, ";")
	if before == "" || strings.HasSuffix(before, "; ") {
		if a, id, ok := Open(c.codec, value); ok {
			return a, id, true
		}
	}
	return findAll(c, pair, fields)
}

// findAll is Find for whatever a client may write.
func findAll(c *Cookie, pair string, fields []string) (Assignment, string, bool) {
	tries := 0
	for _, field := range fields {
		for _, cookie := range strings.SplitN(field, ";", 1000) {
			value, found := strings.CutPrefix(strings.Trim(cookie, " \t"), pair)
			if !found {
				continue
			}
			if a, id, ok := Open(c.codec, value); ok {
				return a, id, true
			}
			if tries++; tries == maxTries {
				return Assignment{}, "", false
			}
		}
	}
	return Assignment{}, "", false
}

// KeepPrivate says in a response's header that it is for one client only, as it has to be when it sets our cookie: a
// cache would give everybody the same assignment. What caches are told in other headers goes, because it would overrule
// Cache-Control (RFC 9213).
func KeepPrivate(h http.Header) {
	h.Del("CDN-Cache-Control")
	h.Del("Surrogate-Control")
	kept := []string{"private"}
	for _, field := range h["Cache-Control"] {
		for _, directive := range strings.Split(field, ",") {
			directive = strings.TrimSpace(directive)
			name, _, _ := strings.Cut(strings.ToLower(directive), "=")
			switch strings.TrimSpace(name) {
			case "no-store", "private":
				if !strings.Contains(directive, "=") {
					return // no cache keeps it for others as it is
				}
			case "public", "s-maxage", "proxy-revalidate", "":
			default:
				kept = append(kept, directive)
			}
		}
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
}
