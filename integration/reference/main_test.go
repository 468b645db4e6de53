package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPagesAreCurrent(t *testing.T) {
	const checkout = "../.."
	all, err := pages(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		got, err := os.ReadFile(filepath.Join(checkout, folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s/%s is not current: run \"make reference\"", folder, name)
		}
	}
}

func TestKeys(t *testing.T) {
	for name, want := range map[string]string{"TLS": "tls", "CAFile": "caFile", "Member": "member", "TrustedProxies": "trustedProxies", "URL": "url", "JWKS": "jwks", "HTTP2": "http2"} {
		if got := camelKey(field{name: name, tag: `json:"-"`}); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := camelKey(field{name: "FallbackMethods", tag: `json:"fallback_methods,omitempty"`}); got != "fallbackMethods" {
		t.Error(got)
	}
}

func TestPagesSayWhatTheyAreAbout(t *testing.T) {
	all, err := pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string][]string{
		"caddy.md":    {"**`fallback_methods`**", "**`routes`**", "[Plan](#plan)", "## Step", "**`min_requests`**"},
		"traefik.md":  {"**`fallbackMethods`**", "**`trustedProxies`**", "**`serverName`**", "**`control`**"},
		"api.md":      {"**`latency_p95_ns`** – nanoseconds", "## An event", "**`checks`** – a list of [Description](#description)", "## An explanation"},
		"commands.md": {"## promote", "`--server", "## validate"},
	} {
		for _, text := range wanted {
			if !strings.Contains(all[name], text) {
				t.Errorf("%s lacks %s", name, text)
			}
		}
	}
	if strings.Contains(all["caddy.md"], "trusted_proxies") {
		t.Error("caddy.md has what only Traefik has")
	}
}
