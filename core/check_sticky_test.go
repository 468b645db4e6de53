package core

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestStickyMistakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"no secret", func(c *Config) { c.Sticky.Secret = nil }, "sticky.secret: a cookie needs a secret of 32 bytes"},
		{"a short secret", func(c *Config) { c.Sticky.Secret = []string{testSecret, "hush hush"} }, "sticky.secret[1]: the secret has 9 bytes"},
		{"an empty variable", func(c *Config) { c.Sticky.Secret = []string{"env:GRAYLING_NO_SUCH"} }, "sticky.secret[0]: the environment variable GRAYLING_NO_SUCH is empty"},
		{"no such file", func(c *Config) { c.Sticky.Secret = []string{"file:/no/such"} }, "sticky.secret[0]: reading a file: "},
		{"many secrets", func(c *Config) { c.Sticky.Secret = strings.Split(strings.Repeat(testSecret+"|", 8)+testSecret, "|") }, "sticky.secret: 9 are too many: 8 at most"},
		{"no mode", func(c *Config) { c.Sticky.Mode = "" }, `sticky.mode: assignments are kept in a "cookie" or in "memory"`},
		{"unknown mode", func(c *Config) { c.Sticky.Mode = "cookies" }, `sticky.mode: unknown mode "cookies"`},
		{"a term", func(c *Config) { c.Sticky.TTL = "soon" }, `sticky.ttl: "soon" is neither a duration`},
		{"the baseline's term", func(c *Config) { c.Sticky.BaselineTTL = "-1s" }, `sticky.baseline_ttl: "-1s" is neither`},
		{"drain", func(c *Config) { c.Sticky.Drain = "rollout" }, `sticky.drain: "rollout" is not a duration`},
		{"drain without a plan", func(c *Config) { c.Sticky.Drain = "10m" }, `sticky.drain: it is about promotions, and without a plan there are none`},
		{"a name", func(c *Config) { c.Sticky.Name = "a b" }, `sticky.name: "a b" is not a cookie name`},
		{"a prefix", func(c *Config) { c.Sticky.Name = "__Host-a" }, "sticky.name: \"__Host-a\": browsers give"},
		{"a domain", func(c *Config) { c.Sticky.Domain = "https://a" }, `sticky.domain: "https://a" is not a domain`},
		{"a path", func(c *Config) { c.Sticky.Path = "shop" }, `sticky.path: "shop" is not a path`},
		{"an injected attribute", func(c *Config) { c.Sticky.Path = "/; Domain=evil" }, "sticky.path: "},
		{"SameSite", func(c *Config) { c.Sticky.SameSite = "lacks" }, `sticky.same_site: "lacks": there are lax, strict and none`},
		{"the other mode's", func(c *Config) { c.Sticky.Client = []string{"ip()"} }, `sticky.client: it means nothing in the mode "cookie"`},
		{"the other mode's", func(c *Config) { c.Sticky.Mode = "memory" }, `sticky.secret: it means nothing in the mode "memory"`},
		{"nobody", func(c *Config) { *c = inMemory(); c.Key = nil }, "sticky.client: what identifies a client?"},
		{"nobody to the router", func(c *Config) { *c = Config{Name: "a", Variants: c.Variants, Router: Router{URL: "http://a"}} }, "router.client: what identifies a client?"},
		{"anybody", func(c *Config) { *c = inMemory(); c.Sticky.Client = []string{"ip()", "random()"} }, "sticky.client[1]: random() identifies nobody"},
		{"a wrong client", func(c *Config) { *c = inMemory(); c.Sticky.Client = []string{"ipp()"} }, `sticky.client[0]: column 1: unknown function "ipp"`},
		{"capacity", func(c *Config) { *c = inMemory(); c.Sticky.Capacity = -1 }, "sticky.capacity: -1: a memory has room"},
		{"an unknown key", func(c *Config) { c.Sticky.Rest = map[string]any{"ttll": "5m"} }, `sticky.ttll: unknown key (did you mean "ttl"?)`},
		{"an unknown key of the router", func(c *Config) { c.Router.Rest = map[string]any{"uri": "x"} }, `router.uri: unknown key (did you mean "url"?)`},
		{"a router nowhere", func(c *Config) { c.Router.TTL = "5m" }, "router.url: a router needs an address"},
		{"a router's address", func(c *Config) { c.Router.URL = "ftp://hush" }, "router.url: it is not an address such as"},
		{"a router's time", func(c *Config) { c.Router = Router{URL: "http://a", Timeout: "31s"} }, "router.timeout: 31s is too long: 30s at most"},
		{"a router's ttl", func(c *Config) { c.Router = Router{URL: "http://a", TTL: "rollout"} }, "router.ttl: "},
		{"a router's headers", func(c *Config) { c.Router = Router{URL: "http://a", Headers: []string{"X A"}} }, `router.headers[0]: "X A" is not a header name`},
		{"a router's concurrency", func(c *Config) { c.Router = Router{URL: "http://a", Concurrency: -1} }, "router.concurrency: -1: there may be"},
		{"two clients", func(c *Config) {
			*c = inMemory()
			c.Sticky.Client = []string{"ip()"}
			c.Router = Router{URL: "http://a", Client: []string{"host()"}}
		}, "router.client: the router's answers and other assignments are in one memory"},
	} {
		config := stickyShop()
		test.change(&config)
		_, err := Compile(config, nil, Host{})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v\nwant %s...", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error tells a secret: %v", test.name, err)
		}
	}
}

// TestSecretsAreReadAgain: a file with another secret takes over while the engine runs, and a bad one does not.
func TestSecretsAreReadAgain(t *testing.T) {
	f := &fileFixture{path: t.TempDir() + "/secret", logged: &bytes.Buffer{}}
	f.write(t, testSecret+"\n")
	config := stickyShop()
	config.Sticky.Secret = []string{"file:" + f.path}
	f.engine = compile(t, config, nil, Host{Log: slog.New(slog.NewTextHandler(f.logged, nil))})
	config.Sticky.Secret = []string{testSecret}
	same := compile(t, config, nil, Host{})

	b := &browserAt{engine: f.engine, now: noon}
	b.expect(t, "by the file's secret", "canary by split*", "X-User: "+low)
	b.engine = same
	b.expect(t, "which is the same without the line's end", "canary by assigned", "X-User: "+low)
	b.engine = f.engine
	f.write(t, "hush hush")
	f.engine.files.Check(f.engine.reread)
	b.expect(t, "too short a secret changes nothing", "canary by assigned", "X-User: "+low)
	f.write(t, strings.Repeat("another secret ", 3))
	f.engine.files.Check(f.engine.reread)
	b.expect(t, "another secret", "canary by split*", "X-User: "+low)
	if logged := f.logged.String(); !strings.Contains(logged, "9 bytes") || strings.Contains(logged, "hush") {
		t.Errorf("logged:\n%s", logged)
	}
}
