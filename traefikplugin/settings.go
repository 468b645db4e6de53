package traefikplugin

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
)

// proxySettings is how upstreams are reached, read and checked.
type proxySettings struct {
	dialTimeout     time.Duration
	responseTimeout time.Duration
	idleTimeout     time.Duration
	maxIdle         int
	passHost        bool
	http2           bool
	resolver        string
	tlsTexts        core.TLS
	tls             *tls.Config
	retries         int
	passive         balance.HealthPolicy
	statuses        map[int]bool // that are failures too
	check           healthCheck
}

var defaults = proxySettings{
	dialTimeout: 5 * time.Second, idleTimeout: 90 * time.Second, maxIdle: 200, passHost: true, http2: true, retries: 2,
	passive: balance.HealthPolicy{Failures: 3, Backoff: time.Second},
	check:   healthCheck{interval: 10 * time.Second, timeout: 5 * time.Second},
}

// allSettings are those of a rollout's upstreams.
type allSettings struct {
	common    *proxySettings            // of the upstreams that variants share
	byVariant map[string]*proxySettings // common where a variant has none of its own
}

// proxies reports whether a rollout is in proxy mode.
func proxies(config core.Config) bool {
	with := len(config.Upstreams) > 0
	for _, v := range config.Variants {
		with = with || len(v.Upstreams) > 0
	}
	return with
}

// readSettings reads how the upstreams are reached, but for what secrets are if that is to be done dry; nil in service
// mode.
func readSettings(config core.Config, dry bool) (*allSettings, []core.Problem) {
	r := &settingsReader{dry: dry}
	if !proxies(config) {
		r.serviceMode(config)
		return nil, r.problems
	}
	common := r.settings("proxy", config.Proxy, &defaults)
	all := &allSettings{common: common, byVariant: map[string]*proxySettings{}}
	for i, v := range config.Variants {
		path := fmt.Sprintf("variants[%d]", i)
		if len(v.Upstreams) == 0 && len(config.Upstreams) == 0 {
			r.fail(path+".upstreams", "variant %q has no upstreams, but others have: give it some, or leave them out everywhere and lead to services by child routers", v.Name)
		}
		if len(v.Upstreams) == 0 && v.Proxy.HealthCheck.Path != "" {
			r.fail(path+".proxy.healthCheck", "upstreams that variants share are checked once for all: move it to the rollout's proxy")
		}
		all.byVariant[v.Name] = common
		if !isZero(v.Proxy) {
			all.byVariant[v.Name] = r.settings(path+".proxy", v.Proxy, common)
		}
	}
	return all, r.problems
}

func isZero(p core.Proxy) bool { return fmt.Sprintf("%+v", p) == fmt.Sprintf("%+v", core.Proxy{}) }

// settingsReader collects what is wrong with proxy settings.
type settingsReader struct {
	dry      bool // secrets are not read
	problems []core.Problem
}

