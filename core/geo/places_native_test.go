package geo

import (
	"sync"
	"testing"
)

func TestNoAllocations(t *testing.T) {
	p := &Places{}
	if err := p.Add("allocations.mmdb")(cities(28, 6).write()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"192.0.2.1", "2001:db8::1", "203.0.113.1"} {
		address := addr(text)
		if n := testing.AllocsPerRun(100, func() { sink = At(p, address)[Country] }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// TestRecordsAreBounded reads more records than are remembered.
func TestRecordsAreBounded(t *testing.T) {
	f := file{kind: "X-Country", size: 32, version: 4}
	address := addr("10.0.0.0")
	for i := range maxRecords + 10 {
		f.networks = append(f.networks, network{address.String() + "/32", len(f.data)})
		f.data = append(f.data, obj(str("country"), obj(str("iso_code"), str(string([]byte{'A' + byte(i%26), 'A' + byte(i/26%26)}))))...)
		address = address.Next()
	}
	d, err := Read(f.write())
	if err != nil {
		t.Fatal(err)
	}
	address = addr("10.0.0.0")
	for i := range maxRecords + 10 {
		r, err := d.Lookup(address)
		if want := string([]byte{'A' + byte(i%26), 'A' + byte(i/26%26)}); r[Country] != want || err != nil {
			t.Fatalf("%s: %q, %v, want %s", address, r, err, want)
		}
		address = address.Next()
	}
	if len(d.records) > maxRecords {
		t.Errorf("%d records are remembered", len(d.records))
	}
}

// TestExchangeWhileAsked exchanges a database while many ask: each answer is that of one of the two.
func TestExchangeWhileAsked(t *testing.T) {
	p := &Places{}
	load := p.Add("exchange.mmdb")
	norway, sweden := country("192.0.2.0/24", "NO"), country("192.0.2.0/24", "SE")
	if err := load(norway); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			address := addr("192.0.2.0")
			for range 20_000 {
				if got := At(p, address)[Country]; got != "NO" && got != "SE" {
					t.Errorf("%s: %q", address, got)
					return
				}
				if address = address.Next(); address.As4()[2] != 2 {
					address = addr("192.0.2.0")
				}
			}
		})
	}
	for range 200 {
		for _, content := range [][]byte{sweden, norway} {
			if err := load(content); err != nil {
				t.Error(err)
			}
		}
	}
	wg.Wait()
}
