package geo

import (
	"errors"
	"fmt"
)

// kind is the type of a field in the file. Section "Output Data Section".
type kind int

const (
	extended kind = iota
	pointer
	text
	double
	octets
	uint16Number
	uint32Number
	mapping
	int32Number
	uint64Number
	uint128Number
	array
	cacheContainer
	endMarker
	boolean
	float
)

// maxFields bounds the fields of one record that are looked at. The largest that are published, those of Enterprise, have
// about 200.
const maxFields = 10_000

// cursor walks through a section of the file: the data section, or the metadata. A fault stays, and ends the walk.
// What moves it are functions and not methods, as in all code that is interpreted.
type cursor struct {
	section []byte // in which pointers count from the beginning
	at      int    // where the next field begins
	fields  int    // how many more may be looked at
	fault   error
}

func walk(section []byte, at int) *cursor {
	return &cursor{section: section, at: at, fields: maxFields}
}

func fail(c *cursor, format string, args ...any) {
	if c.fault == nil {
		c.fault = fmt.Errorf("at byte %d of its section: "+format, append([]any{c.at}, args...)...)
	}
}

// take returns the next n bytes; nil, and a fault, if there are fewer.
func take(c *cursor, n int) []byte {
	if n < 0 || n > len(c.section)-c.at {
		fail(c, "%d bytes are missing", n-(len(c.section)-c.at))
		return nil
	}
	from := c.at
	c.at += n
	return c.section[from:c.at]
}

// unsigned reads a big-endian number of n bytes, at most eight.
func unsigned(c *cursor, n int) uint64 {
	var number uint64
	for _, b := range take(c, n) {
		number = number<<8 | uint64(b)
	}
	return number
}

// header reads the beginning of a field: its kind, and the size of its payload, which is the number of elements of an
// array, of pairs of a map, and the target of a pointer. Sections "Data Field Format" and "Payload Size".
func header(c *cursor) (kind, int) {
	c.fields--
	if c.fields < 0 || c.at >= len(c.section) {
		return exhausted(c)
	}
	control := c.section[c.at]
	c.at++
	k := kind(control >> 5)
	size := int(control & 0x1f)
	if k == pointer {
		return pointer, target(c, size)
	}
	if k == extended || size >= 29 {
		return longHeader(c, k, size)
	}
	return k, size
}

func exhausted(c *cursor) (kind, int) {
	fail(c, "a field is missing")
	if c.fields <= 0 {
		c.fault = fmt.Errorf("the record has more than %d fields", maxFields)
	}
	return endMarker, 0
}

// longHeader reads the rest of a header that is longer than a byte.
func longHeader(c *cursor, k kind, size int) (kind, int) {
	if k == extended {
		k = kind(unsigned(c, 1) + 7)
		if k <= mapping || k > float {
			fail(c, "there is no type %d", int(k))
		}
	}
	if size >= 29 {
		size = longSize(c, size)
	}
	if c.fault != nil {
		return endMarker, 0
	}
	return k, size
}

// longSize reads a size that the control byte has no room for.
func longSize(c *cursor, size int) int {
	switch size {
	case 29:
		return 29 + int(unsigned(c, 1))
	case 30:
		return 285 + int(unsigned(c, 2))
	}
	return 65_821 + int(unsigned(c, 3))
}

// target reads where a pointer leads. Section "pointer".
func target(c *cursor, bits int) int {
	high := bits & 7
	switch bits >> 3 {
	case 0:
		return high<<8 + int(unsigned(c, 1))
	case 1:
		return high<<16 + int(unsigned(c, 2)) + 2_048
	case 2:
		return high<<24 + int(unsigned(c, 3)) + 526_336
	}
	return int(unsigned(c, 4))
}

// value reads the beginning of a field, and if that is a pointer, of the one where it leads. The walk has to go on at
// the third result when the value was read, unless that is -1. A pointer never leads to another.
func value(c *cursor) (kind, int, int) {
	k, size := header(c)
	if k != pointer {
		return k, size, -1
	}
	back := c.at
	c.at = size
	if size < 0 || size > len(c.section) { // below 0 where an int has 32 bits
		c.at = len(c.section)
	}
	k, size = header(c)
	if k == pointer {
		fail(c, "a pointer leads to a pointer")
	}
	return k, size, back
}

func resume(c *cursor, back int) {
	if back >= 0 {
		c.at = back
	}
}

// skip moves past a field, with all that it contains. Most of what a record holds is skipped.
func skip(c *cursor) {
	left := 1
	for left > 0 && c.at < len(c.section) && c.fields > 0 {
		left--
		control := int(c.section[c.at])
		size := control & 0x1f
		switch {
		case control>>5 == int(pointer):
			c.at += 2 + size>>3
		case control>>5 == int(extended) || size >= 29:
			left += skipLong(c)
			continue
		case control>>5 == int(mapping):
			c.at++
			left += 2 * size
		case control>>5 == int(text) || fits(kind(control>>5), size):
			c.at += 1 + size
		default:
			fail(c, "a field of type %d has %d bytes", control>>5, size)
			return
		}
		c.fields--
	}
	if left > 0 || c.at > len(c.section) {
		exhausted(c)
	}
}

// skipLong moves past a field with a long header, and returns how many fields it contains.
func skipLong(c *cursor) int {
	k, size := header(c)
	switch k {
	case boolean:
		if size > 1 {
			fail(c, "a boolean is %d", size)
		}
	case array:
		return size
	case mapping:
		return 2 * size
	case cacheContainer, endMarker:
		fail(c, "a section ends inside a record")
		c.at = len(c.section)
	default:
		if !fits(k, size) {
			fail(c, "a field of type %d has %d bytes", int(k), size)
		}
		take(c, size)
	}
	return 0
}

// fits reports whether a payload has a size that its kind allows.
func fits(k kind, size int) bool {
	switch k {
	case double:
		return size == 8
	case float:
		return size == 4
	case uint16Number:
		return size <= 2
	case uint32Number, int32Number:
		return size <= 4
	case uint64Number:
		return size <= 8
	case uint128Number:
		return size <= 16
	}
	return true
}

// entries begins to read what has to be a map: it returns how many pairs there are, and where to resume.
func entries(c *cursor) (int, int) { return elements(c, mapping, "a map") }

func elements(c *cursor, want kind, name string) (int, int) {
	k, size, back := value(c)
	if k != want {
		fail(c, "there is type %d in the place of %s", int(k), name)
		return 0, back
	}
	return size, back
}

// words reads what has to be a text of at most limit bytes.
func words(c *cursor, limit int) string {
	k, size, back := value(c)
	if k != text || size > limit {
		fail(c, "there is type %d of %d bytes in the place of a text of at most %d", int(k), size, limit)
	}
	content := string(take(c, size))
	resume(c, back)
	return content
}

// number reads what has to be an integer that is not negative.
func number(c *cursor) uint64 {
	k, size, back := value(c)
	isNumber := k == uint16Number || k == uint32Number || k == int32Number || k == uint64Number
	if !isNumber || !fits(k, size) {
		fail(c, "there is type %d of %d bytes in the place of a number", int(k), size)
		return 0
	}
	n := unsigned(c, size)
	if k == int32Number && n > 1<<31-1 {
		fail(c, "a number is negative")
	}
	resume(c, back)
	return n
}

// errTwice is a key that stands twice in one map: which counts?
var errTwice = errors.New("a map has a key twice")

// once notes that a map has a key, by the key's bit.
func once(c *cursor, seen, key int) int {
	if seen&key != 0 && c.fault == nil {
		c.fault = errTwice
	}
	return seen | key
}
