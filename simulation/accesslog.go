package simulation

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// Logged is a request of an access log.
type Logged struct {
	Question core.Question
	Time     time.Time

	// Decided are the variants that the log says the request got, by rollout: Caddy logs them.
	Decided map[string]string

	// Redacted tells that the log holds back what some headers said.
	Redacted bool
}

// redacted is what both gateways write in the place of a header that is held back.
const redacted = "REDACTED"

// maxLine is more than any request's line has.
const maxLine = 4 << 20

// ErrNoRequest is what the errors wrap of lines that tell of no request.
var ErrNoRequest = errors.New("no request of an access log in JSON")

// ReadLog hands the requests of an access log of Caddy's or Traefik's, in JSON, to each, one by one, and returns how many
// lines tell of none. It is an error if all do, or if a line is longer than 4 MiB.
func ReadLog(log io.Reader, each func(*Logged) error) (others int64, err error) {
	lines := bufio.NewScanner(log)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	requests := int64(0)
	for lines.Scan() {
		request, err := ParseLine(lines.Bytes())
		if err != nil {
			others++
			continue
		}
		requests++
		if err := each(request); err != nil {
			return others, err
		}
	}
	if err := lines.Err(); err != nil {
		return others, fmt.Errorf("line %d: %w", requests+others+1, err)
	}
	if requests == 0 {
		return others, fmt.Errorf("%w: none in %d lines", ErrNoRequest, others)
	}
	return others, nil
}

// ParseLine reads a line of an access log.
func ParseLine(line []byte) (*Logged, error) {
	var kind struct {
		Request json.RawMessage `json:"request"`
		Method  string          `json:"RequestMethod"`
	}
	if json.Unmarshal(line, &kind) != nil {
		return nil, ErrNoRequest
	}
	l := &Logged{Decided: map[string]string{}}
	l.Question.Headers = map[string][]string{}
	var err error
	switch {
	case len(kind.Request) > 0:
		err = l.readCaddy(line)
	case kind.Method != "":
		err = l.readTraefik(line)
	default:
		return nil, ErrNoRequest
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRequest, err)
	}
	return l, nil
}

// header keeps a header, unless it is held back.
func (l *Logged) header(name string, fields ...string) {
	for _, field := range fields {
		if field == redacted {
			l.Redacted = true
			continue
		}
		l.Question.Headers[name] = append(l.Question.Headers[name], field)
	}
}

// readCaddy reads what Caddy's encoder "json" writes: https://caddyserver.com/docs/caddyfile/directives/log.
func (l *Logged) readCaddy(line []byte) error {
	var entry struct {
		Time    any `json:"ts"`
		Request struct {
			RemoteIP string              `json:"remote_ip"`
			ClientIP string              `json:"client_ip"`
			Method   string              `json:"method"`
			Host     string              `json:"host"`
			URI      string              `json:"uri"`
			Headers  map[string][]string `json:"headers"`
			TLS      json.RawMessage     `json:"tls"`
		} `json:"request"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return err
	}
	r := entry.Request
	scheme := "http"
	if len(r.TLS) > 0 {
		scheme = "https"
	}
	if err := l.is(r.Method, scheme, r.Host, r.URI); err != nil {
		return err
	}
	l.Question.IP = r.ClientIP
	if l.Question.IP == "" {
		l.Question.IP = r.RemoteIP
	}
	for name, fields := range r.Headers {
		l.header(name, fields...)
	}
	switch at := entry.Time.(type) {
	case float64: // seconds
		whole, fraction := math.Modf(at)
		l.Time = time.Unix(int64(whole), int64(fraction*1e9))
	case string:
		l.Time, _ = time.Parse(time.RFC3339, at)
	}
	return l.decisions(line)
}

// decisions reads the fields rollout_<name> of Caddy's log.
func (l *Logged) decisions(line []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	for field, value := range fields {
		name, isRollout := strings.CutPrefix(field, "rollout_")
		variant, isText := value.(string)
		if isRollout && isText && !strings.HasSuffix(name, "_reason") {
			l.Decided[name] = variant
		}
	}
	return nil
}

// readTraefik reads what Traefik writes with accessLog.format: json.
func (l *Logged) readTraefik(line []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	text := func(name string) string {
		text, _ := fields[name].(string)
		return text
	}
	host := text("RequestHost")
	if port := text("RequestPort"); port != "" && port != "-" {
		host = net.JoinHostPort(host, port)
	}
	if err := l.is(text("RequestMethod"), text("RequestScheme"), host, text("RequestPath")); err != nil {
		return err
	}
	addresses := strings.Split(text("ClientHost"), ",") // X-Forwarded-For, where a trusted proxy sent it
	l.Question.IP = strings.TrimSpace(addresses[len(addresses)-1])
	for field, value := range fields {
		name, isHeader := strings.CutPrefix(field, "request_")
		text, isText := value.(string)
		if isHeader && isText {
			l.header(http.CanonicalHeaderKey(name), text)
		}
	}
	l.Time, _ = time.Parse(time.RFC3339, text("StartUTC"))
	return nil
}

// is says what was asked for.
func (l *Logged) is(method, scheme, host, uri string) error {
	if method == "" || host == "" || uri == "" {
		return errors.New("method, host or path are missing")
	}
	if scheme != "https" {
		scheme = "http"
	}
	if !strings.HasPrefix(uri, "/") {
		uri = "/"
	}
	l.Question.Method = method
	l.Question.URL = scheme + "://" + host + uri
	return nil
}
