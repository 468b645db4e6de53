package traefikplugin

import (
	"fmt"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

// TestCheckReadsNoFiles: a configuration is checked where Traefik does not run, too.
func TestCheckReadsNoFiles(t *testing.T) {
	config := planned(t)
	config.Variants[0].Upstreams = []any{"https://a"}
	config.Variants[1].Upstreams = []any{"https://b"}
	config.Proxy.TLS = core.TLS{CA: "file:/nowhere/ca.pem", Certificate: "file:/nowhere/certificate.pem", Key: "env:GRAYLING_NOT_SET"}
	config.Notify = []core.Notify{{URL: "env:GRAYLING_NOT_SET", Secret: "file:/nowhere/secret"}}
	config.Store = core.Store{Kind: "file", Path: "/nowhere/state.json"}
	shared := planned(t)
	shared.Store = core.Store{Kind: "etcd", Endpoints: []string{"https://10.0.0.1:2379"}, Username: "gateway", Password: "file:/nowhere/password",
		TLS: core.StoreTLS{CA: "file:/nowhere/ca.pem", Certificate: "file:/nowhere/certificate.pem", Key: "env:GRAYLING_NOT_SET"}}
	shared.Sticky.Mode = "cookie" // its secret is the store's
	control := core.Config{Control: core.Control{Token: "file:/nowhere/token"}}
	for _, right := range []core.Config{config, shared, control} {
		if problems := Check(right); len(problems) > 0 {
			t.Errorf("%v", problems)
		}
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for path, change := range map[string]func(c *core.Config){
		"plan.only[0]":         func(c *core.Config) { c.Plan.Only = []string{"Mon", "Sat 09:00-17:00"} },
		"plan.steps[0].weight": func(c *core.Config) { c.Plan.Steps[0].Weight = "much" },
		"revision":             func(c *core.Config) { c.Revision = "" },
		"store.path":           func(c *core.Config) { c.Store.Kind = "file" },
		"store.knd":            func(c *core.Config) { c.Store.Rest = map[string]any{"knd": "file"} },
		"store.endpoints":      func(c *core.Config) { c.Store.Kind = "etcd" },
		"store.endpoints[1]":   func(c *core.Config) { c.Store = etcd("http://a:1", "a") },
		"store.prefix":         func(c *core.Config) { c.Store = core.Store{Kind: "memory", Prefix: "/a"} },
		"store.timeout": func(c *core.Config) {
			c.Store = etcd("http://a:1")
			c.Store.Timeout = "1ms"
		},
		"store.tls.serverNam": func(c *core.Config) {
			c.Store = etcd("https://a:1")
			c.Store.TLS.Rest = map[string]any{"serverNam": "a"}
		},
		"sticky.secret":     func(c *core.Config) { c.Sticky.Mode = "cookie" },
		"clientHeader":      func(c *core.Config) { c.ClientHeader = "Forwarded" },
		"trustedProxies[0]": func(c *core.Config) { c.TrustedProxies = []string{"here"} },
		"notify[0].url":     func(c *core.Config) { c.Notify = []core.Notify{{Format: "slack"}} },
		"prometheus.bearer_token": func(c *core.Config) {
			c.Prometheus.Rest = map[string]any{"bearer_token": "x"}
			c.Prometheus.URL = "http://a"
		},
		"variants[1].proxy.tls.ca":          func(c *core.Config) { overTLS(c, core.TLS{CA: "file:"}) },
		"variants[1].proxy.tls.certificate": func(c *core.Config) { overTLS(c, core.TLS{Certificate: "env:", Key: "file:/key.pem"}) },
		"variants[1].proxy.tls.key":         func(c *core.Config) { overTLS(c, core.TLS{Certificate: "file:/certificate.pem", Key: "env:"}) },
		"control.token":                     func(c *core.Config) { *c = core.Config{Control: core.Control{Token: "env:"}} },
		"control":                           func(c *core.Config) { c.Control.Token = testToken },
		"variants[0].proxy":                 func(c *core.Config) { c.Variants[0].Proxy.Retries = "1" },
	} {
		config := planned(t)
		change(&config)
		if problems := Check(config); len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s: got %s", path, fmt.Sprint(problems))
		}
	}
}

// overTLS gives the variants upstreams, of which the second's are met over TLS.
func overTLS(c *core.Config, tls core.TLS) {
	c.Variants[0].Upstreams = []any{"http://a"}
	c.Variants[1].Upstreams = []any{"https://b"}
	c.Variants[1].Proxy.TLS = tls
}

func etcd(endpoints ...string) core.Store { return core.Store{Kind: "etcd", Endpoints: endpoints} }

// TestSharedStoreNeedsARevision: what one gateway makes up others do not know.
func TestSharedStoreNeedsARevision(t *testing.T) {
	for _, upstreams := range [][]any{nil, {"http://a"}} {
		for _, steps := range [][]core.Step{nil, {{Weight: "100%"}}} {
			config := planned(t)
			config.Revision = ""
			config.Store = etcd("http://a:1")
			config.Plan.Steps = steps
			config.Variants[0].Upstreams = upstreams
			config.Variants[1].Upstreams = upstreams
			if problems := Check(config); len(problems) != 1 || problems[0].Path != "revision" {
				t.Errorf("upstreams %v, %d steps: %s", upstreams, len(steps), fmt.Sprint(problems))
			}
		}
	}
}
