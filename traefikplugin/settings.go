package traefikplugin

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// proxySettings is a variant's upstreams and how they are reached, read and checked.
type proxySettings struct {
	variant         string
	upstreams       []upstream
	dialTimeout     time.Duration
	responseTimeout time.Duration
	idleTimeout     time.Duration
	maxIdle         int
	passHost        bool
	http2           bool
	resolver        string
	tls             *tls.Config
}

// upstream is an address, or the name of SRV records that lead to addresses.
type upstream struct {
	url     *url.URL
	service string // the name of SRV records; "" if url holds the address
}

// readProxies reads the upstreams of all variants; nil if no variant has any.
func readProxies(config core.Config) ([]proxySettings, []core.Problem) {
	r := &settingsReader{}
	with := 0
	for _, v := range config.Variants {
		if len(v.Upstreams) > 0 {
			with++
		}
	}
	var list []proxySettings
	for i, v := range config.Variants {
		path := fmt.Sprintf("variants[%d]", i)
		if with > 0 && len(v.Upstreams) == 0 {
			r.fail(path+".upstreams", "variant %q has no upstreams, but others have: give it some, or leave them out everywhere and lead to services by child routers", v.Name)
		}
		if with == 0 && !isZero(v.Proxy) {
			r.fail(path+".proxy", "there is nothing to proxy to: give the variants upstreams")
		}
		list = append(list, r.variant(path, v, config.Proxy))
	}
	if with == 0 && !isZero(config.Proxy) {
		r.fail("proxy", "there is nothing to proxy to: give the variants upstreams")
	}
	r.rest("proxy", config.Proxy)
	if with == 0 {
		return nil, r.problems
	}
	return list, r.problems
}

// inOrder returns the settings in the order of the engine's variants, whose names are unique.
func inOrder(settings []proxySettings, variants []string) []proxySettings {
	list := make([]proxySettings, 0, len(variants))
	for _, name := range variants {
		for _, s := range settings {
			if s.variant == name {
				list = append(list, s)
			}
		}
	}
	return list
}

func isZero(p core.Proxy) bool { return fmt.Sprintf("%+v", p) == fmt.Sprintf("%+v", core.Proxy{}) }

// settingsReader collects what is wrong with proxy settings.
type settingsReader struct {
	problems []core.Problem
}

func (r *settingsReader) fail(path, format string, args ...any) {
	r.problems = append(r.problems, core.Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (r *settingsReader) rest(path string, p core.Proxy) {
	r.problems = append(r.problems, core.UnknownKeys(path+".", p.Rest, []string{"dialTimeout", "responseTimeout", "idleTimeout",
		"maxIdle", "passHost", "http2", "resolver", "tls"})...)
	r.problems = append(r.problems, core.UnknownKeys(path+".tls.", p.TLS.Rest, []string{"ca", "certificate", "key", "serverName",
		"unsafeSkipVerify"})...)
}

// variant reads one variant's upstreams. What its own settings leave out comes from those of the rollout.
func (r *settingsReader) variant(path string, v core.Variant, common core.Proxy) proxySettings {
	r.rest(path+".proxy", v.Proxy)
	own := v.Proxy
	path += "."
	s := proxySettings{
		variant:         v.Name,
		dialTimeout:     r.duration(path+"proxy.dialTimeout", first(own.DialTimeout, common.DialTimeout, "5s")),
		responseTimeout: r.duration(path+"proxy.responseTimeout", first(own.ResponseTimeout, common.ResponseTimeout, "0s")),
		idleTimeout:     r.duration(path+"proxy.idleTimeout", first(own.IdleTimeout, common.IdleTimeout, "90s")),
		passHost:        r.flag(path+"proxy.passHost", first(own.PassHost, common.PassHost, "true")),
		http2:           r.flag(path+"proxy.http2", first(own.HTTP2, common.HTTP2, "true")),
		resolver:        first(own.Resolver, common.Resolver),
		maxIdle:         own.MaxIdle,
	}
	if s.maxIdle == 0 {
		s.maxIdle = common.MaxIdle
	}
	if s.maxIdle == 0 {
		s.maxIdle = 200
	}
	if s.maxIdle < 0 {
		r.fail(path+"proxy.maxIdle", "%d is negative: how many unused connections may be kept?", s.maxIdle)
	}
	if _, _, err := net.SplitHostPort(s.resolver); s.resolver != "" && err != nil {
		r.fail(path+"proxy.resolver", "%q is not the address of a name server such as 127.0.0.1:8600", s.resolver)
	}
	s.tls = r.tls(path+"proxy.tls.", own.TLS, common.TLS)
	for i, item := range v.Upstreams {
		text, _ := item.(string)
		s.upstreams = append(s.upstreams, r.upstream(fmt.Sprintf("%supstreams[%d]", path, i), text))
	}
	return s
}

func (r *settingsReader) upstream(path, text string) upstream {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" {
		r.fail(path, "%q is not an address such as http://10.0.0.1:8080 or srv+http://_http._tcp.shop", text)
		return upstream{url: &url.URL{}}
	}
	switch address.Scheme {
	case "http", "https":
		return upstream{url: address}
	case "srv+http", "srv+https":
		service := address.Host
		if address.Port() != "" {
			r.fail(path, "%q: SRV records name the port: leave it out", text)
		}
		address.Scheme = strings.TrimPrefix(address.Scheme, "srv+")
		address.Host = ""
		return upstream{url: address, service: service}
	}
	r.fail(path, "%q: unknown scheme %q: there are http, https, srv+http and srv+https", text, address.Scheme)
	return upstream{url: address}
}

func (r *settingsReader) duration(path, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.fail(path, "%q is not a duration such as 500ms or 1m30s", text)
	}
	return d
}

// flag reads a truth value. 1 and 0 are what Traefik's decoder makes of the booleans of a Kubernetes resource.
func (r *settingsReader) flag(path, text string) bool {
	switch text {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	r.fail(path, "%q is neither true nor false", text)
	return false
}

// first returns the first text that is not empty, or "".
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
