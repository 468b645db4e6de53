package traefikplugin

import (
	"log"
	"net/http"
	"net/netip"
	"strings"
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
		{"it forges a proxy", trusted, "10.0.0.1:1234", []string{"192.0.2.1, 10.0.0.9, 203.0.113.7"}, "203.0.113.7"},
		{"in another field", trusted, "10.0.0.1:1234", []string{"192.0.2.1", "203.0.113.7"}, "203.0.113.7"},
		{"a client forges", trusted, "203.0.113.9:1234", []string{"192.0.2.1"}, "203.0.113.9"},
		{"two proxies", trusted, "10.0.0.1:1234", []string{"192.0.2.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"two proxies, two fields", trusted, "10.0.0.1:1234", []string{"192.0.2.1, 203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{"only proxies", trusted, "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"an IPv6 proxy", trusted, "[2001:db8::1]:1234", []string{"203.0.113.7,2001:db8::2"}, "203.0.113.7"},
		{"an IPv4-mapped proxy", trusted, "[::ffff:10.0.0.1]:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"an IPv4-mapped client", trusted, "10.0.0.1:1234", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"a zone", trusted, "10.0.0.1:1234", []string{"fe80::1%eth0"}, "fe80::1"},
		{"a proxy's zone", trusted, "[2001:db8::1%eth0]:1234", []string{"203.0.113.7, 2001:db8::2%eth0"}, "203.0.113.7"},
		{"ports", trusted, "10.0.0.1:1234", []string{"203.0.113.7:50000, 10.0.0.2:80"}, "203.0.113.7"},
		{"an IPv6 port", trusted, "10.0.0.1:1234", []string{"[2001:db9::7]:50000"}, "2001:db9::7"},
		{"brackets", trusted, "10.0.0.1:1234", []string{"[2001:db9::7]"}, "2001:db9::7"},
		{"blanks", trusted, "10.0.0.1:1234", []string{" \t203.0.113.7 ,\t10.0.0.2  "}, "203.0.113.7"},
		{"no address", trusted, "10.0.0.1:1234", []string{"203.0.113.7, unknown, 10.0.0.2"}, ""},
		{"no address but far from here", trusted, "10.0.0.1:1234", []string{"nonsense, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"an empty element", trusted, "10.0.0.1:1234", []string{"203.0.113.7, "}, ""},
		{"a network", trusted, "10.0.0.1:1234", []string{"203.0.113.0/24"}, ""},
		{"brackets around IPv4", trusted, "10.0.0.1:1234", []string{"[203.0.113.7]"}, ""},
		{"an open bracket", trusted, "10.0.0.1:1234", []string{"[2001:db9::7"}, ""},
		{"more than a port", trusted, "10.0.0.1:1234", []string{"[2001:db9::7]x"}, ""},
		{"octal", trusted, "10.0.0.1:1234", []string{"0313.0.113.7"}, ""},
		{"nothing was forwarded", trusted, "10.0.0.1:1234", nil, "10.0.0.1"},
		{"empty", trusted, "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"no port", nil, "@", nil, "@"},
	} {
		c := &clients{trusted: test.trusted, header: "X-Forwarded-For"}
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.fields, "Forwarded": {"for=198.51.100.1"}}}
		if got := clientOf(c, r); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestForwarded(t *testing.T) {
	for _, test := range []struct {
		name   string
		remote string
		fields []string
		want   string
	}{
		{"behind a proxy", "10.0.0.1:1234", []string{"for=203.0.113.7"}, "203.0.113.7"},
		{"with all there is", "10.0.0.1:1234", []string{`for=203.0.113.7;proto=https;by=10.0.0.1;host="shop.example:443"`}, "203.0.113.7"},
		{"in another order", "10.0.0.1:1234", []string{`Proto=https; By=10.0.0.1; For=203.0.113.7`}, "203.0.113.7"},
		{"quoted", "10.0.0.1:1234", []string{`for="203.0.113.7:47011"`}, "203.0.113.7"},
		{"IPv6", "10.0.0.1:1234", []string{`for="[2001:db9::7]"`}, "2001:db9::7"},
		{"IPv6 with a port", "10.0.0.1:1234", []string{`FOR="[2001:db9::7]:4711"`}, "2001:db9::7"},
		{"an obfuscated port", "10.0.0.1:1234", []string{`for="[2001:db9::7]:_gazonk"`}, "2001:db9::7"},
		{"two proxies", "10.0.0.1:1234", []string{`for=192.0.2.1, for=203.0.113.7, for="10.0.0.2:80"`}, "203.0.113.7"},
		{"two fields", "10.0.0.1:1234", []string{"for=192.0.2.1", "for=203.0.113.7,for=10.0.0.2"}, "203.0.113.7"},
		{"blanks", "10.0.0.1:1234", []string{"for=192.0.2.1 ,\tfor=203.0.113.7 ; proto=http"}, "203.0.113.7"},
		{"unknown", "10.0.0.1:1234", []string{"for=192.0.2.1, for=unknown"}, ""},
		{"obfuscated", "10.0.0.1:1234", []string{"for=192.0.2.1, for=_hidden, for=10.0.0.2"}, ""},
		{"an element without for", "10.0.0.1:1234", []string{"for=192.0.2.1, proto=https"}, ""},
		{"for twice", "10.0.0.1:1234", []string{"for=192.0.2.1;for=203.0.113.7"}, ""},
		{"a quote that swallows what the proxy wrote", "10.0.0.1:1234", []string{`for=192.0.2.1;x=", for=203.0.113.7`}, ""},
		{"and is closed by it", "10.0.0.1:1234", []string{`for=192.0.2.1;x=", for="[2001:db9::7]"`}, ""},
		{"a name that swallows it", "10.0.0.1:1234", []string{`for=192.0.2.1;x, for=203.0.113.7`}, ""},
		{"a name with a quote", "10.0.0.1:1234", []string{`for=192.0.2.1;x;", for=203.0.113.7`}, ""},
		{"an escape", "10.0.0.1:1234", []string{`for="203.0.113.\7"`}, ""},
		{"after a quote", "10.0.0.1:1234", []string{`for="203.0.113.7"x`}, ""},
		{"inside a word", "10.0.0.1:1234", []string{`for=203".0.113.7"`}, ""},
		{"no pair", "10.0.0.1:1234", []string{"203.0.113.7"}, ""},
		{"too long", "10.0.0.1:1234", []string{"for=192.0.2.1;x=" + strings.Repeat("x", maxForwarded) + ", for=203.0.113.7"}, ""},
		{"a client forges", "203.0.113.9:1234", []string{"for=192.0.2.1"}, "203.0.113.9"},
		{"nothing was forwarded", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"empty", "10.0.0.1:1234", []string{" "}, "10.0.0.1"},
	} {
		c := &clients{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, header: "Forwarded"}
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"Forwarded": test.fields, "X-Forwarded-For": {"198.51.100.1"}}}
		if got := clientOf(c, r); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestLogger: events are information, and where Traefik logs errors all is seen.
func TestLogger(t *testing.T) {
	var written strings.Builder
	before := log.Writer()
	log.SetOutput(&written)
	l := logger("checkout@file")
	log.SetOutput(before)
	l.Info("rollout promoted", "step", 3)
	l.Debug("nothing that anybody should know")
	if got := written.String(); !strings.Contains(got, `level=INFO msg="rollout promoted" middleware=checkout@file step=3`) || strings.Count(got, "\n") != 1 {
		t.Errorf("logged %q", got)
	}
}
