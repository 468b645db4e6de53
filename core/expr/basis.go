package expr

import (
	"net/http"
	"strconv"
	"strings"
)

// Basis is what of a request conditions and a key look at. As one text it stands for all requests that get the same
// answers, which can be remembered by it.
//
// The text holds every field of the headers that are looked at, each after the header's mark, which begins and ends with a
// zero byte, as no field holds one; what does not stand in headers follows, in quotes, after a zero byte and two equals
// signs, which no header's name begins with. So no two texts are the same by chance, nor by a client's design.
type Basis struct {
	headers []Header // the key's first
	far     []*value // what does not stand in headers
	always  bool     // conditions look at some of these, and not only a key, which may find a value before it gets there
	key     *Key
}

// Header is a header that is looked at, and the mark before each of its fields in a text.
type Header struct{ Name, Mark string }

// NewBasis returns the basis of what a table and a key answer; nil if their answers rest on more than requests that can be
// compared: on chance, or on what only the gateway knows. Nor is there one for paths and queries: there are so many that few
// requests are like another. It covers further headers that the caller names.
func NewBasis(t *Table, k *Key, further ...string) *Basis {
	b := &Basis{key: k}
	if k.header != "" {
		b.addHeader(k.header)
	}
	for _, i := range t.code {
		if i.op == outside || !b.add(i.value) {
			return nil
		}
		if i.op >= addressEqual {
			b.addFar(&value{source: fromIP})
		}
	}
	b.always = len(b.far) > 0
	for _, v := range k.values {
		if !b.add(v) {
			return nil
		}
	}
	for _, name := range further {
		b.addHeader(name)
	}
	return b
}

// add reports whether requests can be compared by a value.
func (b *Basis) add(v *value) bool {
	switch v.source {
	case fromLowered:
		return b.add(v.plain)
	case fromHeader:
		b.addHeader(v.name)
	case fromCookie:
		b.addHeader("Cookie")
	case fromHost, fromHostname, fromScheme, fromIP, fromMethod:
		b.addFar(v)
	case fromGeo:
		b.addFar(&value{source: fromIP})
	case fromNowhere:
	default:
		return false
	}
	return true
}

func (b *Basis) addHeader(name string) {
	for _, known := range b.headers {
		if known.Name == name {
			return
		}
	}
	b.headers = append(b.headers, Header{Name: name, Mark: "\x00" + name + "\x00"})
}

func (b *Basis) addFar(v *value) {
	for _, known := range b.far {
		if known.same(v) {
			return
		}
	}
	b.far = append(b.far, v)
}

// IsNear reports whether [Near] may be all of a request's basis.
func (b *Basis) IsNear() bool { return !b.always }

// Headers returns the headers that [Near] looks at, in its order, for callers that do the same in a loop of their own.
func (b *Basis) Headers() []Header { return b.headers }

// Near returns what headers contribute to a request's basis, which for most requests is all of it.
func Near(b *Basis, h http.Header) string {
	text := ""
	for _, header := range b.headers {
		if len(h[header.Name]) > 0 { // interpreted, to range over nothing costs more
			for _, field := range h[header.Name] {
				text += header.Mark + field
			}
		}
	}
	return text
}

// IsDistinct reports whether a request's basis is that of no other answers: HTTP has no zero bytes in headers.
func IsDistinct(b *Basis, h http.Header) bool {
	for _, header := range b.headers {
		for _, field := range h[header.Name] {
			if strings.Contains(field, "\x00") {
				return false
			}
		}
	}
	return true
}

// Whole returns all of a request's basis.
func Whole(b *Basis, in *Input) string {
	text := Near(b, in.Request.Header)
	if len(b.far) == 0 || !b.always && readsHeaders(b.key, in) {
		return text
	}
	for _, v := range b.far {
		text += "\x00==" + farText(v, in)
	}
	return text
}

// readsHeaders reports whether a key finds its value, or that it has none, without looking beyond headers.
func readsHeaders(k *Key, in *Input) bool {
	for _, v := range k.values {
		if v.source != fromHeader && v.source != fromCookie {
			return false
		}
		if text, _ := read(v, in); text != "" {
			return true
		}
	}
	return true
}

// farText returns a value as one text, different for any two requests that a condition can tell apart by it.
func farText(v *value, in *Input) string {
	if v.source == fromIP {
		return strconv.Quote(in.Address)
	}
	text, _ := read(v, in)
	return strconv.Quote(text)
}
