package core

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
)

// DefaultHeader is the request header that tells an upstream which variant it serves.
const DefaultHeader = "X-Rollout-Variant"

// announcer tells upstreams which variant serves, in a way that clients can neither forge nor strip.
type announcer struct {
	request  string   // canonical header name; "" if the upstream is not told
	others   []string // further canonical keys under which upstreams would see that header
	response string   // canonical header name; "" if the client is not told
	member   string   // of the baggage header; "" if baggage is neither written nor followed
	baggage  bool     // whether the member is written
	follow   []netip.Prefix
	variants []string
}

// reserved are headers by which HTTP itself works: announcing in them would break requests.
var reserved = []string{"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Trailer", "Te", "Upgrade",
	"Cookie", "Set-Cookie", "Authorization", "Baggage", "Location"}

const maxSeparators = 6 // of a header name: its spellings are two to that power

func (c *checker) announce(config Announce, rollout string, variants []string) *announcer {
	c.rest("announce.", config.Rest, []string{"request", "response", "baggage", "follow"})
	a := &announcer{request: DefaultHeader, variants: variants, baggage: config.Baggage}
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
		a.others = otherSpellings(a.request)
	}
	a.follow = c.prefixes("announce.follow", config.Follow)
	if a.baggage || len(a.follow) > 0 {
		a.member = "rollout." + rollout
	}
	return a
}

// header returns the canonical name of a header to announce in, or "" if it is none.
func (c *checker) header(path, name string) string {
	for _, other := range reserved {
		if folded(name) == folded(other) {
			c.fail(path, "%q is a header that HTTP itself works by: name one of your own, such as %s", name, DefaultHeader)
			return ""
		}
	}
	switch {
	case !expr.IsToken(name):
		c.fail(path, "%q is not a header name", name)
		return ""
	case strings.Count(name, "-")+strings.Count(name, "_") > maxSeparators:
		c.fail(path, "%q has more than %d hyphens", name, maxSeparators)
		return ""
	}
	return http.CanonicalHeaderKey(name)
}

// otherSpellings returns the canonical keys of all other headers that CGI, WSGI and their kin cannot tell from name: there
// a hyphen and an underscore are the same.
func otherSpellings(name string) []string {
	list := []string{""}
	for i := 0; i < len(name); i++ {
		next := make([]string, 0, 2*len(list))
		for _, begun := range list {
			if name[i] == '-' || name[i] == '_' {
				next = append(next, begun+"-", begun+"_")
			} else {
				next = append(next, begun+name[i:i+1])
			}
		}
		list = next
	}
	var others []string
	for _, spelling := range list {
		if key := http.CanonicalHeaderKey(spelling); key != name {
			others = append(others, key)
		}
	}
	return others
}

// folded returns what all spellings of a header's name have in common.
func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// followed returns the variant that a followed caller named, or -1.
func (a *announcer) followed(r *http.Request) int {
	if trusts(a, r) {
		return a.named(r.Header)
	}
	return -1
}

// trusts reports whether a request arrives from a caller that is followed.
func trusts(a *announcer, r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	for _, prefix := range a.follow {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
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

// Tell is [Engine.Announce] for hosts that are interpreted, as [Decide] is.
func Tell(e *Engine, d *Decision, r *http.Request) {
	a := e.announcer
	h := r.Header
	for _, name := range a.others {
		delete(h, name)
	}
	if a.request != "" {
		h[a.request] = []string{d.Variant}
	}
	if a.baggage || len(r.Trailer) > 0 || len(h["Connection"]) > 0 || len(h["Trailer"]) > 0 {
		a.announceFully(d.Variant, r)
	}
}

// announceFully does what few requests need.
func (a *announcer) announceFully(variant string, r *http.Request) {
	h := r.Header
	if len(r.Trailer) > 0 && a.request != "" {
		delete(r.Trailer, a.request)
		for _, name := range a.others {
			delete(r.Trailer, name)
		}
	}
	// A proxy removes the headers that Connection names, and would remove ours.
	if len(h["Connection"]) > 0 {
		a.strip(h, "Connection")
	}
	if len(h["Trailer"]) > 0 {
		a.strip(h, "Trailer")
	}
	if a.baggage {
		h["Baggage"] = withMember(h["Baggage"], a.member, variant)
	}
}

// TellClient announces a decision in the header of its response, and gives the client what he is to keep of it.
func TellClient(e *Engine, d *Decision, header http.Header) {
	if e.announcer.response != "" {
		header[e.announcer.response] = []string{d.Variant}
	}
	if d.Cookie != "" {
		d.SetCookie(header)
	}
}

// strip takes what we announce in out of a header that lists header names.
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

func (a *announcer) spells(name string) bool {
	name = folded(name)
	return a.request != "" && name == folded(a.request) || a.baggage && name == "baggage"
}

// The limits of W3C Baggage, section 3.3.2: what exceeds them may be dropped, and libraries drop all of it.
const (
	maxMembers = 64
	maxBaggage = 8192 // bytes
)

// memberKey returns the key of a member of the W3C baggage header. Some libraries decode keys, so that a client could
// write ours in another way.
func memberKey(member string) string {
	key, _, _ := strings.Cut(member, "=")
	if decoded, err := url.QueryUnescape(key); err == nil {
		key = decoded
	}
	return strings.TrimSpace(key)
}

// baggageMember returns the value of a member of the W3C baggage header, without its properties, or "".
func baggageMember(fields []string, member string) string {
	for _, field := range fields {
		for _, m := range strings.Split(field, ",") {
			if memberKey(m) == member {
				_, value, _ := strings.Cut(m, "=")
				value, _, _ = strings.Cut(value, ";")
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// withMember returns the fields of a baggage header with ours as the first member, in the place of any of that name. The
// last members go where there would be too many or too much of them.
func withMember(fields []string, member, value string) []string {
	members := []string{member + "=" + value}
	size := len(members[0])
	for _, field := range fields {
		for _, m := range strings.Split(field, ",") {
			m = strings.TrimSpace(m)
			if m == "" || memberKey(m) == member {
				continue
			}
			if size += len(",") + len(m); size > maxBaggage || len(members) == maxMembers {
				return []string{strings.Join(members, ",")}
			}
			members = append(members, m)
		}
	}
	return []string{strings.Join(members, ",")}
}
