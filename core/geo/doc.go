// Package geo says where an address is, by databases in the MaxMind DB format: country, continent, subdivision, city
// and the number of the network. [Read] is a reader of that format, by its specification, version 2.0
// (https://maxmind.github.io/MaxMind-DB/, whose sections the comments name), and of the records that City, Country,
// Enterprise, ASN and ISP databases hold (https://dev.maxmind.com/geoip/docs/databases). [Places] puts several databases
// together and remembers answers.
//
// A file may be damaged in any way. It is then refused, or some of its addresses are unknown; nothing panics, runs
// without end, or reads outside the file.
package geo

import "net/netip"

// Field is something that a database knows about an address.
type Field int

// The fields of a [Record].
const (
	Country     Field = iota // ISO 3166-1: "NO"
	Continent                // AF, AN, AS, EU, NA, OC or SA
	Subdivision              // ISO 3166-2, the largest that the address is in: "US-CA", "GB-ENG"
	City                     // its English name: "Munich"
	ASN                      // of the autonomous system, in digits: "64496"

	// Fields is how many there are.
	Fields
)

// Names holds the fields' names.
var Names = []string{"country", "continent", "subdivision", "city", "asn"}

// Record is what is known about an address, by field. An empty text is not known.
type Record [Fields]string

// Lookup finds the record of an address. An address that is not in the database has an empty one. The error says that the
// database is damaged there. It is safe for concurrent use.
type Lookup func(address netip.Addr) (Record, error)
