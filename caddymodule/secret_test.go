package caddymodule

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/grayling-gateway/grayling/core"
)

// TestSecretsInTheConfiguration: who writes a secret into the configuration is told that Caddy shows it.
func TestSecretsInTheConfiguration(t *testing.T) {
	cookies := func(secrets ...string) core.Config { return core.Config{Sticky: core.Sticky{Secret: secrets}} }
	notices := func(url, secret string) core.Config {
		return core.Config{Notify: []core.Notify{{URL: "env:A", Secret: "env:B"}, {URL: url, Secret: secret}}}
	}
	for _, c := range []struct {
		config core.Config
		want   string
	}{
		{core.Config{}, ""},
		{cookies("{env.SECRET}", "file:/run/secret", "{file./run/secret}", "env:SECRET"), ""},
		{cookies("{env.SECRET}", testSecret), "a secret of cookies"},
		{cookies(testSecret, testSecret), "a secret of cookies"},
		{core.Config{JWT: core.JWT{Secret: "{env.SECRET}"}}, ""},
		{core.Config{JWT: core.JWT{Secret: testSecret}}, "the secret of tokens"},
		{notices("{env.URL}", ""), ""},
		{notices("https://hooks.example/{env.PATH}", ""), ""},
		{notices("https://hooks.example/"+testSecret, ""), "the URL of unsigned notices"},
		{notices("https://hooks.example/", "{env.SECRET}"), ""},
		{notices("https://hooks.example/", testSecret), "the secret of notices"},
		{core.Config{Store: core.Store{Username: "me", Password: "{env.PASSWORD}", TLS: core.StoreTLS{CA: "-----BEGIN", Key: "file:/key.pem"}}}, ""},
		{core.Config{Store: core.Store{Username: "me", Password: testSecret}}, "what authenticates to etcd"},
		{core.Config{Store: core.Store{TLS: core.StoreTLS{Key: testSecret}}}, "what authenticates to etcd"},
		{core.Config{Prometheus: core.Prometheus{URL: "http://a", Username: "me", Password: "env:PASSWORD"}}, ""},
		{core.Config{Prometheus: core.Prometheus{URL: "http://a", Username: "me", Password: testSecret}}, "what authenticates to Prometheus"},
		{core.Config{Prometheus: core.Prometheus{URL: "http://a", BearerToken: testSecret}}, "what authenticates to Prometheus"},
	} {
		for _, name := range []string{"shop", ""} {
			c.config.Name = name
			watcher, logs := zapobserver.New(zap.WarnLevel)
			warnOfShownSecrets(c.config, zap.New(watcher))
			var got []string
			for _, entry := range logs.All() {
				subject, _, _ := strings.Cut(entry.Message, " stands")
				got = append(got, subject)
				if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, testSecret) || strings.Contains(text, "shop") != (name != "") {
					t.Errorf("warned with %s", text)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%+v: warned of %q, want %q", c.config, got, c.want)
			}
		}
	}
}

// TestResolvedSecrets: placeholders are resolved for the engine only, and one without a value is a mistake, not nothing.
func TestResolvedSecrets(t *testing.T) {
	t.Setenv("ONE", "1")
	of := func(text string) core.Config {
		return core.Config{
			Router: core.Router{URL: text}, JWT: core.JWT{Secret: text}, Plan: core.Plan{Steps: []core.Step{{Confirm: text}}},
			Notify:     []core.Notify{{URL: text, Secret: text}},
			Store:      core.Store{Password: text, TLS: core.StoreTLS{CA: text, Certificate: text, Key: text}},
			Prometheus: core.Prometheus{URL: text, BearerToken: text, Password: text},
		}
	}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "{env.ONE}": "1", "https://a/{env.ONE}": "https://a/1", "env:ONE": "env:ONE", "{env.NONE}": "env:{env.NONE}",
	} {
		config := of(text)
		if got := resolved(config); !reflect.DeepEqual(got, of(want)) {
			t.Errorf("%q is resolved to %+v", text, got)
		}
		if !reflect.DeepEqual(config, of(text)) {
			t.Errorf("%q became %+v in the configuration", text, config)
		}
	}
}
