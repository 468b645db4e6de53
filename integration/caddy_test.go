package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// caddyScenarios are about Caddy's own words; Site.Verbatim is a Caddyfile without its global options.
var caddyScenarios = []scenario{
	{
		name: "variants are blocks of any directives", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {
					header X-Backend stable
					respond "hello from {http.rollout.checkout.variant}, {vars.rollout_variant}"
				}
				variant canary {
					handle /deep/* {
						header X-Backend canary
						respond "deep {path}" 203
					}
					handle {
						header X-Backend canary
						respond "hello from {http.rollout.checkout.variant} by {http.rollout.checkout.reason} {http.rollout.checkout.rule}"
					}
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			expectBody(t, g.Get(t, "/"), "stable", 200, "hello from stable, stable")
			expectBody(t, g.Get(t, "/", "X-Version: v2"), "canary", 200, "hello from canary by rule qa")
			// Twice, because Caddy runs a group of routes once for a request.
			expectBody(t, g.Get(t, "/deep/x", "X-Version: v2"), "canary", 203, "deep /deep/x")
			expectBody(t, g.Get(t, "/deep/x", "X-Version: v2"), "canary", 203, "deep /deep/x")
		},
	},
	{
		name: "a variant that answers nothing goes on to what follows", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			route {
				rollout checkout {
					variant stable {
						header X-Backend stable
					}
					variant canary {
						header X-Backend canary
						rewrite * /canary{uri}
					}
					rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
				}
				respond "{vars.rollout_variant} {path}"
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			expectBody(t, g.Get(t, "/x"), "stable", 200, "stable /x")
			expectBody(t, g.Get(t, "/x", "X-Version: v2"), "canary", 200, "canary /canary/x")
		},
	},
	{
		name: "large static files", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {
					header X-Backend canary
					root {{dir}}/static
					file_server
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			writeNoise(t, filepath.Join(g.Dir, "static", "big.bin"), 64*mebibyte)
			resp := send(t, g.Client(), request(t, "GET", g.URL("/big.bin"), nil))
			expectBackend(t, resp, "canary")
			if resp.ContentLength != 64*mebibyte {
				t.Errorf("Content-Length %d", resp.ContentLength)
			}
			expectNoise(t, resp.Body, 64*mebibyte)

			a := g.Get(t, "/big.bin", "X-Version: v2", "Range: bytes=100-199")
			if a.Status != http.StatusPartialContent || len(a.Body) != 100 {
				t.Errorf("a range: status %d, %d bytes", a.Status, len(a.Body))
			}
			a = g.Get(t, "/absent", "X-Version: v2")
			if a.Status != http.StatusNotFound {
				t.Errorf("an absent file: status %d", a.Status)
			}
		},
	},
	{
		name: "like copies a variant and set adds a header", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {{upstream "stable"}} {
					header_up X-Common yes
					header_up X-Lane stable
				}
				variant canary {{upstream "canary"}} {
					like stable
					header_up X-Lane canary
					set X-Build 42
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			a := g.Get(t, "/", "X-Build: forged")
			expectFields(t, "stable", a.Echo.Header, []string{"X-Common: yes", "X-Lane: stable", "X-Build: forged"})
			a = g.Get(t, "/", "X-Version: v2", "X-Build: forged")
			if a.Backend() != "canary" {
				t.Errorf("%q answered", a.Backend())
			}
			expectFields(t, "canary", a.Echo.Header, []string{"X-Common: yes", "X-Lane: canary", "X-Build: 42"})
		},
	},
	{
		name: "several upstreams of a variant", only: "caddy", because: "the balancing is Caddy's; other hosts have scenarios of their own for theirs",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "first"}} {{upstream "second"}} {
					lb_policy round_robin
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			seen := make(map[string]int)
			for range 10 {
				seen[g.Get(t, "/", "X-Version: v2").Backend()]++
			}
			if seen["first"] != 5 || seen["second"] != 5 {
				t.Errorf("round robin over two upstreams: %v", seen)
			}
		},
	},
	{
		name: "inside handle and route", only: "caddy", because: "nesting is Caddy's; elsewhere a router decides what reaches a rollout",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			handle /shop/* {
				route {
					uri strip_prefix /shop
					rollout checkout {
						variant stable {{upstream "stable"}}
						variant canary {{upstream "canary"}}
						rule qa canary ` + "`path() == \"/beta\"`" + `
					}
				}
			}
			handle {
				respond "no rollout here: {vars.rollout_variant}" 404
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			checkout := func(e exchange) { e.checkOn(t, g, "checkout") }
			checkout(exchange{Request: at("/shop/beta"), want: "canary rule:qa"})
			checkout(exchange{Request: at("/shop/alpha"), want: "stable split"})
			checkout(exchange{Request: at("/shop/beta"), want: "canary rule:qa"})
			expectBody(t, g.Get(t, "/beta"), "", 404, "no rollout here: ")
		},
	},
	{
		name: "a rollout inside a variant of another", only: "caddy", because: blocks,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "outer"}}
			{{probe "inner"}}
			rollout outer {
				variant stable {{upstream "stable"}}
				variant canary {
					rollout inner {
						variant blue {{upstream "blue"}}
						variant green {{upstream "green"}}
						rule green green ` + "`header(\"X-Green\").exists()`" + `
					}
				}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, c := range []struct{ version, green, want string }{
				{"X-Version: v2", "X-Green: 1", "green"}, {"X-Version: v2", "X-Other: 1", "blue"}, {"X-Version: v1", "X-Green: 1", "stable"},
			} {
				if got := g.Get(t, "/", c.version, c.green).Backend(); got != c.want {
					t.Errorf("%s, %s: %s answered, want %s", c.version, c.green, got, c.want)
				}
			}
		},
	},
	{
		name: "several addresses on one site", only: "caddy", because: instances,
		site: gateway.Site{Verbatim: `{{site}}, {{other}} {
			{{probe "checkout"}}
			` + evenSplit + `
		}`},
		run: expectBothAddresses,
	},
	{
		name: "a snippet imported in two sites", only: "caddy", because: instances,
		site: gateway.Site{Verbatim: `(checkout) {
			` + evenSplit + `
		}
		{{site}} {
			{{probe "checkout"}}
			import checkout
		}
		{{other}} {
			{{probe "checkout"}}
			import checkout
		}`},
		run: expectBothAddresses,
	},
	{
		name: "one name with two specifications is an error", only: "caddy", because: instances,
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			` + evenSplit + `
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			err := g.Load(gateway.Site{Verbatim: `{{site}} {
				` + evenSplit + `
			}
			{{other}} {
				` + strings.Replace(evenSplit, "50%", "40%", 1) + `
			}`})
			if err == nil || !strings.Contains(err.Error(), "checkout") {
				t.Errorf("error %v, want one that names checkout", err)
			}
			exchange{Request: get(lowUser), want: "canary split"}.checkOn(t, g, "checkout")
		},
	},
	{
		name: "handle_errors answers for a variant", only: "caddy", because: "error pages are Caddy's",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "canary"}}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
			handle_errors {
				respond "sorry: {err.status_code} on {vars.rollout_variant}"
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("canary").Stop(t)
			a := g.Do(t, gateway.Request{Method: "POST", Header: []string{"X-Version: v2"}, Body: "x"})
			expectBody(t, a, "", 502, "sorry: 502 on canary")
			g.Backend("stable").Stop(t)
			expectBody(t, g.Get(t, "/"), "", 502, "sorry: 502 on stable")
		},
	},
	{
		name: "a span names the decision", only: "caddy", because: "an interpreted plugin has no span at hand",
		site: gateway.Site{Traces: true, Verbatim: `{{site}} {
			{{probe "checkout"}}
			tracing
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "canary"}}
				rule qa canary ` + "`header(\"X-Version\") == \"v2\"`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, c := range []struct{ version, variant, reason string }{{"v2", "canary", "rule"}, {"v1", "stable", "split"}} {
				g.Get(t, "/", "X-Version: "+c.version)
				spans := string(receive(t, g.Backend("collector").Spans, "spans"))
				// In the protocol an attribute is its name, then a tagged value: nothing but a few bytes lies between.
				for name, value := range map[string]string{"rollout.checkout.variant": c.variant, "rollout.checkout.reason": c.reason} {
					_, after, found := strings.Cut(spans, name)
					if !found || !strings.Contains(after[:min(len(after), len(value)+8)], value) {
						t.Errorf("no attribute %s=%s in %q", name, value, spans)
					}
				}
			}
		},
	},
	{
		name: "the log names the variant of a stream that broke", only: "caddy", because: "the access log's fields are the host's",
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			a, err := g.Try(gateway.Request{Target: "/cut", Header: []string{"X-Version: v2"}})
			if err == nil {
				t.Error("the stream did not break")
			}
			if v, r := g.AccessLog(t, a.Probe, "rollout_checkout"), g.AccessLog(t, a.Probe, "rollout_checkout_reason"); v != "canary" || r != "rule" {
				t.Errorf("access log says %q, %q", v, r)
			}
		},
	},
	{
		name: "caddy reload and caddy validate", only: "caddy", because: "the command line is Caddy's",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			exchange{Request: get(lowUser), want: "canary split"}.check(t, g)
			config := filepath.Join(g.Dir, "Caddyfile")
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			write := func(text string) {
				if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(strings.Replace(string(text), "50%", "0%", 1))
			for _, command := range []string{"validate", "reload"} {
				if out, err := g.Command(t, command, "--config", config); err != nil {
					t.Fatalf("caddy %s: %v\n%s", command, err, out)
				}
			}
			exchange{Request: get(lowUser), want: "stable split"}.check(t, g)

			write(strings.Replace(string(text), "50%", "150%", 1))
			for _, command := range []string{"validate", "reload"} {
				if out, err := g.Command(t, command, "--config", config); err == nil || !strings.Contains(out, "150%") {
					t.Errorf("caddy %s of a canary with 150%%: %v\n%s", command, err, out)
				}
			}
			exchange{Request: get(lowUser), want: "stable split"}.check(t, g)
		},
	},
}

const (
	blocks    = "a variant is a service there, and its scenarios with backends say the same"
	instances = "two routers with one middleware are its scenario there"
	evenSplit = "rollout checkout {\n" +
		"variant stable {{upstream \"stable\"}}\n" +
		"variant canary 50% {{upstream \"canary\"}}\n" +
		"key `header(\"X-User\")`\n" +
		"}"
)

func expectBothAddresses(t *testing.T, g *gateway.Gateway) {
	for _, key := range users("checkout", 0, slots, 20) {
		want := "stable"
		if slot("checkout", key) < slots/2 {
			want = "canary"
		}
		r := get("X-User: " + key)
		if here, there := g.Do(t, r).Backend(), g.DoOther(t, r).Backend(); here != want || there != want {
			t.Errorf("%s is on %s and %s, want %s", key, here, there, want)
		}
	}
}

func expectBody(t *testing.T, a gateway.Answer, backend string, status int, body string) {
	t.Helper()
	if a.Backend() != backend || a.Status != status || a.Body != body {
		t.Errorf("%d %q from %q, want %d %q from %q", a.Status, a.Body, a.Backend(), status, body, backend)
	}
}

// writeNoise writes a file that expectNoise knows.
func writeNoise(t *testing.T, path string, n int64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadFrom(backend.Body(n)); err != nil {
		t.Fatalf("writing %s bytes: %v", strconv.FormatInt(n, 10), err)
	}
}
