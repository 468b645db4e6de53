package caddymodule

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/grayling-gateway/grayling/core/geo"
)

// openGeo has geoip2 answer for the databases that it knows. It refuses types that are not on its list; the engine's own
// reader, which looks at what their names say, reads those.
func openGeo(content []byte, database *geo.Database) (geo.Lookup, error) {
	reader, err := geoip2.OpenBytes(content)
	if _, unknown := errors.AsType[geoip2.UnknownDatabaseTypeError](err); unknown {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	place, network := database.Has(geo.Country), database.Has(geo.ASN)
	switch {
	case place && network:
		return func(address netip.Addr) (geo.Record, error) { return enterprise(reader, address) }, nil
	case place:
		return func(address netip.Addr) (geo.Record, error) { return city(reader, address) }, nil
	}
	return func(address netip.Addr) (geo.Record, error) { return system(reader, address) }, nil
}

func enterprise(reader *geoip2.Reader, address netip.Addr) (geo.Record, error) {
	found, err := reader.Enterprise(address)
	if err != nil {
		return geo.Record{}, err
	}
	subdivision := ""
	if len(found.Subdivisions) > 0 {
		subdivision = found.Subdivisions[0].ISOCode
	}
	return geo.Record{
		geo.Country: found.Country.ISOCode, geo.Continent: found.Continent.Code, geo.City: found.City.Names.English,
		geo.Subdivision: geo.Qualified(found.Country.ISOCode, subdivision), geo.ASN: number(found.Traits.AutonomousSystemNumber),
	}, nil
}

// city reads the records of City databases, and those of Country databases, which lack some of the fields.
func city(reader *geoip2.Reader, address netip.Addr) (geo.Record, error) {
	found, err := reader.City(address)
	if err != nil {
		return geo.Record{}, err
	}
	subdivision := ""
	if len(found.Subdivisions) > 0 {
		subdivision = found.Subdivisions[0].ISOCode
	}
	return geo.Record{
		geo.Country: found.Country.ISOCode, geo.Continent: found.Continent.Code, geo.City: found.City.Names.English,
		geo.Subdivision: geo.Qualified(found.Country.ISOCode, subdivision),
	}, nil
}

func system(reader *geoip2.Reader, address netip.Addr) (geo.Record, error) {
	found, err := reader.ASN(address)
	if err != nil {
		return geo.Record{}, err
	}
	return geo.Record{geo.ASN: number(found.AutonomousSystemNumber)}, nil
}

// number writes the number of an autonomous system. 0 stands for none.
func number(asn uint) string {
	if asn == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(asn), 10)
}
