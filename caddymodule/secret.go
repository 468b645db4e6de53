package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
)

// warnOfShownSecrets says which secrets stand in the configuration itself: Caddy's admin API shows it, and keeps a copy of
// it in a file.
func warnOfShownSecrets(config core.Config, log *zap.Logger) {
	if config.Name != "" {
		log = log.With(zap.String("rollout", config.Name))
	}
	var hooks, signing []string
	for _, n := range config.Notify {
		signing = append(signing, n.Secret)
		if n.Secret == "" { // whoever receives a notice that is not signed believes everybody who knows where to post it
			hooks = append(hooks, n.URL)
		}
	}
	for _, s := range []struct {
		what    string
		secrets []string
	}{
		{"a secret of cookies", config.Sticky.Secret},
		{"the secret of tokens", []string{config.JWT.Secret}},
		{"the URL of unsigned notices", hooks},
		{"the secret of notices", signing},
		{"what authenticates to etcd", []string{config.Store.Password, config.Store.TLS.Key}},
		{"what authenticates to Prometheus", []string{config.Prometheus.BearerToken, config.Prometheus.Password}},
	} {
		if slices.ContainsFunc(s.secrets, isShown) {
			log.Warn(s.what + " stands in the configuration, which Caddy's admin API shows: name it, as {env.NAME} or file:/path")
		}
	}
}

// isShown reports whether a secret stands there itself.
func isShown(secret string) bool {
	named := strings.HasPrefix(secret, "env:") || strings.HasPrefix(secret, "file:") ||
		strings.Contains(secret, "{env.") || strings.Contains(secret, "{file.")
	return secret != "" && !named
}

// resolved returns a configuration with the values of the placeholders in its secrets, such as {env.SECRET} and
// {file./run/secrets/cookies}. The handler keeps the placeholders, and so does everything that shows its configuration.
func resolved(config core.Config) core.Config {
	replacer := caddy.NewReplacer()
	secrets := config.Sticky.Secret
	config.Sticky.Secret = nil
	for _, secret := range secrets {
		config.Sticky.Secret = append(config.Sticky.Secret, resolvedSecret(secret, replacer))
	}
	config.Router.URL = resolvedSecret(config.Router.URL, replacer)
	config.JWT.Secret = resolvedSecret(config.JWT.Secret, replacer)
	if jwks := replacer.ReplaceAll(config.JWT.JWKS, ""); jwks != "" {
		config.JWT.JWKS = jwks
	}
	config.Plan.Steps = slices.Clone(config.Plan.Steps)
	for i := range config.Plan.Steps {
		step := &config.Plan.Steps[i]
		step.Confirm = resolvedSecret(step.Confirm, replacer)
	}
	config.Mirrors = slices.Clone(config.Mirrors)
	for i := range config.Mirrors {
		m := &config.Mirrors[i]
		m.Target, m.Control = resolvedSecret(m.Target, replacer), resolvedSecret(m.Control, replacer)
	}
	config.Notify = slices.Clone(config.Notify)
	for i := range config.Notify {
		n := &config.Notify[i]
		n.URL, n.Secret = resolvedSecret(n.URL, replacer), resolvedSecret(n.Secret, replacer)
	}
	config.Store = resolvedStore(config.Store, replacer)
	p := &config.Prometheus
	p.URL, p.Username = resolvedSecret(p.URL, replacer), replacer.ReplaceAll(p.Username, "")
	p.BearerToken, p.Password = resolvedSecret(p.BearerToken, replacer), resolvedSecret(p.Password, replacer)
	return config
}

func resolvedStore(s core.Store, replacer *caddy.Replacer) core.Store {
	s.Endpoints = slices.Clone(s.Endpoints)
	for i := range s.Endpoints {
		s.Endpoints[i] = replacer.ReplaceAll(s.Endpoints[i], "")
	}
	s.Prefix, s.Username, s.Password = replacer.ReplaceAll(s.Prefix, ""), replacer.ReplaceAll(s.Username, ""), resolvedSecret(s.Password, replacer)
	for _, text := range []*string{&s.TLS.CA, &s.TLS.Certificate, &s.TLS.Key} {
		*text = resolvedSecret(*text, replacer)
	}
	return s
}

// resolvedSecret resolves the placeholders in a secret. One without a value is no secret, and no reason to do without: it
// stays for the engine to complain about.
func resolvedSecret(secret string, replacer *caddy.Replacer) string {
	if value := replacer.ReplaceAll(secret, ""); value != "" || secret == "" {
		return value
	}
	return "env:" + secret
}
