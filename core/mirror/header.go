package mirror

import (
	"net/http"
	"strings"
)

// Header marks a copy, with the rollout's name. Requests that have it are not copied again: else two gateways that mirror
// to each other would do so forever.
const Header = "X-Rollout-Mirror"

// The other keys under which upstreams may see the mark: CGI, WSGI and their kin cannot tell a hyphen from an underscore.
const (
	underscores = "X_rollout_mirror"
	hyphenLast  = "X_rollout-Mirror"
	hyphenFirst = "X-Rollout_mirror"
)

// Unmark takes the mark out of a request's headers, in every spelling. Hosts do so with requests that do not come from a
// gateway which they trust, after [Begin] and before the request is passed on: to take a purchase for a copy may cost an
// upstream money.
func Unmark(h http.Header) {
	delete(h, Header)
	delete(h, hyphenLast)
	delete(h, hyphenFirst)
	delete(h, underscores)
}

// hopByHop are the headers of a connection, not of a request (RFC 9110, section 7.6.1), and Expect, which is about a body
// that is here already.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade", "Expect"}

// dropped returns the folded names of headers that copies do not carry: those named, those of a connection, and the mark.
func dropped(names []string) map[string]bool {
	drop := map[string]bool{folded(Header): true}
	for _, name := range hopByHop {
		drop[folded(name)] = true
	}
	for _, name := range names {
		drop[folded(name)] = true
	}
	return drop
}

// folded returns what all spellings of a header's name have in common.
func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// carried returns the headers of a copy.
func carried(from http.Header, drop map[string]bool, rollout string) http.Header {
	named := connection(from)
	to := from.Clone()
	for name := range from {
		key := folded(name)
		if drop[key] || named[key] {
			delete(to, name)
		}
	}
	to[Header] = []string{rollout}
	return to
}

// connection returns the folded names of the headers that a request says belong to its connection.
func connection(h http.Header) map[string]bool {
	fields := h["Connection"]
	if len(fields) == 0 {
		return nil
	}
	named := map[string]bool{}
	for _, field := range fields {
		for _, name := range strings.Split(field, ",") {
			named[folded(strings.TrimSpace(name))] = true
		}
	}
	return named
}
