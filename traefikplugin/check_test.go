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
	control := core.Config{Control: core.Control{Token: "file:/nowhere/token"}}
	for _, right := range []core.Config{config, control} {
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
		"clientHeader":         func(c *core.Config) { c.ClientHeader = "Forwarded" },
		"trustedProxies[0]":    func(c *core.Config) { c.TrustedProxies = []string{"here"} },
		"notify[0].url":        func(c *core.Config) { c.Notify = []core.Notify{{Format: "slack"}} },
		"prometheus.bearer_token": func(c *core.Config) {
			c.Prometheus.Rest = map[string]any{"bearer_token": "x"}
			c.Prometheus.URL = "http://a"
		},
		"control":           func(c *core.Config) { c.Control.Token = testToken },
		"variants[0].proxy": func(c *core.Config) { c.Variants[0].Proxy.Retries = "1" },
	} {
		config := planned(t)
		change(&config)
		if problems := Check(config); len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s: got %s", path, fmt.Sprint(problems))
		}
	}
}
