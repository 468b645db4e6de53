package geo

import (
	"net/netip"
	"testing"
)

var sink string

func BenchmarkPlaces(b *testing.B) {
	p := &Places{}
	if err := p.Add("x.mmdb")(cities(28, 6).write()); err != nil {
		b.Fatal(err)
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		address := addr("192.0.2.1")
		for i := 0; i < b.N; i++ {
			sink = At(p, address)[Country]
		}
	})
	b.Run("new address", func(b *testing.B) {
		b.ReportAllocs()
		address := addr("1.0.0.0")
		for i := 0; i < b.N; i++ {
			address = address.Next()
			sink = At(p, address)[Country]
		}
	})
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		data := place("NO", "EU", "03", "Oslo")
		for i := 0; i < b.N; i++ {
			r, _ := readRecord(data, 0)
			sink = r[Country]
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	d, err := Read(cities(28, 6).write())
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{"192.0.2.1", "2001:db8::1"} {
		address := netip.MustParseAddr(text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				r, _ := d.Lookup(address)
				sink = r[Country]
			}
		})
	}
}
