package traefikplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// healthCheck is how upstreams are asked for their health.
type healthCheck struct {
	path     string // with a query; "" if they are not
	interval time.Duration
	timeout  time.Duration
	status   int // 0 is any from 200 to 399
	hostname string
}

// checkKey tells the health of an address from that of others. Variants that share an address share what is known of
// it, unless they have it checked in different ways.
func (s *proxySettings) checkKey(address string) string {
	if s.check.path == "" {
		return address
	}
	return fmt.Sprintf("%s %+v %+v", address, s.check, s.tlsTexts)
}

// isTarget reports whether a text can be asked for.
func isTarget(path string) bool {
	_, err := url.ParseRequestURI(path)
	return err == nil
}

// probe checks one upstream.
type probe struct {
	check     healthCheck
	target    *target
	transport *http.Transport
	log       *slog.Logger
	rollout   string
}

// keepChecking checks the upstream at once, and from time to time until ctx ends.
func keepChecking(ctx context.Context, p *probe) {
	for ctx.Err() == nil {
		err := p.ask(ctx)
		if ctx.Err() == nil && p.target.health.Check(err == nil) {
			p.tell(err)
		}
		await.Sleep(ctx, p.check.interval*9/10+time.Duration(rand.Int64N(int64(p.check.interval/5))))
	}
}

func (p *probe) tell(err error) {
	if err != nil {
		p.log.Warn("an upstream failed its check and gets no requests", "rollout", p.rollout, "upstream", p.target.url.String(), "error", err)
		return
	}
	p.log.Warn("an upstream passed its check and gets requests again", "rollout", p.rollout, "upstream", p.target.url.String())
}

// ask sends one check.
func (p *probe) ask(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, p.check.timeout)
	defer cancel()
	at := p.target.url
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, at.Scheme+"://"+at.Host+p.check.path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "grayling")
	if p.check.hostname != "" {
		request.Host = p.check.hostname
	}
	response, err := p.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	switch {
	case p.check.status == 0 && response.StatusCode >= 200 && response.StatusCode < 400:
		return nil
	case response.StatusCode == p.check.status:
		return nil
	}
	return errors.New("the answer is " + response.Status)
}
