package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// exception is a scenario of the table that a host cannot have.
type exception struct {
	host, scenario string
	because        string
	instead        string // the scenario that shows what happens there
}

var exceptions = []exception{
	{"traefik service mode", "the upstream is told nothing", untold, "without the announcement the base's child router serves"},
	{"traefik service mode", "the canary refuses connections", noRetry, failover},
	{"traefik service mode", "an assignment survives its variant's failure, and is set once", noRetry, failover},
	{"traefik service mode", "a GET with a body falls back with its body", noRetry, failover},
	{"traefik service mode", "methods that may fall back are the user's choice", noRetry, failover},
	{"traefik service mode", "a canary that breaks off before its answer", noRetry, failover},
	{"traefik", "a bad configuration leaves the old one serving", dropped, "a refused middleware takes its routers along"},
}

const (
	untold   = "child routers match the header that announces the variant"
	noRetry  = "Traefik's services answer behind the plugin, which cannot take their answer back and ask another"
	dropped  = "Traefik drops the routers of a middleware that it cannot make, and keeps nothing from before"
	failover = "failover serves for a canary that is down"
)

// excepted says whether a host leaves out a scenario.
func excepted(host gateway.Host, s scenario) bool {
	if host.Name() == (gateway.TraefikService{}).Name() && s.pooled() {
		return true // Traefik's services balance behind the plugin
	}
	for _, e := range exceptions {
		if e.scenario == s.name && strings.HasPrefix(host.Name(), e.host) {
			return true
		}
	}
	return false
}

const (
	routers = "routers and middlewares are Traefik's"
	nextTo  = "what a gateway makes of a request besides the rollout is the gateway's"
)

