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
)

// value is a compiled reference to something that a request has. It is comparable but for its host function, which
// follows from source and name: same tells whether two are the same value.
type value struct {
	source source
	name   string // header (canonical), cookie, parameter or placeholder
	lower  bool
	lookup func(r *http.Request, name string) (string, bool)
}

func (v *value) same(w *value) bool {
	return v.source == w.source && v.name == w.name && v.lower == w.lower
}

// read returns the value's text and whether the request has it.
func (v *value) read(in *Input) (string, bool) {
	text, ok := v.readRaw(in)
	if v.lower {
		text = strings.ToLower(text)
	}
	return text, ok
}

func (v *value) readRaw(in *Input) (string, bool) {
	switch v.source {
	case fromHeader:
		if fields := in.Request.Header[v.name]; len(fields) > 0 {
			return fields[0], true
		}
		return "", false
	case fromCookie:
		if fields := in.Request.Header["Cookie"]; len(fields) > 0 {
			return cookie(fields, v.name)
		}
		return "", false
	case fromQuery:
		return in.parameter(v.name)
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
	}
	return formatRandom(in.draw()), true // fromRandom
}

// has reports whether item is one of the comma-separated parts of any of the value's fields.
func (v *value) has(in *Input, item string) bool {
	switch v.source {
	case fromHeader:
		return anyPart(in.Request.Header[v.name], item, v.lower)
	case fromQuery:
		return anyPart(in.parameters()[v.name], item, v.lower)
	}
	text, _ := v.readRaw(in)
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
