package core

import (
	"fmt"
	"testing"
)

// TestSecretsWithoutAName: whoever writes env: or file: and no more hears so at once, and not where the gateway runs.
func TestSecretsWithoutAName(t *testing.T) {
	for path, write := range map[string]func(c *Config, secret string){
		"sticky.secret[1]": func(c *Config, secret string) { c.Sticky.Secret = []string{testSecret, secret} },
		"jwt.secret":       func(c *Config, secret string) { c.JWT.Secret = secret },
		"notify[0].url":    func(c *Config, secret string) { c.Notify = []Notify{{URL: secret}} },
		"notify[0].secret": func(c *Config, secret string) {
			c.Notify = []Notify{{URL: "https://hooks.example/", Secret: secret}}
		},
		"prometheus.bearer_token": func(c *Config, secret string) {
			c.Prometheus = Prometheus{URL: "http://10.0.0.9:9090", BearerToken: secret}
		},
		"prometheus.password": func(c *Config, secret string) {
			c.Prometheus = Prometheus{URL: "http://10.0.0.9:9090", Username: "gateway", Password: secret}
		},
	} {
		for secret, text := range map[string]string{
			"env:":  `"env:" names no variable of the environment: write it as env:NAME`,
			"file:": `"file:" names no file: write its path, as file:/path`,
		} {
			config := stickyShop()
			write(&config, secret)
			want := fmt.Sprint([]Problem{{Path: path, Text: text}})
			if got := fmt.Sprint(Check(config, Host{})); got != want {
				t.Errorf("%s as %q: checked: %s", path, secret, got)
			}
			want = path + ": " + text
			if _, err := Compile(config, nil, Host{}); err == nil || err.Error() != want {
				t.Errorf("%s as %q: compiled: %v", path, secret, err)
			}
		}
	}
}