// traefikScenarios are those of both modes; Site.Verbatim is a dynamic configuration in YAML.
var traefikScenarios = []scenario{
	{
		name: "a refused middleware takes its routers along", only: "traefik", because: dropped,
		site: site(split("50%"), elsewhere),
		run: func(t *testing.T, g *gateway.Gateway) {
			bad := split("50%")
			bad.Rules = []gateway.Rule{rule("typo", `heder("X-Version") == "v2"`)}
			for range 3 {
				err := g.Load(site(bad, elsewhere))
				const want = `rules[0].when: column 1: unknown function "heder" (did you mean "header"?)`
				if err == nil || !strings.Contains(err.Error(), `rollout "checkout":`) || !strings.Contains(err.Error(), want) {
					t.Fatalf("error %v, want one that says %s", err, want)
				}
				gateway.Eventually(t, "the log says so", func() bool { return strings.Contains(g.Log(), `unknown function \"heder\"`) })
				if a := g.Get(t, "/", lowUser); a.Status != 404 || a.Backend() != "" {
					t.Errorf("%d from %q, want 404: the router is gone", a.Status, a.Backend())
				}
				exchange{Request: at("/elsewhere/x"), want: "blue split"}.checkOn(t, g, "elsewhere")

				g.Reload(t, g.Site)
				exchange{Request: get(lowUser), want: "canary split"}.check(t, g)
			}
		},
	},
	{
		name: "one name configured in two ways is refused", only: "traefik", because: routers,
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			twice := func(share string) gateway.Site {
				second := split(share)
				second.Path = "/second/*"
				return gateway.Site{Rollouts: []gateway.Rollout{split("50%"), second}, Routers: []string{"checkout", "again"}}
			}
			err := g.Load(twice("40%"))
			const want = `rollout "checkout": another middleware has this name and is configured differently: make them equal, or give one another name`
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %s", err, want)
			}
			gateway.Eventually(t, "the log says so", func() bool {
				return strings.Contains(g.Log(), `another middleware has this name and is configured differently`)
			})
			g.Reload(t, twice("50%"))
			for _, target := range []string{"/", "/second/"} {
				exchange{Request: at(target, lowUser), want: "canary split"}.check(t, g)
				exchange{Request: at(target, "X-User: "+high), want: "stable split"}.check(t, g)
			}
		},
	},
	{
		name: "what the upstream is told of the connection", only: "traefik", because: nextTo,
		site: gateway.Site{TrustedProxies: []string{"127.0.0.2/32"}, Rollouts: []gateway.Rollout{checkout(qa)}},
		exchanges: []exchange{
			{Request: get(), want: "stable split", upstream: []string{
				"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example", "X-Real-Ip: 127.0.0.1", "Forwarded:",
			}},
			{Request: get("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: forged.example", "X-Real-Ip: 10.0.0.1"), want: "stable split", upstream: []string{
				"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example", "X-Real-Ip: 127.0.0.1",
			}},
			{Request: get("Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"), want: "stable split", upstream: []string{
				"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example",
			}},
			{Request: from("127.0.0.2", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: front.example"), want: "stable split", upstream: []string{
				"X-Forwarded-For: 10.0.0.1, 127.0.0.2", "X-Forwarded-Proto: https", "X-Forwarded-Host: front.example",
			}},
			{Request: from("127.0.0.2", "X-Forwarded-For: 10.0.0.1, 10.0.0.2", "X-Forwarded-For: 10.0.0.3"), want: "stable split", upstream: []string{
				"X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.2",
			}},
		},
		run: func(t *testing.T, g *gateway.Gateway) {
			a := g.Do(t, gateway.Request{Target: "/a//c?x=1&y&z=%zz", Host: "other.example:81"})
			if a.Echo.Host != "other.example:81" || a.Echo.Query != "x=1&y&z=%zz" {
				t.Errorf("host %q, query %q", a.Echo.Host, a.Echo.Query)
			}
		},
	},
	{
		name: "what concerns one connection stays on it", only: "traefik", because: nextTo,
		site: site(checkout(qa)),
		exchanges: []exchange{
			{Request: get("Connection: X-Hop, close", "X-Hop: 1", "X-Kept: 1"), want: "stable split", upstream: []string{"X-Hop:", "Connection:", "X-Kept: 1"}},
			{Request: get("Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Te: trailers, deflate"), want: "stable split", upstream: []string{"Keep-Alive:", "Proxy-Connection:", "Te: trailers"}},
			{Request: get("Upgrade: nonsense"), want: "stable split", upstream: []string{"Upgrade:"}},
		},
	},
	{
		name: "a part of a response does not wait for the rest", only: "traefik", because: nextTo,
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			resp := send(t, g.Client(), request(t, "GET", g.URL("/half"), nil))
			expectBackend(t, resp, "canary")
			half := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, half); err != nil || string(half) != "half" {
				t.Fatalf("the first part is %q, %v", half, err)
			}
			deliver(t, g.Backend("canary").Events, "", "the canary to break off")
			if rest, err := io.ReadAll(resp.Body); err == nil || len(rest) > 0 {
				t.Errorf("after the first part came %q, error %v, want an error", rest, err)
			}
		},
	},
	{
		name: "a client that waits to be told to continue", only: "traefik", because: nextTo,
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, c := range []struct {
				target string
				told   bool
				status int
			}{
				{"/", true, 200}, {"/status/413", false, 413},
			} {
				conn, err := net.Dial("tcp", g.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(gateway.Patience))
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: shop.example\r\nX-Version: v2\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", c.target)
				reader := bufio.NewReader(conn)
				resp, err := http.ReadResponse(reader, nil)
				told := false
				for err == nil && resp.StatusCode == 100 { // net/http may say it for itself and once more for the backend
					if !told {
						io.WriteString(conn, "body")
					}
					told = true
					resp, err = http.ReadResponse(reader, nil)
				}
				if err != nil {
					t.Fatalf("%s: %v", c.target, err)
				}
				defer resp.Body.Close()
				expectBackend(t, resp, "canary")
				if told != c.told || resp.StatusCode != c.status {
					t.Errorf("%s: status %d, told to continue: %v, want %d, %v", c.target, resp.StatusCode, told, c.status, c.told)
				}
			}
		},
	},
	{
		name: "500 reloads leave nothing behind", only: "traefik", because: "the plugin is made anew for every router and reload",
		site: weighed(site(checkedSplit("50%"), elsewhere)),
		run: func(t *testing.T, g *gateway.Gateway) {
			const warm, reloads = 50, 500
			shares := []string{"25%", "50%", "50%"} // some change, some do not
			reload := func(i int) {
				g.Reload(t, site(checkedSplit(shares[i%len(shares)]), elsewhere))
				if a := g.Get(t, "/", lowUser); a.Status != 200 {
					t.Fatalf("reload %d: status %d", i, a.Status)
				}
			}
			for i := range warm {
				reload(i)
			}
			goroutines, heap := g.Goroutines(t), g.Heap(t)
			for i := range reloads {
				reload(i)
			}
			t.Logf("before %d reloads %d goroutines, %d KiB; after %d, %d KiB", reloads, goroutines, heap>>10, g.Goroutines(t), g.Heap(t)>>10)
			gateway.Eventually(t, "the old configurations' goroutines have ended, and nobody keeps what they had", func() bool {
				return g.Goroutines(t) < goroutines+reloads/10 && g.Heap(t) <= heap+reloads*perReload
			})
		},
	},
}

// checkedSplit is a split whose upstreams are checked all the time, and of which copies are made.
func checkedSplit(share string) gateway.Rollout {
	r := split(share)
	r.Checked = "/healthz"
	r.Mirrors = []gateway.Mirror{{To: "canary", Compare: []string{"status", "body"}}}
	return r
}

// perReload is how many bytes a reload may leave behind, by Traefik itself or for a while.
const perReload = 4 << 10

// elsewhere is another rollout on a path of its own.
var elsewhere = gateway.Rollout{Name: "elsewhere", Path: "/elsewhere/*", Variants: []gateway.Variant{{Name: "blue"}, {Name: "green"}}}

// pair is a canary for X-Version: v2, in the plugin's words.
const pair = `name: checkout
          variants: [{name: stable}, {name: canary}]
          rules: [{name: qa, use: canary, when: 'header("X-Version") == "v2"'}]`

func expectStatus(t *testing.T, what string, a gateway.Answer, status int, backend string) {
	t.Helper()
	if a.Status != status || a.Backend() != backend {
		t.Errorf("%s: %d from %q, want %d from %q", what, a.Status, a.Backend(), status, backend)
	}
}
