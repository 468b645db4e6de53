package expr

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Basis is what of a request conditions and a key look at. As one text it stands for all requests that get the same
// answers, which can be remembered by it.
//
// The text begins with the field of the key's header, or with a zero byte if there is no such header. The names and fields
// of other headers follow, each after a zero byte, which no header contains; and after a zero byte and an equals sign, in
// quotes, headers with several fields, and what does not stand in headers. So no two texts are the same by chance, nor by a
// client's design.
type Basis struct {
	header string // the one that tells most: the key's
	others []otherHeader
	far    []*value // what does not stand in headers
	always bool     // conditions look at some of these, and not only a key, which may find a value before it gets there
	key    *Key
}

// otherHeader is a header and how the text announces its field.
type otherHeader struct{ name, mark string }

// NewBasis returns the basis of what a table and a key answer; nil if their answers rest on more than requests that can be
// compared: on chance, or on what only the gateway knows. Nor is there one for paths and queries: there are so many that few
// requests are like another.
func NewBasis(t *Table, k *Key) *Basis {
	b := &Basis{header: k.header, key: k}
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
	for _, known := range b.others {
		if known.name == name {
			return
		}
	}
	if name != b.header {
		b.others = append(b.others, otherHeader{name: name, mark: "\x00" + name + "\x00"})
	}
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

// Near returns what headers contribute to a request's basis, which for most requests is all of it. It runs for every
// request and looks twice only at headers that the request has.
func Near(b *Basis, h http.Header) string {
	text := "\x00"
	fields := h[b.header]
	if len(fields) == 1 {
		text = fields[0]
	} else if len(fields) > 1 {
		text = several("", b.header, fields)
	}
	for _, other := range b.others {
		fields = h[other.name]
		if len(fields) == 1 {
			text += other.mark + fields[0]
		} else if len(fields) > 1 {
			text = several(text, other.name, fields)
		}
	}
	return text
}

// several appends a header that a client sent several times.
func several(text, name string, fields []string) string {
	return fmt.Sprintf("%s\x00=%s%q", text, name, fields)
}

// IsDistinct reports whether a request's basis is that of no other answers: HTTP has no zero bytes in headers.
func IsDistinct(b *Basis, h http.Header) bool {
	if hasZero(h[b.header]) {
		return false
	}
	for _, other := range b.others {
		if hasZero(h[other.name]) {
			return false
		}
	}
	return true
}

func hasZero(fields []string) bool { return len(fields) == 1 && strings.Contains(fields[0], "\x00") }

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
