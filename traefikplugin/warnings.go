package traefikplugin

import (
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// warnings says what a valid configuration does that its author may not expect.
func warnings(config core.Config) []string {
	var list []string
	if revealsKey(config) {
		list = append(list, "a private key stands in the configuration, which Traefik's API shows: name it, as file:/path or env:NAME")
	}
	if revealsSecret(config.Sticky.Secret) {
		list = append(list, "a secret of cookies stands in the configuration, which Traefik's API shows: name it, as file:/path or env:NAME")
	}
	if revealsSecret([]string{config.JWT.Secret}) {
		list = append(list, "the secret of tokens stands in the configuration, which Traefik's API shows: name it, as file:/path or env:NAME")
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

// revealsKey reports whether a configuration contains a private key itself, and not where it is.
func revealsKey(config core.Config) bool {
	keys := []string{config.Proxy.TLS.Key}
	for _, v := range config.Variants {
		keys = append(keys, v.Proxy.TLS.Key)
	}
	return revealsSecret(keys)
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
