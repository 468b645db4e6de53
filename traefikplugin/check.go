package traefikplugin

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Check returns everything that is wrong with a configuration as Traefik decodes it, and starts nothing. Files that it
// names are not read: they need to be there only where Traefik runs.
func Check(config core.Config) []core.Problem {
	written := asWritten(config)
	if commands(written) {
		return checkControl(written)
	}
	_, problems := readOwn(written, true)
	return append(core.Check(written, core.Host{CamelCase: true, Address: checkAddress}), problems...)
}

// own is what of a configuration is read here, and not by the engine.
type own struct {
	trusted      []netip.Prefix
	clientHeader string
	settings     *allSettings // nil in service mode
}

// readOwn reads what of a configuration is this host's, but for what secrets are if that is to be done dry.
func readOwn(config core.Config, dry bool) (*own, []core.Problem) {
	read := &own{clientHeader: http.CanonicalHeaderKey(first(config.ClientHeader, "X-Forwarded-For"))}
	var problems []core.Problem
	for i, text := range config.TrustedProxies {
		prefix, err := expr.ParsePrefix(text)
		if err != nil {
			problems = append(problems, core.Problem{Path: fmt.Sprintf("trustedProxies[%d]", i), Text: err.Error()})
		}
		read.trusted = append(read.trusted, prefix)
	}
	if !expr.IsToken(read.clientHeader) {
		problems = append(problems, core.Problem{Path: "clientHeader", Text: fmt.Sprintf("%q is not a header name", config.ClientHeader)})
	}
	if config.ClientHeader != "" && len(config.TrustedProxies) == 0 {
		problems = append(problems, core.Problem{Path: "clientHeader", Text: "nobody is trusted to write it: name the trustedProxies"})
	}
	problems = append(problems, cutHours(config.Plan.Only)...)
	if config.Store.Kind == "etcd" && config.Revision == "" && (proxies(config) || len(config.Plan.Steps) == 0) { // else the plan says so
		problems = append(problems, core.Problem{Path: "revision", Text: "gateways that share a store have to agree on what is being released: name the version, such as v2.3.1, everywhere alike"})
	}
	if dry { // else it is opened, and asked for what it keeps
		problems = append(problems, core.CheckStore(config.Store, core.Host{CamelCase: true})...)
		if config.Sticky.Mode == "cookie" && len(config.Sticky.Secret) == 0 && config.Store.Kind != "etcd" {
			problems = append(problems, core.Problem{Path: "sticky.secret", Text: "only the store etcd keeps one for cookies: name a secret, as env:NAME or file:/path; make it with: openssl rand -base64 32"})
		}
	}
	settings, proxyProblems := readSettings(config, dry)
	read.settings = settings
	problems = append(problems, proxyProblems...)
	return read, problems
}
