package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/geo"
)

// proxy is the address of the proxy that geoScenarios trust.
const proxy = "127.0.0.2"

// located is a checkout with databases of places and networks in the gateway's directory.
func located(t *testing.T, g *gateway.Gateway, rules ...gateway.Rule) gateway.Site {
	t.Helper()
	cities, systems := filepath.Join(g.Dir, "city.mmdb"), filepath.Join(g.Dir, "asn.mmdb")
	writeDatabase(t, cities, geo.Cities, geo.Documentation...)
	writeDatabase(t, systems, geo.Systems, geo.Documentation...)
	r := checkout(rules...)
	r.Geo = []string{cities, systems}
	r.Key = []string{`header("X-User")`}
	return gateway.Site{TrustedProxies: []string{proxy}, ClientHeader: g.Site.ClientHeader, Rollouts: []gateway.Rollout{r}}
}

func writeDatabase(t *testing.T, path string, write func(...geo.Network) ([]byte, error), networks ...geo.Network) {
	t.Helper()
	content, err := write(networks...)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, path, content)
}

// replaceFile renames a finished file over another, as operators should.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// client is a GET that the trusted proxy passes on for an address.
func client(address string, header ...string) gateway.Request {
	return from(proxy, append([]string{"X-Forwarded-For: " + address}, header...)...)
}

func behindProxy() gateway.Site {
	return gateway.Site{TrustedProxies: []string{proxy}, Rollouts: []gateway.Rollout{checkout()}}
}

