package expr

import (
	"net/http"
	"net/netip"
	"strings"
)

// source says where a value comes from.
type source uint8

const (
	fromHeader source = iota
	fromHost          // header("Host"): net/http keeps it outside the header map
	fromCookie
	fromQuery
	fromPath
	fromMethod
	fromHostname
	fromScheme
	fromIP
	fromGeo
	fromClaim
	fromPlaceholder
	fromRandom
	fromStatus // of the answer: no request has it
	fromLowered
	fromNowhere
)

// value is a compiled reference to something that a request has.
type value struct {
	source source
	name   string                                            // header (canonical), cookie, parameter or placeholder
	pair   string                                            // fromCookie: the name with an equals sign
	second string                                            // fromCookie: that, after a semicolon and a blank
	plain  *value                                            // fromLowered: the value that is put in lower case
	lookup func(r *http.Request, name string) (string, bool) // fromPlaceholder
	where  func(address netip.Addr) string                   // fromGeo
	claims func(r *http.Request) [][]string                  // fromClaim
	index  int                                               // fromClaim: among these

	isPlace bool // somebody said it of geo(), so that it is fromPlaceholder
}

// nothing is the value of tests that look at none.
var nothing = &value{source: fromNowhere}

// same reports whether two values are the same.
func (v *value) same(w *value) bool {
	if v.source == fromLowered && w.source == fromLowered {
		return v.plain.same(w.plain)
	}
	return v.source == w.source && v.name == w.name
}

// read returns a value's text and whether the request has it. It is cut into small functions for the reason that
// [Next] gives.
func read(v *value, in *Input) (string, bool) {
	if v.source == fromCookie {
		return readCookie(v, in)
	}
	if v.source == fromHeader {
		return readHeader(v.name, in)
	}
	if v.source == fromQuery && in.Request.URL.RawQuery == "" {
		return "", false
	}
	if v.source == fromClaim {
		return readClaim(v, in)
	}
	return readRare(v, in)
}

func readHeader(name string, in *Input) (string, bool) {
	fields := in.Request.Header[name]
	if len(fields) == 0 {
		return "", false
	}
	return fields[0], true
}

func readRare(v *value, in *Input) (string, bool) {
	switch v.source {
	case fromQuery:
		return in.parameter(v.name)
	case fromLowered:
		text, ok := read(v.plain, in)
		return strings.ToLower(text), ok
	case fromIP:
		return in.ipText()
	case fromGeo:
		return readPlace(v, in)
	case fromPath:
		return in.Request.URL.Path, true
	case fromMethod:
		return in.Request.Method, true
	case fromHost:
		return in.Request.Host, in.Request.Host != ""
	case fromHostname:
		host := hostname(in.Request)
		return host, host != ""
	case fromScheme:
		if in.Request.TLS != nil {
			return "https", true
		}
		return "http", true
	case fromPlaceholder:
		return v.lookup(in.Request, v.name)
	case fromRandom:
		return formatRandom(in.draw()), true
	}
	return "", false
}

// has reports whether item is one of the comma-separated parts of any of the value's fields.
func (v *value) has(in *Input, item string) bool {
	lower := v.source == fromLowered
	if lower {
		v = v.plain
	}
	switch v.source {
	case fromHeader:
		return anyPart(in.Request.Header[v.name], item, lower)
	case fromQuery:
		return anyPart(in.parameters()[v.name], item, lower)
	case fromClaim:
		return claimHas(claimOf(v, in), item, lower)
	}
	text, _ := read(v, in)
	return part(text, item, lower)
}

func anyPart(fields []string, item string, lower bool) bool {
	for _, field := range fields {
		if part(field, item, lower) {
			return true
		}
	}
	return false
}

// part reports whether item is one of the comma-separated parts of field. Blanks around parts do not count, and an
// empty part is no item.
func part(field, item string, lower bool) bool {
	if lower {
		field = strings.ToLower(field)
	}
	for field != "" {
		var p string
		p, field, _ = strings.Cut(field, ",")
		if p = strings.TrimSpace(p); p == item && p != "" {
			return true
		}
	}
	return false
}

// isList reports whether .has makes sense for the value.
func (v *value) isList() bool {
	switch v.source {
	case fromLowered:
		return v.plain.isList()
	case fromHeader, fromQuery, fromCookie, fromPlaceholder, fromClaim:
		return true
	}
	return false
}
