package core

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/geo"
)

// geo reads the databases that say where an address is.
func (c *checker) geo(paths []string) {
	if len(paths) == 0 {
		return
	}
	c.places = &geo.Places{Open: c.host.Geo, Damaged: c.damaged}
	for i, path := range paths {
		at := fmt.Sprintf("geo[%d]", i)
		if path == "" {
			c.fail(at, "which file? Name a database such as /var/lib/GeoIP/GeoLite2-City.mmdb")
			continue
		}
		if err := c.host.watch(path, c.places.Add(path)); err != nil {
			c.fail(at, "%v", err)
		}
	}
}

// damaged logs that a database cannot be read in a place.
func (c *checker) damaged(path string, err error) {
	if c.host.Log != nil {
		c.host.Log.Error("addresses are unknown that the database has in a damaged place", "file", path, "error", err)
	}
}

// place returns what tells a field of an address, for expressions.
func (c *checker) place(name string) (func(address netip.Addr) string, error) {
	for i, known := range geo.Names {
		if name != known {
			continue
		}
		field, places := geo.Field(i), c.places
		if err := places.Check(field); err != nil {
			return nil, err
		}
		return func(address netip.Addr) string { return geo.At(places, address)[field] }, nil
	}
	hint := expr.Suggest(name, geo.Names)
	if hint == "" {
		hint = "; there are " + strings.Join(geo.Names, ", ")
	}
	return nil, fmt.Errorf("unknown field %q%s", name, hint)
}
