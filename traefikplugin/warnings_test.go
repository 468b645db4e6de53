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

func TestSecretOfTokensInTheConfiguration(t *testing.T) {
	for given, want := range map[string]int{"a secret of thirty-two bytes, or more": 1, "file:/run/secrets/jwt": 0, "env:JWT_SECRET": 0, "": 0} {
		config := checkout(t)
		config.JWT.Secret = given
		if got := warnings(config); len(got) != want {
			t.Errorf("%q: %q", given, got)
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
