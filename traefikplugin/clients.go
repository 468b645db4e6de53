package traefikplugin

import (
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
)

// clients finds out who a request comes from.
type clients struct {
	trusted []netip.Prefix // proxies whose word is believed
	header  string         // in which they give it, in canonical form
}

// clientOf returns the client's address: who connects, or whom trusted proxies name; "" is unknown.
func clientOf(c *clients, r *http.Request) string {
	address := host(r.RemoteAddr)
	if len(c.trusted) == 0 || !c.trusts(address) {
		return address
	}
	return forwardedClient(c, r, address)
}

func (c *clients) trusts(text string) bool {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	address = address.Unmap().WithZone("")
	for _, prefix := range c.trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// host returns the host of host:port, without brackets.
func host(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 {
		hostport = hostport[:i]
	}
	if n := len(hostport); n > 1 && hostport[0] == '[' {
		hostport = hostport[1 : n-1]
	}
	return hostport
}

// logger writes what an operator should know to where Traefik logs a plugin's errors: of what a plugin writes anywhere
// else nothing is seen without debugging.
func logger(middleware string) *slog.Logger {
	return slog.New(slog.NewTextHandler(log.Writer(), nil)).With("middleware", middleware)
}
