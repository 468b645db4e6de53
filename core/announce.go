package core

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
)

// DefaultHeader is the request header that tells an upstream which variant it serves.
const DefaultHeader = "X-Rollout-Variant"

// announcer tells upstreams which variant serves, in a way that clients can neither forge nor strip.
type announcer struct {
	request   string   // canonical header name; "" if the upstream is not told
	spellings []string // every canonical key under which a client could send that header
	response  string   // canonical header name; "" if the client is not told
	member    string   // of the baggage header; "" if baggage is neither written nor followed
	baggage   bool     // whether the member is written
	follow    []netip.Prefix
	variants  []string
}

// reserved are headers by which HTTP itself works: announcing in them would break requests.
var reserved = []string{"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Trailer", "Te", "Upgrade",
	"Cookie", "Set-Cookie", "Authorization", "Baggage", "Location"}

const maxSeparators = 6 // of a header name: its spellings are two to that power

func (c *checker) announce(config Announce, rollout string, variants []string) announcer {
	c.rest("announce.", config.Rest, []string{"request", "response", "baggage", "follow"})
	a := announcer{request: DefaultHeader, variants: variants, baggage: config.Baggage}
	switch config.Request {
	case "":
	case "off":
		a.request = ""
	default:
		a.request = c.header("announce.request", config.Request)
	}
	if config.Response != "" {
		a.response = c.header("announce.response", config.Response)
	}
	if a.request != "" {
		a.spellings = spellings(a.request)
	}
	a.follow = c.prefixes("announce.follow", config.Follow)
	if a.baggage || len(a.follow) > 0 {
		a.member = "rollout." + rollout
	}
	return a
}

func (c *checker) header(path, name string) string {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !expr.IsToken(name):
		c.fail(path, "%q is not a header name", name)
	case strings.Count(name, "-")+strings.Count(name, "_") > maxSeparators:
		c.fail(path, "%q has more than %d hyphens", name, maxSeparators)
	}
	for _, other := range reserved {
		if canonical == other {
			c.fail(path, "%q is a header that HTTP itself works by: name one of your own, such as %s", name, DefaultHeader)
		}
	}
	return canonical
}

// spellings returns the canonical keys of all headers that CGI, WSGI and their kin cannot tell from name: there a hyphen
// and an underscore are the same.
func spellings(name string) []string {
	list := []string{""}
	for _, part := range strings.FieldsFunc(name, isSeparator) {
		next := make([]string, 0, 2*len(list))
		for _, begun := range list {
			if begun == "" {
				next = append(next, part)
				continue
			}
			next = append(next, begun+"-"+part, begun+"_"+part)
		}
		list = next
	}
	for i, spelling := range list {
		list[i] = http.CanonicalHeaderKey(spelling)
	}
	return list
}

func isSeparator(c rune) bool { return c == '-' || c == '_' }

// followed returns the variant that a followed caller named, or -1.
func (a *announcer) followed(r *http.Request) int {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return -1
	}
	address := peer.Addr().Unmap().WithZone("")
	for _, prefix := range a.follow {
		if prefix.Contains(address) {
			return a.named(r.Header)
		}
	}
	return -1
}

// named returns the variant that an announcement in the headers names, or -1.
func (a *announcer) named(h http.Header) int {
	name := baggageMember(h["Baggage"], a.member)
	if name == "" && a.request != "" {
		name = h.Get(a.request)
	}
	for i, variant := range a.variants {
		if variant == name {
			return i
		}
	}
	return -1
}

// tell announces the variant in the request's headers.
func (a *announcer) tell(variant string, r *http.Request) {
	h := r.Header
	if a.request != "" {
		for _, spelling := range a.spellings {
			delete(h, spelling)
		}
		if len(r.Trailer) > 0 {
			for _, spelling := range a.spellings {
				delete(r.Trailer, spelling)
			}
		}
		if len(h["Trailer"]) > 0 {
			a.strip(h, "Trailer")
		}
		h[a.request] = []string{variant}
	}
	if a.baggage {
		h["Baggage"] = withMember(h["Baggage"], a.member, variant)
	}
	// A proxy removes the headers that Connection names, and would remove ours.
	if len(h["Connection"]) > 0 {
		a.strip(h, "Connection")
	}
}

// strip takes our headers out of a header that lists header names.
func (a *announcer) strip(h http.Header, list string) {
	kept := make([]string, 0, len(h[list]))
	for _, field := range h[list] {
		var names []string
		for _, name := range strings.Split(field, ",") {
			name = strings.TrimSpace(name)
			if name != "" && !a.spells(name) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			kept = append(kept, strings.Join(names, ", "))
		}
	}
	if len(kept) == 0 {
		delete(h, list)
		return
	}
	h[list] = kept
}

// spells reports whether a name is one that we announce by, however it is spelt.
func (a *announcer) spells(name string) bool {
	if a.baggage && strings.EqualFold(name, "Baggage") {
		return true
	}
	return a.request != "" && strings.EqualFold(strings.ReplaceAll(name, "_", "-"), strings.ReplaceAll(a.request, "_", "-"))
}

// baggageMember returns the value of a member of the W3C baggage header, without its properties, or "".
func baggageMember(fields []string, member string) string {
	for _, field := range fields {
		for _, m := range strings.Split(field, ",") {
			key, value, _ := strings.Cut(m, "=")
			if strings.TrimSpace(key) == member {
				value, _, _ = strings.Cut(value, ";")
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// withMember returns the fields of a baggage header with ours as the first member, in the place of any of that name.
func withMember(fields []string, member, value string) []string {
	members := []string{member + "=" + value}
	for _, field := range fields {
		for _, m := range strings.Split(field, ",") {
			key, _, _ := strings.Cut(m, "=")
			if strings.TrimSpace(key) != member && strings.TrimSpace(m) != "" {
				members = append(members, strings.TrimSpace(m))
			}
		}
	}
	return []string{strings.Join(members, ",")}
}
