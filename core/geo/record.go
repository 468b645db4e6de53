package geo

import "strconv"

// Texts that are longer are no codes and no names of cities; other readers draw the same limits.
const (
	maxKey  = 256
	maxCode = 16
	maxName = 1024
)

// readRecord reads the record at an offset in the data section, as City, Country, Enterprise, ASN and ISP databases
// write it. What is not needed is passed over, whatever it is.
func readRecord(section []byte, offset int) (Record, error) {
	var r Record
	c := walk(section, offset)
	n, _ := entries(c)
	seen := 0
	for n > 0 && c.fault == nil {
		n--
		switch words(c, maxKey) {
		case "country":
			seen = once(c, seen, 1)
			r[Country] = isoCode(c)
		case "continent":
			seen = once(c, seen, 2)
			r[Continent] = entry(c, "code", code)
		case "subdivisions":
			seen = once(c, seen, 4)
			r[Subdivision] = first(c)
		case "city":
			seen = once(c, seen, 8)
			r[City] = entry(c, "names", english)
		case "traits":
			seen = once(c, seen, 16)
			r[ASN] = entry(c, "autonomous_system_number", system)
		case "autonomous_system_number":
			seen = once(c, seen, 16)
			r[ASN] = system(c)
		default:
			skip(c)
		}
	}
	if c.fault != nil {
		return Record{}, c.fault
	}
	r[Subdivision] = Qualified(r[Country], r[Subdivision])
	return r, nil
}

// Qualified returns a subdivision's code with that of its country before it, as ISO 3166-2 has it: alone, a code is that
// of several, such as "CA" of California and of Cádiz. It is empty if either is.
func Qualified(country, subdivision string) string {
	if country == "" || subdivision == "" {
		return ""
	}
	return country + "-" + subdivision
}

// entry reads a map, and what stands under one of its keys; the result is empty if there is no such key.
func entry(c *cursor, key string, read func(c *cursor) string) string {
	found := ""
	n, back := entries(c)
	seen := 0
	for n > 0 && c.fault == nil {
		n--
		if words(c, maxKey) != key {
			skip(c)
			continue
		}
		seen = once(c, seen, 1)
		found = read(c)
	}
	resume(c, back)
	return found
}

func code(c *cursor) string    { return words(c, maxCode) }
func name(c *cursor) string    { return words(c, maxName) }
func isoCode(c *cursor) string { return entry(c, "iso_code", code) }
func english(c *cursor) string { return entry(c, "en", name) }

// first reads an array of subdivisions, which stand from the largest to the smallest, and returns the code of the first.
func first(c *cursor) string {
	found := ""
	n, back := elements(c, array, "an array")
	if n > 0 {
		found = isoCode(c)
	}
	for n > 1 && c.fault == nil {
		n--
		skip(c)
	}
	resume(c, back)
	return found
}

// system reads the number of an autonomous system. 0 is reserved (RFC 7607), and stands for none.
func system(c *cursor) string {
	n := number(c)
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
