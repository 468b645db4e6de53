// Package geo writes databases in the MaxMind DB format for tests, by MaxMind's own writer.
package geo

import (
	"bytes"
	"net"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Network says where the addresses of a CIDR are. What is empty is not known.
type Network struct {
	CIDR        string
	Country     string
	Continent   string
	Subdivision string // with its country: "US-TX"
	City        string
	ASN         uint32
}

// Documentation are the networks that RFC 5737 and RFC 3849 keep for documentation, each in a place of its own.
var Documentation = []Network{
	{CIDR: "192.0.2.0/24", Country: "NO", Continent: "EU", Subdivision: "NO-03", City: "Oslo", ASN: 64496},
	{CIDR: "198.51.100.0/24", Country: "DE", Continent: "EU", Subdivision: "DE-BE", City: "Berlin", ASN: 64497},
	{CIDR: "203.0.113.0/24", Country: "US", Continent: "NA", Subdivision: "US-TX", City: "Austin", ASN: 64511},
	{CIDR: "2001:db8::/32", Country: "SE", Continent: "EU", Subdivision: "SE-AB", City: "Stockholm", ASN: 65551},
}

// Cities returns a City database.
func Cities(networks ...Network) ([]byte, error) {
	return write("GeoLite2-City", networks, func(n Network) mmdbtype.Map {
		_, subdivision, _ := strings.Cut(n.Subdivision, "-")
		return mmdbtype.Map{
			"country":      mmdbtype.Map{"iso_code": mmdbtype.String(n.Country)},
			"continent":    mmdbtype.Map{"code": mmdbtype.String(n.Continent)},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(subdivision)}},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(n.City)}},
		}
	})
}

// Systems returns an ASN database.
func Systems(networks ...Network) ([]byte, error) {
	return write("GeoLite2-ASN", networks, func(n Network) mmdbtype.Map {
		return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(n.ASN)}
	})
}

func write(kind string, networks []Network, record func(Network) mmdbtype.Map) ([]byte, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, RecordSize: 24, IncludeReservedNetworks: true, BuildEpoch: 1_800_000_000,
		Description: map[string]string{"en": "Grayling's, for tests"},
	})
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		_, network, err := net.ParseCIDR(n.CIDR)
		if err != nil {
			return nil, err
		}
		if err := tree.Insert(network, record(n)); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	return b.Bytes(), err
}