var geoScenarios = []scenario{
	{
		name: "rules by place",
		site: behindProxy(),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Reload(t, located(t, g,
				rule("norway", `geo("country") == "NO"`),
				rule("texas", `geo("subdivision") == "US-TX"`),
				rule("city", `geo("city").lower() == "berlin"`),
				rule("network", `geo("asn") >= 65536`),
				rule("elsewhere", `header("X-Elsewhere").exists() && !geo("continent").exists()`),
			))
			for _, e := range []exchange{
				{Request: client("192.0.2.7"), want: "canary rule:norway"},
				{Request: client("::ffff:192.0.2.7"), want: "canary rule:norway"},
				{Request: client("203.0.113.255"), want: "canary rule:texas"},
				{Request: client("198.51.100.0"), want: "canary rule:city"},
				{Request: client("2001:db8:1::1"), want: "canary rule:network"},
				{Request: client("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), want: "canary rule:network"},
				{Request: client("2001:db9::1", "X-User: anna"), want: "stable split"},
				{Request: client("10.0.0.1", "X-Elsewhere: 1"), want: "canary rule:elsewhere"},
				{Request: client("10.0.0.1", "X-User: anna"), want: "stable split"},
			} {
				e.check(t, g)
			}
		},
	},
	{
		name: "nobody forges a place",
		site: behindProxy(),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Reload(t, located(t, g, rule("norway", `geo("country") == "NO"`), rule("proxy", `ip() == "`+proxy+`"`)))
			for _, e := range []exchange{
				// Not by themselves,
				{Request: get("X-User: anna", "X-Forwarded-For: 192.0.2.7"), want: "stable split"},
				{Request: get("X-User: anna", "X-Real-IP: 192.0.2.7"), want: "stable split"},
				{Request: get("X-User: anna", "Forwarded: for=192.0.2.7"), want: "stable split"},
				{Request: get("X-User: anna", "X-Forwarded-For: 192.0.2.7, "+proxy), want: "stable split"},
				// nor through the proxy, which appends their address.
				{Request: client("192.0.2.7, 203.0.113.1", "X-User: anna"), want: "stable split"},
				{Request: client("203.0.113.1", "X-User: anna", "Forwarded: for=192.0.2.7", "X-Real-IP: 192.0.2.7"), want: "stable split"},
				{Request: client("192.0.2.7, 203.0.113.1, "+proxy, "X-User: anna"), want: "stable split"},
			} {
				e.check(t, g)
			}
		},
	},
	{
		name: "a share of a continent",
		site: behindProxy(),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Reload(t, located(t, g, gateway.Rule{Name: "eu", Use: "canary", Percent: "20%", When: `geo("continent") == "EU"`}))
			fifth := (slots + 4) / 5
			for _, key := range users("checkout/eu", 0, fifth-1, 10) {
				exchange{Request: client("192.0.2.7", "X-User: "+key), want: "canary rule:eu"}.check(t, g)
				exchange{Request: client("2001:db8::7", "X-User: "+key), want: "canary rule:eu"}.check(t, g)
				exchange{Request: client("203.0.113.7", "X-User: "+key), want: "stable split"}.check(t, g)
			}
			for _, key := range users("checkout/eu", fifth, slots, 10) {
				exchange{Request: client("192.0.2.7", "X-User: "+key), want: "stable split"}.check(t, g)
			}
		},
	},
	{
		name: "a database follows its file",
		site: behindProxy(),
		run: func(t *testing.T, g *gateway.Gateway) {
			s := located(t, g, rule("norway", `geo("country") == "NO"`))
			g.Reload(t, s)
			file := s.Rollouts[0].Geo[0]
			here, there := client("192.0.2.7", "X-User: anna"), client("203.0.113.7", "X-User: anna")
			exchange{Request: here, want: "canary rule:norway"}.check(t, g)
			exchange{Request: there, want: "stable split"}.check(t, g)

			writeDatabase(t, file, geo.Cities, geo.Network{CIDR: "203.0.113.0/24", Country: "NO"})
			gateway.Eventually(t, "the new database counts", func() bool { return g.Do(t, there).Backend() == "canary" })
			exchange{Request: here, want: "stable split"}.check(t, g)

			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replaceFile(t, file, content[:len(content)/2])
			gateway.Eventually(t, "the damaged database is logged", func() bool { return strings.Contains(g.Log(), "keeping what was read before") })
			exchange{Request: there, want: "canary rule:norway"}.check(t, g)
			exchange{Request: here, want: "stable split"}.check(t, g)

			writeDatabase(t, file, geo.Cities, geo.Documentation...)
			gateway.Eventually(t, "the whole database counts", func() bool { return g.Do(t, here).Backend() == "canary" })
			exchange{Request: there, want: "stable split"}.check(t, g)
		},
	},
	{
		name: "the place of who connects",
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			file := filepath.Join(g.Dir, "loopback.mmdb")
			writeDatabase(t, file, geo.Cities, geo.Network{CIDR: "127.0.0.8/29", Country: "NO"}, geo.Network{CIDR: "127.0.0.9/32", Country: "SE"})
			r := checkout(rule("norway", `geo("country") == "NO"`), rule("sweden", `geo("country") == "SE"`))
			r.Geo = []string{file}
			g.Reload(t, site(r))
			exchange{Request: from("127.0.0.8"), want: "canary rule:norway"}.check(t, g)
			exchange{Request: from("127.0.0.9"), want: "canary rule:sweden"}.check(t, g)
			exchange{Request: from("127.0.0.10", "X-Forwarded-For: 127.0.0.9"), want: "canary rule:norway"}.check(t, g)
			exchange{Request: from("127.0.0.3", "X-Forwarded-For: 127.0.0.9"), want: "stable split"}.check(t, g)
		},
	},
	{
		name: "proxies that write a header of their own",
		site: gateway.Site{TrustedProxies: []string{proxy}, ClientHeader: "CF-Connecting-IP", Rollouts: []gateway.Rollout{checkout()}},
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Reload(t, located(t, g, rule("norway", `geo("country") == "NO"`)))
			for _, e := range []exchange{
				{Request: from(proxy, "CF-Connecting-IP: 192.0.2.7"), want: "canary rule:norway"},
				{Request: from(proxy, "CF-Connecting-IP: 203.0.113.7", "X-User: anna"), want: "stable split"},
				{Request: from(proxy, "CF-Connecting-IP: 203.0.113.7", "X-Forwarded-For: 192.0.2.7", "X-User: anna"), want: "stable split"},
				{Request: get("CF-Connecting-IP: 192.0.2.7", "X-User: anna"), want: "stable split"},
			} {
				e.check(t, g)
			}
		},
	},
	{
		name: "proxies that write Forwarded", only: "traefik", because: "Caddy reads lists of addresses only; the header is in client_ip_headers there",
		site: gateway.Site{TrustedProxies: []string{proxy}, ClientHeader: "Forwarded", Rollouts: []gateway.Rollout{checkout()}},
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Reload(t, located(t, g, rule("norway", `geo("country") == "NO"`), rule("unknown", `header("X-Unknown").exists() && !ip().exists()`)))
			for _, e := range []exchange{
				{Request: from(proxy, "Forwarded: for=192.0.2.7;proto=https"), want: "canary rule:norway"},
				{Request: from(proxy, `Forwarded: for="[::ffff:192.0.2.7]:4711"`), want: "canary rule:norway"},
				{Request: from(proxy, "Forwarded: for=203.0.113.7, for=192.0.2.7"), want: "canary rule:norway"},
				{Request: from(proxy, "Forwarded: for=192.0.2.7", "Forwarded: for=203.0.113.7", "X-User: anna"), want: "stable split"},
				{Request: from(proxy, "Forwarded: for=192.0.2.7, for=203.0.113.7", "X-User: anna"), want: "stable split"},
				{Request: from(proxy, "Forwarded: for=203.0.113.7", "X-Forwarded-For: 192.0.2.7", "X-User: anna"), want: "stable split"},
				{Request: from(proxy, "Forwarded: for=192.0.2.7, for=_hidden", "X-User: anna"), want: "stable split"},
				{Request: from(proxy, `Forwarded: for=192.0.2.7;x=", for="[2001:db8::1]"`, "X-User: anna"), want: "stable split"},
				{Request: from(proxy, "Forwarded: for=unknown", "X-Unknown: 1"), want: "canary rule:unknown"},
				{Request: get("Forwarded: for=192.0.2.7", "X-User: anna"), want: "stable split"},
			} {
				e.check(t, g)
			}
		},
	},
}
