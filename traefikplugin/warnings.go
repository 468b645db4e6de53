package traefikplugin

import (
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// warnings says what a valid configuration does that its author may not expect.
func warnings(config core.Config) []string {
	list := shownSecrets(config)
	if len(config.Plan.Steps) > 0 && config.Store.Kind == "" {
		list = append(list, "where the rollout stands is lost when Traefik restarts: name a file, as store: {kind: file, path: /var/lib/grayling/state.json}")
	}
	if proxies(config) {
		return list
	}
	if config.Announce.Request == "off" {
		list = append(list, "the variants have no upstreams, and announce.request is off, so that child routers have no header to match: all traffic ends at the baseline's")
	}
	if len(config.FallbackMethods) > 0 && config.FallbackMethods[0] != "none" {
		list = append(list, "fallbackMethods has no effect on variants without upstreams: Traefik's failover services do what it does")
	}
	return list
}

// shownSecrets says which secrets stand in the configuration themselves, and not where they are.
func shownSecrets(config core.Config) []string {
	keys := []string{config.Proxy.TLS.Key}
	for _, v := range config.Variants {
		keys = append(keys, v.Proxy.TLS.Key)
	}
	var hooks, signing []string
	for _, n := range config.Notify {
		signing = append(signing, n.Secret)
		if n.Secret == "" { // whoever receives a notice that is not signed believes everybody who knows where to post it
			hooks = append(hooks, n.URL)
		}
	}
	var list []string
	for _, s := range []struct {
		what  string
		texts []string
	}{
		{"a private key", keys},
		{"a secret of cookies", config.Sticky.Secret},
		{"the secret of tokens", []string{config.JWT.Secret}},
		{"the URL of unsigned notices", hooks},
		{"the secret of notices", signing},
		{"what authenticates to etcd", []string{config.Store.Password, config.Store.TLS.Key}},
		{"what authenticates to Prometheus", []string{config.Prometheus.BearerToken, config.Prometheus.Password}},
		{"the token of control", []string{config.Control.Token}},
	} {
		if revealsSecret(s.texts) {
			list = append(list, s.what+" stands in the configuration, which Traefik's API shows: name it, as file:/path or env:NAME")
		}
	}
	return list
}

// revealsSecret reports whether any of the secrets stands there itself.
func revealsSecret(secrets []string) bool {
	for _, secret := range secrets {
		if secret != "" && !strings.HasPrefix(secret, "env:") && !strings.HasPrefix(secret, "file:") {
			return true
		}
	}
	return false
}
