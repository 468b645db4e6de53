package geo

import (
	"net/netip"
	"testing"
)

// FuzzRead reads whatever there is: it is refused, or every address has an answer, be it an error.
func FuzzRead(f *testing.F) {
	for _, size := range []int{24, 28, 32} {
		f.Add(cities(size, 6).write(), []byte{192, 0, 2, 1})
	}
	f.Add(cities(24, 4).write(), addr("2001:db8::1").AsSlice())
	f.Add(systems("192.0.2.0/24", 64_496), []byte{192, 0, 2, 1})
	f.Fuzz(func(t *testing.T, content, raw []byte) {
		d, err := Read(content)
		if err != nil {
			return
		}
		address, _ := netip.AddrFromSlice(raw)
		for range 200 {
			r, err := d.Lookup(address)
			if err != nil && r != (Record{}) {
				t.Fatalf("%s: %q and %v", address, r, err)
			}
			for field, text := range r {
				if text != "" && !d.Has(Field(field)) || len(text) > maxName {
					t.Fatalf("%s: %s of a %s is %q", address, Names[field], d.Type, text)
				}
			}
			if address = address.Next(); !address.IsValid() {
				return
			}
		}
	})
}
