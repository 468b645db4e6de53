package expr

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Input is one request as conditions and keys see it. It remembers what was expensive to find out, so a value used by
// several rules is worked out once. It is not safe for concurrent use.
type Input struct {
	// Request is the request; never nil. It is only read.
	Request *http.Request

	// Address is the client's IP address as the gateway resolved it. Empty or malformed: ip() is absent.
	Address string

	// Client is the key of a client that none of the key's values identifies. Empty: there is none.
	Client string

	address      netip.Addr
	addressState state
	query        url.Values
	claims       [][]string // of the token
	claimed      bool       // whether the token was looked at
	random       float64
	hasRandom    bool
}

type state uint8

const (
	unknown state = iota
	absent
	present
)

// ip returns the parsed client address. IPv4-mapped IPv6 addresses count as IPv4, and zones are dropped: both name the
// same client.
func (in *Input) ip() (netip.Addr, bool) {
	if in.addressState == unknown {
		address, err := netip.ParseAddr(in.Address)
		in.address = address.Unmap().WithZone("")
		in.addressState = present
		if err != nil {
			in.addressState = absent
		}
	}
	return in.address, in.addressState == present
}

// ipText returns the address in its one canonical spelling, so that a client has the same key behind every gateway.
func (in *Input) ipText() (string, bool) {
	address, ok := in.ip()
	if !ok {
		return "", false
	}
	if strings.IndexByte(in.Address, ':') < 0 {
		return in.Address, true // ParseAddr takes only the canonical spelling of IPv4
	}
	return address.String(), true
}

// draw returns the request's random number in [0,1): the same one at every call.
func (in *Input) draw() float64 {
	if !in.hasRandom {
		in.random = rand.Float64()
		in.hasRandom = true
	}
	return in.random
}

// parameters returns all decoded query parameters. Malformed pairs are left out, as net/url does.
func (in *Input) parameters() url.Values {
	if in.query == nil {
		in.query, _ = url.ParseQuery(in.Request.URL.RawQuery)
		if in.query == nil {
			in.query = url.Values{}
		}
	}
	return in.query
}

// parameter returns the first query parameter of that name.
func (in *Input) parameter(name string) (string, bool) {
	rest := in.Request.URL.RawQuery
	if rest == "" {
		return "", false
	}
	if strings.ContainsAny(rest, "%+;") { // needs decoding, or net/url would refuse a part
		values := in.parameters()[name]
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if key, value, _ := strings.Cut(pair, "="); key == name && pair != "" {
			return value, true
		}
	}
	return "", false
}

// hostname returns the host that the request names, lower case, without port and brackets.
func hostname(r *http.Request) string {
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		bracketed := host[0] == '[' && host[i-1] == ']'
		if bracketed || strings.IndexByte(host, ':') == i { // else a bare IPv6 address
			host = host[:i]
		}
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(host)
}

func formatRandom(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }
