package expr

import (
	"net/http"
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
	fromPlaceholder
	fromRandom
	fromNowhere
)

// value is a compiled reference to something that a request has.
type value struct {
	source source
	name   string // header (canonical), cookie, parameter or placeholder
	pair   string // fromCookie: the name with an equals sign
	lower  bool
	lookup func(r *http.Request, name string) (string, bool) // fromPlaceholder
}

// nothing is the value of tests that look at none.
var nothing = &value{source: fromNowhere}

// same reports whether two values are the same.
func (v *value) same(w *value) bool {
	return v.source == w.source && v.name == w.name && v.lower == w.lower
}

// read returns a value's text and whether the request has it. The common sources come first and the others are left to
// another function: interpreted, a call costs by the size of what is called.
func read(v *value, in *Input) (string, bool) {
	if v.lower {
		plain := *v
		plain.lower = false
		text, ok := read(&plain, in)
		return strings.ToLower(text), ok
	}
	if v.source == fromCookie {
		fields := in.Request.Header["Cookie"]
		if len(fields) == 0 {
			return "", false
		}
		return cookie(fields, v.name, v.pair)
	}
	if v.source == fromQuery {
		if in.Request.URL.RawQuery == "" {
			return "", false
		}
		return in.parameter(v.name)
	}
	return readRare(v, in)
}

func readRare(v *value, in *Input) (string, bool) {
	switch v.source {
	case fromHeader:
		if fields := in.Request.Header[v.name]; len(fields) > 0 {
			return fields[0], true
		}
		return "", false
	case fromIP:
		return in.ipText()
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
	switch v.source {
	case fromHeader:
		return anyPart(in.Request.Header[v.name], item, v.lower)
	case fromQuery:
		return anyPart(in.parameters()[v.name], item, v.lower)
	}
	text, _ := read(&value{source: v.source, name: v.name, pair: v.pair, lookup: v.lookup}, in)
	return part(text, item, v.lower)
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
	case fromHeader, fromQuery, fromCookie, fromPlaceholder:
		return true
	}
	return false
}
