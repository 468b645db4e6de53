//go:build !race

package caddymodule

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/grayling-gateway/grayling/core/geo"
)

// TestGeoReadersAgree has this gateway's reader and the engine's look up 120,000 addresses in databases of every size of
// record, with everything in them that the databases which are published have.
func TestGeoReadersAgree(t *testing.T) {
	asked, known := 0, 0
	for _, size := range []int{24, 28, 32} {
		for _, kind := range []string{"GeoIP2-Enterprise", "GeoLite2-City", "GeoIP2-Country", "GeoLite2-ASN", "GeoIP2-ISP"} {
			w := newWorld(uint64(size), kind)
			content := w.write(t, size)
			own, database := lookups(t, content)
			for range 8_000 {
				address := w.address()
				got, err := own(address)
				want, wantErr := database.Lookup(address)
				if got != want || err != nil || wantErr != nil {
					t.Fatalf("%s of %d bits, %s: geoip2 %q, %v, core/geo %q, %v", kind, size, address, got, err, want, wantErr)
				}
				asked++
				if got != (geo.Record{}) {
					known++
				}
			}
		}
	}
	if asked < 100_000 || known < asked/2 {
		t.Errorf("%d addresses asked, %d of them known: too few to show anything", asked, known)
	}
}

// TestGeoReadersOnDamage has both readers read files in which bytes were changed. What the engine's accepts does not
// panic in either, and where both answer they agree.
func TestGeoReadersOnDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	accepted, answered := 0, 0
	for _, kind := range []string{"GeoIP2-Enterprise", "GeoLite2-City", "GeoLite2-ASN"} {
		w := newWorld(3, kind)
		w.networks = w.networks[:40]
		whole := w.write(t, 28)
		for range 3_000 {
			content := bytes.Clone(whole)
			for range 1 + rng.IntN(3) {
				content[rng.IntN(len(content))] = byte(rng.Uint32())
			}
			database, err := geo.Read(content)
			if err != nil {
				continue
			}
			lookup, err := openGeo(content, database)
			if err != nil || lookup == nil {
				continue
			}
			accepted++
			for range 20 {
				address := w.address().Unmap() // by which the engine asks
				got, err := lookup(address)
				want, wantErr := database.Lookup(address)
				if err != nil || wantErr != nil {
					continue
				}
				answered++
				if got != want {
					t.Errorf("%s, %s: geoip2 %q, core/geo %q", kind, address, got, want)
				}
			}
		}
	}
	if accepted < 1_000 || answered < 10_000 {
		t.Errorf("%d damaged files accepted, %d addresses answered by both: too few to show anything", accepted, answered)
	}
}

// TestGeoTypes holds the engine's idea of what a database has to geoip2's list of types.
func TestGeoTypes(t *testing.T) {
	for _, test := range []struct {
		kind   string
		fields []geo.Field
		own    bool // whether geoip2 knows the type
	}{
		{"GeoLite2-City", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City}, true},
		{"GeoIP2-City-North-America", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City}, true},
		{"DBIP-Location (compat=City)", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City}, true},
		{"GeoIP2-Country", []geo.Field{geo.Country, geo.Continent}, true},
		{"DBIP-Country-Lite", []geo.Field{geo.Country, geo.Continent}, true},
		{"GeoIP2-Enterprise", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City, geo.ASN}, true},
		{"DBIP-Location-ISP (compat=Enterprise)", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City, geo.ASN}, true},
		{"GeoLite2-ASN", []geo.Field{geo.ASN}, true},
		{"DBIP-ASN-Lite (compat=GeoLite2-ASN)", []geo.Field{geo.ASN}, true},
		{"GeoIP2-Precision-ISP", []geo.Field{geo.ASN}, true},
		{"Example-City", []geo.Field{geo.Country, geo.Continent, geo.Subdivision, geo.City}, false},
		{"GeoIP2-Domain", nil, false},
		{"GeoIP2-Anonymous-IP", nil, false},
		{"GeoIP2-Connection-Type", nil, false},
		{"GeoIP-Anonymous-Plus", nil, false},
		{"ipinfo generic_country_free.mmdb", nil, false},
	} {
		w := newWorld(1, test.kind)
		w.networks = w.networks[:10]
		content := w.write(t, 24)
		database, err := geo.Read(content)
		if (err == nil) != (test.fields != nil) {
			t.Errorf("%s: %v", test.kind, err)
		}
		if err != nil {
			continue
		}
		want := [geo.Fields]bool{}
		for _, field := range test.fields {
			want[field] = true
		}
		for field, name := range geo.Names {
			if database.Has(geo.Field(field)) != want[field] {
				t.Errorf("%s has %s: %v", test.kind, name, !want[field])
			}
		}
		if lookup, err := openGeo(content, database); (lookup != nil) != test.own || err != nil {
			t.Errorf("%s: geoip2 reads it: %v, %v", test.kind, lookup != nil, err)
		}
	}
}

// BenchmarkGeo looks up addresses that are not remembered.
func BenchmarkGeo(b *testing.B) {
	w := newWorld(1, "GeoLite2-City")
	lookup, _ := lookups(b, w.write(b, 28))
	addresses := make([]netip.Addr, 1_000)
	for i := range addresses {
		addresses[i] = w.address()
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := lookup(addresses[i%len(addresses)]); err != nil {
			b.Fatal(err)
		}
	}
}

func lookups(t testing.TB, content []byte) (geo.Lookup, *geo.Database) {
	t.Helper()
	database, err := geo.Read(content)
	if err != nil {
		t.Fatal(err)
	}
	lookup, err := openGeo(content, database)
	if err != nil || lookup == nil {
		t.Fatalf("geoip2 does not read a %s: %v", database.Type, err)
	}
	return lookup, database
}

