package traefikplugin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	resolveEvery   = 10 * time.Second // how often SRV records are looked up anew
	resolveAgain   = 2 * time.Second  // ... after they could not be had
	resolveTimeout = 2 * time.Second
)

// pool is a variant's upstreams, taken in turn.
type pool struct {
	current atomic.Value // []*url.URL
	next    atomic.Uint32
}

// newPool returns the pool of a variant and keeps it up to date until ctx ends.
func newPool(ctx context.Context, settings proxySettings, log *slog.Logger) *pool {
	p := &pool{}
	var fixed []*url.URL
	var named []upstream
	for _, u := range settings.upstreams {
		if u.service == "" {
			fixed = append(fixed, u.url)
		} else {
			named = append(named, u)
		}
	}
	p.current.Store(fixed)
	if len(named) > 0 {
		d := &discovery{pool: p, fixed: fixed, named: named, found: make([][]*url.URL, len(named)), resolver: resolver(settings.resolver), log: log}
		wait := d.look(ctx)
		go d.run(ctx, wait)
	}
	return p
}

// pick returns the next upstream, or nil if there is none.
func (p *pool) pick() *url.URL {
	list := p.current.Load().([]*url.URL)
	if len(list) == 0 {
		return nil
	}
	if len(list) == 1 {
		return list[0]
	}
	return list[int(p.next.Add(1)%uint32(len(list)))]
}

// discovery keeps a pool at what SRV records say. Records that cannot be had leave what was found before.
type discovery struct {
	pool     *pool
	fixed    []*url.URL
	named    []upstream
	found    [][]*url.URL // for each of named
	resolver *net.Resolver
	log      *slog.Logger
}

func (d *discovery) run(ctx context.Context, wait time.Duration) {
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = d.look(ctx)
	}
}

// look resolves every name once and returns how long to wait for the next time.
func (d *discovery) look(ctx context.Context) time.Duration {
	wait := resolveEvery
	for i, u := range d.named {
		bounded, cancel := context.WithTimeout(ctx, resolveTimeout)
		_, records, err := d.resolver.LookupSRV(bounded, "", "", u.service)
		cancel()
		if err != nil || len(records) == 0 {
			d.log.Error("keeping the upstreams that were found before", "service", u.service, "error", err)
			wait = resolveAgain
			continue
		}
		d.found[i] = d.found[i][:0:0]
		for _, record := range records { // sorted by priority; the first priority serves
			if record.Priority == records[0].Priority {
				address := *u.url
				address.Host = net.JoinHostPort(strings.TrimSuffix(record.Target, "."), fmt.Sprint(record.Port))
				d.found[i] = append(d.found[i], &address)
			}
		}
	}
	all := append([]*url.URL(nil), d.fixed...)
	for _, found := range d.found {
		all = append(all, found...)
	}
	d.pool.current.Store(all)
	return wait
}

// resolver returns the system's resolver, or one that asks the name server at address.
func resolver(address string) *net.Resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, system string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}
}
