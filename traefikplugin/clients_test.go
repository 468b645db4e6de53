package traefikplugin

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, test := range []struct {
		name    string
		trusted []netip.Prefix
		remote  string
		fields  []string
		want    string
	}{
		{"nobody is trusted", nil, "10.0.0.1:1234", []string{"203.0.113.7"}, "10.0.0.1"},
		{"IPv6", nil, "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{"behind a proxy", trusted, "10.0.0.1:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a client behind a proxy forges", trusted, "10.0.0.1:1234", []string{"192.0.2.1, 203.0.113.7"}, "203.0.113.7"},
		{"in another field", trusted, "10.0.0.1:1234", []string{"192.0.2.1", "203.0.113.7"}, "203.0.113.7"},
		{"a client forges", trusted, "203.0.113.9:1234", []string{"192.0.2.1"}, "203.0.113.9"},
		{"two proxies", trusted, "10.0.0.1:1234", []string{"192.0.2.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"only proxies", trusted, "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"an IPv6 proxy", trusted, "[2001:db8::1]:1234", []string{"203.0.113.7,2001:db8::2"}, "203.0.113.7"},
		{"an IPv4-mapped proxy", trusted, "[::ffff:10.0.0.1]:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"nonsense ends the walk", trusted, "10.0.0.1:1234", []string{"203.0.113.7, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"nothing was forwarded", trusted, "10.0.0.1:1234", nil, "10.0.0.1"},
		{"empty", trusted, "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"no port", nil, "@", nil, "@"},
	} {
		c := clients{trusted: test.trusted}
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.fields}}
		if got := c.address(r); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