// world is a set of networks with made-up records. Its random numbers are the same in every run.
type world struct {
	kind     string
	rng      *rand.Rand
	networks []netip.Prefix
}

func newWorld(seed uint64, kind string) *world {
	w := &world{kind: kind, rng: rand.New(rand.NewPCG(seed, 0))}
	for range 400 {
		raw := binaryAddress(w.rng)
		raw[0] = 1 + raw[0]%223
		w.networks = append(w.networks, prefix(netip.AddrFrom4([4]byte(raw[:4])), 8+w.rng.IntN(25)))
		raw[0] = 0x2a
		w.networks = append(w.networks, prefix(netip.AddrFrom16([16]byte(raw)), 20+w.rng.IntN(109)))
	}
	return w
}

func binaryAddress(rng *rand.Rand) []byte {
	raw := make([]byte, 16)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	return raw
}

func prefix(address netip.Addr, bits int) netip.Prefix {
	return netip.PrefixFrom(address, bits).Masked()
}

// address is one in or near a network, or any; IPv4 also as IPv4-mapped, and IPv6 also with a zone.
func (w *world) address() netip.Addr {
	p := w.networks[w.rng.IntN(len(w.networks))]
	address := p.Addr()
	switch w.rng.IntN(6) {
	case 0:
		address = address.Prev()
	case 1:
		raw := binaryAddress(w.rng)
		address, _ = netip.AddrFromSlice(raw[:len(address.AsSlice())])
	case 2:
		address = netip.AddrFrom16(address.As16())
	case 3:
		address = address.WithZone("eth0")
	default:
		host := binaryAddress(w.rng)
		raw := address.AsSlice()
		for bit := p.Bits(); bit < address.BitLen(); bit++ {
			raw[bit/8] |= host[bit/8] & (0x80 >> (bit % 8))
		}
		address, _ = netip.AddrFromSlice(raw)
	}
	return address
}

// write makes the database. Networks lie inside each other; the later replaces a part of the earlier.
func (w *world) write(t testing.TB, size int) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: w.kind, RecordSize: size, IncludeReservedNetworks: true, Languages: []string{"en", "de"},
		Description: map[string]string{"en": "made for a test"}, BuildEpoch: 1_800_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range w.networks {
		network := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
		if err := tree.Insert(network, w.record(i)); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// record is like those of the databases that are published; every third lacks something.
func (w *world) record(i int) mmdbtype.Map {
	asn := mmdbtype.Map{
		"autonomous_system_number":       mmdbtype.Uint32(w.rng.Uint32() >> w.rng.IntN(32)),
		"autonomous_system_organization": mmdbtype.String(fmt.Sprintf("Organization %d", i%50)),
	}
	switch w.kind {
	case "GeoLite2-ASN", "GeoIP2-ISP", "DBIP-ASN-Lite (compat=GeoLite2-ASN)", "GeoIP2-Precision-ISP":
		return asn
	}
	country := w.named(fmt.Sprintf("Country %d", i%200))
	country["iso_code"] = mmdbtype.String([]byte{'A' + byte(i%26), 'A' + byte(i/26%26)})
	country["is_in_european_union"] = mmdbtype.Bool(i%2 == 0)
	continent := w.named(fmt.Sprintf("Continent %d", i%7))
	continent["code"] = mmdbtype.String([]string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}[i%7])
	r := mmdbtype.Map{"country": country, "continent": continent, "registered_country": country}
	if w.kind != "GeoIP2-Country" {
		r["city"] = w.named(fmt.Sprintf("City %d of many with a longer name", i%300))
		var subdivisions mmdbtype.Slice
		for k := range i % 4 {
			s := w.named(fmt.Sprintf("Subdivision %d", k))
			s["iso_code"] = mmdbtype.String(fmt.Sprintf("S%d", (i+k)%30))
			subdivisions = append(subdivisions, s)
		}
		r["subdivisions"] = subdivisions
		r["postal"] = mmdbtype.Map{"code": mmdbtype.String(fmt.Sprint(i))}
		r["location"] = mmdbtype.Map{
			"latitude": mmdbtype.Float64(w.rng.Float64()), "longitude": mmdbtype.Float64(w.rng.Float64()),
			"accuracy_radius": mmdbtype.Uint16(i), "time_zone": mmdbtype.String("Europe/Oslo"),
		}
		// What readers do not know they pass over.
		r["nested"] = mmdbtype.Slice{
			mmdbtype.Map{"deep": mmdbtype.Slice{mmdbtype.Slice{mmdbtype.Int32(-1), mmdbtype.Bytes("\x00\x01")}}},
			mmdbtype.Float32(1.5), mmdbtype.Uint64(1 << 60), mmdbtype.Bool(true),
			mmdbtype.String(bytes.Repeat([]byte("x"), 20*(i%40))),
		}
		r["traits"] = asn
	}
	if i%3 == 0 {
		delete(r, []mmdbtype.String{"country", "continent", "city", "subdivisions", "traits"}[i/3%5])
	}
	return r
}

// named is a thing with names.
func (w *world) named(name string) mmdbtype.Map {
	names := mmdbtype.Map{}
	for _, language := range []string{"de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"} {
		names[mmdbtype.String(language)] = mmdbtype.String(name + " " + language)
	}
	return mmdbtype.Map{"geoname_id": mmdbtype.Uint32(w.rng.Uint32()), "names": names}
}
