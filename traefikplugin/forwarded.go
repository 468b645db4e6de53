package traefikplugin

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
)

// standardHeader is the header of RFC 7239. Every other is a list of addresses, as X-Forwarded-For.
const standardHeader = "Forwarded"

// maxForwarded bounds a field of it in bytes: real ones are short.
const maxForwarded = 8 << 10

// forwardedClient returns the client of a request that a trusted proxy passed on: the last address in the header which the proxies
// write that is not one of theirs. What stands further to the left a client could have written itself. Something that is
// no address, as RFC 7239 allows, leaves the client unknown: with the proxy's own address in its place, strangers would
// pass for the network that the proxy stands in.
func forwardedClient(c *clients, r *http.Request, proxy string) string {
	client := proxy
	fields := r.Header[c.header]
	for i := len(fields) - 1; i >= 0; i-- {
		field := fields[i]
		if strings.TrimSpace(field) == "" {
			continue
		}
		if c.header == standardHeader {
			field = addressesOf(field)
		}
		more := true
		for more {
			comma := strings.LastIndexByte(field, ',')
			address, ok := node(field[comma+1:])
			if !ok {
				return ""
			}
			client = address.String()
			if !c.trusts(client) {
				return client
			}
			more = comma >= 0
			if more {
				field = field[:comma]
			}
		}
	}
	return client
}

// node reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
// A zone is dropped, and an IPv4-mapped address becomes an IPv4 address.
func node(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if rest, bracketed := strings.CutPrefix(text, "["); bracketed {
		inside, port, closed := strings.Cut(rest, "]")
		if !closed || port != "" && port[0] != ':' || !strings.Contains(inside, ":") {
			return netip.Addr{}, false
		}
		text = inside
	} else if strings.Count(text, ":") == 1 {
		text, _, _ = strings.Cut(text, ":")
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}

// addressesOf makes a field of Forwarded one of X-Forwarded-For (RFC 7239, section 7.4). An element without a client
// becomes an empty one; a field that is malformed ends in one.
func addressesOf(field string) string {
	if len(field) > maxForwarded {
		return ""
	}
	var list []string
	client := ""
	for {
		name, rest, _ := strings.Cut(field, "=")
		value, after, ok := cutValue(rest)
		name = strings.TrimSpace(name)
		if !ok || !expr.IsToken(name) { // a name with a comma in it would hide an element
			return ""
		}
		if strings.EqualFold(name, "for") {
			if client != "" {
				return "" // twice in one element: which is it?
			}
			client = value
		}
		if after == "" || after[0] == ',' {
			list = append(list, client)
			client = ""
		}
		if after == "" {
			return strings.Join(list, ",")
		}
		field = after[1:]
	}
}

// cutValue cuts a value, and what surrounds it, from what follows: a separator and the rest, or nothing.
func cutValue(text string) (string, string, bool) {
	text = strings.TrimLeft(text, " \t")
	quoted, isQuoted := strings.CutPrefix(text, `"`)
	if !isQuoted {
		end := strings.IndexAny(text, `,;"`)
		if end < 0 {
			return strings.TrimSpace(text), "", true
		}
		return strings.TrimSpace(text[:end]), text[end:], text[end] != '"'
	}
	end := strings.IndexAny(quoted, `"\`)
	if end < 0 || quoted[end] == '\\' || strings.Contains(quoted[:end], ",") {
		return "", "", false // no address has what has to be escaped, or a comma
	}
	after := strings.TrimLeft(quoted[end+1:], " \t")
	return quoted[:end], after, after == "" || after[0] == ',' || after[0] == ';'
}
