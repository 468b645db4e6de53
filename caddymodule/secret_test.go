package caddymodule

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/grayling-gateway/grayling/core"
)

// TestSecretsInTheConfiguration: who writes a secret into the configuration is told that Caddy shows it.
func TestSecretsInTheConfiguration(t *testing.T) {
	cookies, tokens := "a secret of cookies", "the secret of tokens"
	for _, c := range []struct {
		sticky []string
		jwt    string
		want   []string
	}{
		{want: nil},
		{sticky: []string{"{env.SECRET}", "file:/run/secret", "{file./run/secret}", "env:SECRET"}, jwt: "{env.SECRET}"},
		{sticky: []string{"{env.SECRET}", testSecret}, want: []string{cookies}},
		{jwt: testSecret, want: []string{tokens}},
		{sticky: []string{testSecret, testSecret}, jwt: testSecret, want: []string{cookies, tokens}},
	} {
		watcher, logs := zapobserver.New(zap.WarnLevel)
		warnOfShownSecrets(core.Config{Name: "shop", Sticky: core.Sticky{Secret: c.sticky}, JWT: core.JWT{Secret: c.jwt}}, zap.New(watcher))
		var got []string
		for _, entry := range logs.All() {
			subject, _, _ := strings.Cut(entry.Message, " stands")
			got = append(got, subject)
			if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, testSecret) || !strings.Contains(text, "shop") {
				t.Errorf("warned with %s", text)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q, %q: warned of %q, want %q", c.sticky, c.jwt, got, c.want)
		}
	}
}
