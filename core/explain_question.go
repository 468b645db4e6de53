package core

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/geo"
)

// ErrQuestion is what the errors wrap of questions that no request can be made of.
var ErrQuestion = errors.New("not a request")

// What a question may hold: more than a gateway lets through.
const (
	maxQuestionURL     = 16 << 10
	maxQuestionHeaders = 64 << 10
)

func wrongQuestion(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrQuestion, fmt.Sprintf(format, args...))
}

// request returns the request that a question is about, as a gateway's server would make it.
func (q *Question) request(ctx context.Context) (*http.Request, error) {
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	if !expr.IsToken(method) || len(method) > 32 {
		return nil, wrongQuestion("method: %.40q is none such as GET", method)
	}
	if len(q.URL) > maxQuestionURL {
		return nil, wrongQuestion("url: it is longer than %d bytes", maxQuestionURL)
	}
	address, err := url.Parse(q.URL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, wrongQuestion("url: %.100q is not a URL such as https://shop.example/cart", q.URL)
	}
	r, err := http.NewRequestWithContext(ctx, method, address.String(), http.NoBody)
	if err != nil {
		return nil, wrongQuestion("url: %.100q is not a URL such as https://shop.example/cart", q.URL)
	}
	r.RequestURI = address.RequestURI()
	r.URL = &url.URL{Path: address.Path, RawPath: address.RawPath, RawQuery: address.RawQuery, ForceQuery: address.ForceQuery}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	if address.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: address.Hostname()}
	}
	if q.IP != "" {
		if _, err := netip.ParseAddr(q.IP); err != nil {
			return nil, wrongQuestion("ip: %.60q is not an address such as 192.0.2.1", q.IP)
		}
		r.RemoteAddr = net.JoinHostPort(q.IP, "0")
	}
	return r, q.fill(r)
}

// fill gives a request its headers.
func (q *Question) fill(r *http.Request) error {
	size := 0
	for _, name := range sortedFields(q.Headers) {
		if !expr.IsToken(name) {
			return wrongQuestion("headers: %.60q is not the name of a header", name)
		}
		for _, field := range q.Headers[name] {
			if size += len(name) + len(field); size > maxQuestionHeaders {
				return wrongQuestion("headers: they are longer than %d bytes", maxQuestionHeaders)
			}
			if strings.ContainsAny(field, "\r\n\x00") {
				return wrongQuestion("headers: that called %.60q is more than one line", name)
			}
			if http.CanonicalHeaderKey(name) == "Host" {
				r.Host = field
				continue
			}
			r.Header.Add(name, strings.Trim(field, " \t")) // as servers do
		}
	}
	return nil
}

func sortedFields(headers map[string][]string) []string {
	names := make(map[string]any, len(headers))
	for name := range headers {
		names[name] = nil
	}
	return sortedKeys(names)
}

// checkAssumed returns an error for what a question assumes that the rollout does not ask.
func (e *Engine) checkAssumed(q *Question) error {
	for field := range q.Geo {
		known := false
		for _, name := range geo.Names {
			known = known || name == field
		}
		if !known {
			return wrongQuestion("geo: unknown field %.60q%s", field, expr.Suggest(field, geo.Names))
		}
	}
	matchers := []string{}
	for _, rule := range e.rules {
		if e.host.Conditions[rule.name] != nil {
			matchers = append(matchers, rule.name)
		}
	}
	for name := range q.Match {
		known := false
		for _, matcher := range matchers {
			known = known || matcher == name
		}
		if !known {
			return wrongQuestion("match: no rule %.60q has a matcher of the gateway's%s", name, expr.Suggest(name, matchers))
		}
	}
	if len(q.Claims) > 0 && e.tokens == nil {
		return wrongQuestion("claims: the rollout verifies no tokens")
	}
	return nil
}
