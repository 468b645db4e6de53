package traefikplugin

import (
	"net/http"
	"net/netip"
	"testing"
)

// FuzzForged has a client write whatever it likes, to which a trusted proxy appends: the client is the one that the proxy
// saw, or, in Forwarded, nobody.
func FuzzForged(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.1", "192.0.2.1, 10.0.0.1", "unknown", "[", "for=192.0.2.1", `for=192.0.2.1;x="`, `for="192.0.2.1`, `for=192.0.2.1;x=\"`,
		`for=192.0.2.1, for="[2001:db8::1]:_x";by=10.0.0.1`, ";;;", "for", "for=192.0.2.1;x", `for=192.0.2.1;x;"`, "for=;for=192.0.2.1", `"`, ",",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		for header, appended := range map[string][]string{
			"X-Forwarded-For": {"203.0.113.7", "203.0.113.7, 10.0.0.2"},
			"Forwarded":       {"for=203.0.113.7", `for="203.0.113.7:80";proto=https, for=10.0.0.2`, `proto=http;for="[::ffff:203.0.113.7]"`},
		} {
			c := clients{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, header: header}
			for _, more := range appended {
				r := &http.Request{RemoteAddr: "10.0.0.1:1234", Header: http.Header{header: {written + ", " + more}}}
				got := clientOf(&c, r)
				if got != "203.0.113.7" && (got != "" || header == "X-Forwarded-For") {
					t.Errorf("%s: %q, and then %q: the client is %q", header, written, more, got)
				}
			}
		}
	})
}
