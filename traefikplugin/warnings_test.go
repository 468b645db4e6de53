package traefikplugin

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func TestPrivateKeyInTheConfiguration(t *testing.T) {
	certificate, key := pair(t)
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Setenv("GRAYLING_TEST_KEY", key); err != nil { //nolint:usetesting // interpreted code has an environment of its own
		t.Fatal(err)
	}
	defer func() { _ = os.Unsetenv("GRAYLING_TEST_KEY") }()
	for given, warnings := range map[string]int{key: 1, "file:" + file: 0, "env:GRAYLING_TEST_KEY": 0} {
		config := checkout(t)
		config.Name += string(rune('a' + len(given)%26))
		config.Variants[0].Upstreams = []any{"https://a"}
		config.Variants[1].Upstreams = []any{"https://b"}
		config.Proxy.TLS = core.TLS{Certificate: certificate, Key: given}
		var log bytes.Buffer
		host := core.Host{Log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithCancel(context.Background())
		for i := 0; i < 2; i++ { // two routers with one middleware
			if _, err := NewFor(ctx, http.NotFoundHandler(), &config, "checkout@file", host); err != nil {
				t.Error(err)
			}
		}
		cancel()
		if got := strings.Count(log.String(), "a private key stands in the configuration"); got != warnings {
			t.Errorf("%.8s: %d warnings, want %d", given, got, warnings)
		}
		if strings.Contains(log.String(), "BEGIN") {
			t.Error("the log shows the key")
		}
	}
}

func TestSecretsInTheConfiguration(t *testing.T) {
	for what, write := range map[string]func(c *core.Config, secret string){
		"the secret of tokens":              func(c *core.Config, secret string) { c.JWT.Secret = secret },
		"a secret of cookies":               func(c *core.Config, secret string) { c.Sticky.Secret = []string{"env:FIRST", secret} },
		"the URL of unsigned notices":       func(c *core.Config, secret string) { c.Notify = []core.Notify{{URL: secret}} },
		"the secret of notices":             func(c *core.Config, secret string) { c.Notify = []core.Notify{{URL: "http://a", Secret: secret}} },
		"what authenticates to etcd":        func(c *core.Config, secret string) { c.Store.Password = secret },
		"what authenticates to etcd ":       func(c *core.Config, secret string) { c.Store.TLS.Key = secret },
		"what authenticates to Prometheus":  func(c *core.Config, secret string) { c.Prometheus.BearerToken = secret },
		"what authenticates to Prometheus ": func(c *core.Config, secret string) { c.Prometheus.Password = secret },
		"the token of control":              func(c *core.Config, secret string) { c.Control.Token = secret },
	} {
		for given, want := range map[string]bool{"a secret of thirty-two bytes, or more": true, "file:/run/secrets/it": false, "env:SECRET": false} {
			config := checkout(t)
			write(&config, given)
			got := strings.Join(warnings(config), "\n")
			if warned := strings.Contains(got, strings.TrimSpace(what)+" stands in the configuration"); warned != want || strings.Contains(got, given) {
				t.Errorf("%s, %q: %q", what, given, got)
			}
		}
	}
}

func TestStateThatIsLost(t *testing.T) {
	plan := core.Plan{Steps: []core.Step{{Weight: "100%"}}}
	for _, test := range []struct {
		plan core.Plan
		kind string
		want int
	}{{core.Plan{}, "", 0}, {plan, "", 1}, {plan, "memory", 0}, {plan, "file", 0}} {
		config := checkout(t)
		config.Plan = test.plan
		config.Store.Kind = test.kind
		if got := warnings(config); len(got) != test.want {
			t.Errorf("%d steps, store %q: %q", len(test.plan.Steps), test.kind, got)
		}
	}
}

func TestWarningsOfServiceMode(t *testing.T) {
	config := checkout(t)
	if got := warnings(config); len(got) != 0 {
		t.Errorf("warned without a reason: %q", got)
	}
	config.FallbackMethods = []string{"GET"}
	config.Announce.Request = "off"
	if got := warnings(config); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	config.Variants[0].Upstreams = []any{"http://a"}
	config.Variants[1].Upstreams = []any{"http://b"}
	if got := warnings(config); len(got) != 0 {
		t.Errorf("warned of proxy mode: %q", got)
	}
}