func (r *settingsReader) fail(path, format string, args ...any) {
	r.problems = append(r.problems, core.Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// serviceMode reports settings that have no effect.
func (r *settingsReader) serviceMode(config core.Config) {
	const none = "there is nothing to proxy to: give the variants upstreams"
	if !isZero(config.Proxy) {
		r.fail("proxy", none)
	}
	for i, v := range config.Variants {
		if !isZero(v.Proxy) {
			r.fail(fmt.Sprintf("variants[%d].proxy", i), none)
		}
	}
}

func (r *settingsReader) rest(path string, rest map[string]any, known ...string) {
	r.problems = append(r.problems, core.UnknownKeys(path+".", rest, known)...)
}

// settings reads what p says; the rest is as in base.
func (r *settingsReader) settings(path string, p core.Proxy, base *proxySettings) *proxySettings {
	r.rest(path, p.Rest, "dialTimeout", "responseTimeout", "idleTimeout", "maxIdle", "passHost", "http2", "resolver", "tls",
		"retries", "passiveHealthCheck", "healthCheck")
	s := *base
	r.duration(path+".dialTimeout", p.DialTimeout, &s.dialTimeout)
	r.duration(path+".responseTimeout", p.ResponseTimeout, &s.responseTimeout)
	r.duration(path+".idleTimeout", p.IdleTimeout, &s.idleTimeout)
	r.flag(path+".passHost", p.PassHost, &s.passHost)
	r.flag(path+".http2", p.HTTP2, &s.http2)
	r.number(path+".retries", p.Retries, &s.retries)
	if p.MaxIdle != 0 {
		s.maxIdle = p.MaxIdle
	}
	if p.MaxIdle < 0 {
		r.fail(path+".maxIdle", "%d is negative: how many unused connections may be kept?", p.MaxIdle)
	}
	if p.Resolver != "" {
		s.resolver = p.Resolver
		if _, _, err := net.SplitHostPort(p.Resolver); err != nil {
			r.fail(path+".resolver", "%q is not the address of a name server such as 127.0.0.1:8600", p.Resolver)
		}
	}
	r.tls(path+".tls", p.TLS, &s)
	r.passive(path+".passiveHealthCheck", p.PassiveHealthCheck, &s)
	r.check(path+".healthCheck", p.HealthCheck, &s)
	return &s
}

// duration reads a time, unless the text is empty.
func (r *settingsReader) duration(path, text string, d *time.Duration) {
	if text == "" {
		return
	}
	read, err := time.ParseDuration(text)
	if err != nil || read < 0 {
		r.fail(path, "%q is not a duration such as 500ms or 1m30s", text)
	}
	*d = read
}

// number reads a whole number from 0, unless the text is empty.
func (r *settingsReader) number(path, text string, n *int) {
	if text == "" {
		return
	}
	read, err := strconv.Atoi(text)
	if err != nil || read < 0 {
		r.fail(path, "%q is not a whole number from 0", text)
	}
	*n = read
}

// flag reads a truth value, unless the text is empty. 1 and 0 are what Traefik's decoder makes of the booleans of a
// Kubernetes resource.
func (r *settingsReader) flag(path, text string, flag *bool) {
	switch text {
	case "":
	case "true", "1":
		*flag = true
	case "false", "0":
		*flag = false
	default:
		r.fail(path, "%q is neither true nor false", text)
	}
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

// passive reads how failures are counted.
func (r *settingsReader) passive(path string, p core.PassiveHealthCheck, s *proxySettings) {
	r.rest(path, p.Rest, "failures", "statuses", "backoff", "maxBackoff")
	r.number(path+".failures", p.Failures, &s.passive.Failures)
	r.duration(path+".backoff", p.Backoff, &s.passive.Backoff)
	r.duration(path+".maxBackoff", p.MaxBackoff, &s.passive.MaxBackoff)
	if s.passive.Backoff == 0 {
		r.fail(path+".backoff", `"0s" is no back-off: to leave no upstream alone, set failures to 0`)
	}
	if p.MaxBackoff != "" && s.passive.MaxBackoff < s.passive.Backoff {
		r.fail(path+".maxBackoff", "%q is less than the back-off of %s", p.MaxBackoff, s.passive.Backoff.String())
	}
	if len(p.Statuses) == 0 {
		return
	}
	s.statuses = map[int]bool{}
	for i, text := range p.Statuses {
		status, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || status < 500 || status > 599 {
			r.fail(fmt.Sprintf("%s.statuses[%d]", path, i), "%q is not a status from 500 to 599: others are what clients bring about", text)
		}
		s.statuses[status] = true
	}
}

// policy returns the passive checks, whose longest back-off depends on the shortest if it is not given.
func (s *proxySettings) policy() balance.HealthPolicy {
	p := s.passive
	if p.MaxBackoff == 0 {
		p.MaxBackoff = 30 * time.Second
	}
	return p
}

// check reads how upstreams are asked for their health.
func (r *settingsReader) check(path string, h core.HealthCheck, s *proxySettings) {
	r.rest(path, h.Rest, "path", "interval", "timeout", "status", "hostname")
	s.check.path = first(h.Path, s.check.path)
	s.check.hostname = first(h.Hostname, s.check.hostname)
	r.duration(path+".interval", h.Interval, &s.check.interval)
	r.duration(path+".timeout", h.Timeout, &s.check.timeout)
	r.number(path+".status", h.Status, &s.check.status)
	if s.check.path == "" && fmt.Sprintf("%+v", h) != fmt.Sprintf("%+v", core.HealthCheck{}) {
		r.fail(path+".path", "what should be asked for? There are no checks without a path such as /healthz")
	}
	if h.Path != "" && (!strings.HasPrefix(h.Path, "/") || !isTarget(h.Path)) {
		r.fail(path+".path", "%q is not a path such as /healthz", h.Path)
	}
	if h.Interval != "" && s.check.interval < 10*time.Millisecond {
		r.fail(path+".interval", "%q is too often: 10ms at least", h.Interval)
	}
	if h.Timeout != "" && s.check.timeout == 0 {
		r.fail(path+".timeout", "%q leaves no time to answer", h.Timeout)
	}
	if h.Status != "" && (s.check.status < 100 || s.check.status > 599) {
		r.fail(path+".status", "%q is not a status such as 200", h.Status)
	}
}
