package traefikplugin

import (
	"context"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/balance"
)

const (
	resolveEvery   = 10 * time.Second // how often SRV records are looked up anew
	resolveAgain   = 2 * time.Second  // ... after they could not be had
	resolveTimeout = 2 * time.Second
)

// service is a name whose SRV records lead to addresses.
type service struct {
	key          string // tells it from others
	name         string
	before, path string // of an address: scheme:// and what follows host and port
	resolver     string
	awaited      bool // not looked up yet; guarded by memory.mu
}

// newService returns the service that an upstream names, or nil if it is an address itself.
func newService(upstream, resolver string) *service {
	scheme, rest, _ := strings.Cut(upstream, "://")
	if !strings.HasPrefix(scheme, "srv+") {
		return nil
	}
	name := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		name = rest[:i]
	}
	return &service{key: resolver + " " + upstream, name: name, before: scheme[len("srv+"):] + "://", path: rest[len(name):], resolver: resolver}
}

// address is where requests can go, and its weight.
type address struct {
	name   string
	weight int
}

// weighted returns addresses that were found by an upstream of this weight: times their own, divided by what these have
// in common. So if the records tell no difference, each counts as if it stood in the configuration.
func weighted(found []address, weight int) []address {
	divisor, largest := 0, 1
	for _, a := range found {
		divisor = common(divisor, a.weight)
		if a.weight > largest {
			largest = a.weight
		}
	}
	list := make([]address, 0, len(found))
	for _, a := range found {
		w := a.weight / divisor * weight
		if largest/divisor*weight > balance.MaxWeight {
			w = a.weight * balance.MaxWeight / largest
		}
		if w == 0 && weight > 0 {
			w = 1
		}
		list = append(list, address{name: a.name, weight: w})
	}
	return list
}

// common returns the greatest common divisor.
func common(a, b int) int {
	for b != 0 {
		rest := a % b
		a = b
		b = rest
	}
	return a
}

// follow keeps the addresses of a service at what its records say, until ctx ends. Records that cannot be had leave what
// was found before, which is logged once.
func (u *upstreams) follow(ctx context.Context, s *service) {
	failing := false
	for ctx.Err() == nil {
		found, err := s.look(ctx)
		u.learn(ctx, s, found)
		wait := resolveEvery
		if err != nil {
			wait = resolveAgain
		}
		if ctx.Err() == nil && failing != (err != nil) {
			failing = err != nil
			if failing {
				u.log.Error("keeping the upstreams that were found before", "rollout", u.engine.Name(), "service", s.name, "error", err)
			} else {
				u.log.Warn("upstreams are found again", "rollout", u.engine.Name(), "service", s.name)
			}
		}
		await.Sleep(ctx, wait)
	}
}

// look finds the addresses of the best priority, in an order that does not change by itself.
func (s *service) look(ctx context.Context) ([]address, error) {
	bounded, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	_, records, err := resolver(s.resolver).LookupSRV(bounded, "", "", s.name)
	if err != nil {
		return nil, err
	}
	var found []address
	for _, record := range records { // sorted by priority
		if record.Priority != records[0].Priority {
			break
		}
		a := address{name: s.before + net.JoinHostPort(strings.TrimSuffix(record.Target, "."), strconv.Itoa(int(record.Port))) + s.path}
		a.weight = int(record.Weight)
		if a.weight == 0 {
			a.weight = 1 // seldom, says RFC 2782, and not never
		}
		found = append(found, a)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].name < found[j].name })
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no SRV records", s.name)
	}
	return found, nil
}

// learn takes in what a look-up found; nil is nothing new.
func (u *upstreams) learn(ctx context.Context, s *service, found []address) {
	u.memory.mu.Lock()
	defer u.memory.mu.Unlock()
	if ctx.Err() != nil {
		return // another configuration has taken over
	}
	if found != nil && fmt.Sprint(u.memory.found[s.key]) != fmt.Sprint(found) {
		u.memory.found[s.key] = found
		u.arrange(ctx)
	}
	if !s.awaited {
		return
	}
	s.awaited = false
	u.unknown--
	if u.unknown == 0 {
		close(u.ready)
	}
}

// wait returns when every name was looked up, or when that takes too long.
func (u *upstreams) wait() {
	timer := time.NewTimer(time.Until(u.begun.Add(resolveTimeout)))
	defer timer.Stop()
	await.First(u.ready, timer.C)
}
