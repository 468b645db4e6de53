package geo

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// country is a Country database that knows one network.
func country(prefix, code string) []byte {
	return file{kind: "X-Country", size: 24, version: 6, data: obj(str("country"), obj(str("iso_code"), str(code))),
		networks: []network{{prefix, 0}}}.write()
}

func systems(prefix string, number uint64) []byte {
	return file{kind: "GeoLite2-ASN", size: 24, version: 6, data: obj(str("autonomous_system_number"), u32(number)),
		networks: []network{{prefix, 0}}}.write()
}

func TestPlaces(t *testing.T) {
	p := &Places{}
	own, partner, city, asn := p.Add("own.mmdb"), p.Add("partner.mmdb"), p.Add("city.mmdb"), p.Add("asn.mmdb")
	for _, load := range []error{own(country("192.0.2.0/26", "SE")), partner(country("192.0.2.128/25", "US")), city(cities(28, 6).write())} {
		if load != nil {
			t.Fatal(load)
		}
	}
	if got := *At(p, addr("192.0.2.1")); got != (Record{}) {
		t.Errorf("before all are there: %q", got)
	}
	if err := asn(systems("192.0.2.0/24", 64_496)); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]Record{
		"192.0.2.1":          {"SE", "", "", "", "64496"}, // the first says Sweden: what the second knows of Norway is not true
		"192.0.2.64":         {"NO", "EU", "NO-03", "Oslo", "64496"},
		"192.0.2.200":        {"US", "NA", "US-TX", "Austin", "64496"}, // they agree on the country
		"2001:db8::1":        {"NO", "EU", "NO-03", "Oslo", ""},
		"203.0.113.1":        {},
		"::ffff:192.0.2.127": {"NO", "EU", "NO-03", "Oslo", "64496"},
	} {
		for round := 0; round < 2; round++ {
			if got := *At(p, addr(address)); got != want {
				t.Errorf("%s: %q, want %q", address, got, want)
			}
		}
	}
	if got := *At(p, netip.Addr{}); got != (Record{}) {
		t.Errorf("no address: %q", got)
	}
	if got := *At(&Places{}, addr("192.0.2.1")); got != (Record{}) {
		t.Errorf("no databases: %q", got)
	}
}

func TestPlacesCheck(t *testing.T) {
	p := &Places{}
	load := p.Add("/geo/country.mmdb")
	if err := p.Check(City); err != nil {
		t.Errorf("nothing was read: %v", err)
	}
	if err := load(country("192.0.2.0/24", "NO")); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(Country); err != nil {
		t.Errorf("the country: %v", err)
	}
	want := "no database has the city: there is /geo/country.mmdb (X-Country)"
	if err := p.Check(City); err == nil || err.Error() != want {
		t.Errorf("the city: %v, want %s", err, want)
	}
}

func TestExchange(t *testing.T) {
	p := &Places{}
	load := p.Add("x.mmdb")
	is := func(when, want string) {
		t.Helper()
		if got := At(p, addr("192.0.2.1"))[Country]; got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	for _, step := range []struct {
		when, fault string
		content     []byte
		want        string
	}{
		{"a country", "", country("192.0.2.0/24", "NO"), "NO"},
		{"another", "", country("192.0.2.0/24", "SE"), "SE"},
		{"half of one", "no MaxMind DB", country("192.0.2.0/24", "DK")[:40], "SE"},
		{"one of networks", "no country", systems("192.0.2.0/24", 1), "SE"},
		{"one of cities", "", cities(24, 4).write(), "NO"},
		{"one with less", "no subdivision", country("192.0.2.0/24", "FI"), "NO"},
	} {
		err := load(step.content)
		if step.fault == "" && err != nil || step.fault != "" && (err == nil || !strings.Contains(err.Error(), step.fault)) {
			t.Errorf("%s: %v, want %q", step.when, err, step.fault)
		}
		is(step.when, step.want)
	}
}

// TestBounded asks for more addresses than are remembered: all answers are right, and no more are kept.
func TestBounded(t *testing.T) {
	p := &Places{}
	if err := p.Add("x.mmdb")(country("10.0.0.0/9", "NO")); err != nil {
		t.Fatal(err)
	}
	address := addr("10.127.128.0") // most lie in the network, the others behind it
	for i := 0; i < 3*maxAddresses; i++ {
		want := "NO"
		if i >= 1<<15 {
			want = ""
		}
		if got := At(p, address)[Country]; got != want {
			t.Fatalf("%s: %q, want %q", address.String(), got, want)
		}
		address = address.Next()
	}
	now := p.answers.Load().(*answers)
	if len(now.recent) > maxAddresses || len(now.before) > maxAddresses {
		t.Errorf("%d and %d addresses are remembered", len(now.recent), len(now.before))
	}
}

// TestRemembered asks for an address again after so many others that a new generation of answers began.
func TestRemembered(t *testing.T) {
	asked := 0
	p := &Places{Open: func(_ []byte, _ *Database) (Lookup, error) {
		return func(_ netip.Addr) (Record, error) {
			asked++
			return Record{"NO"}, nil
		}, nil
	}}
	if err := p.Add("x.mmdb")(country("192.0.2.0/24", "NO")); err != nil {
		t.Fatal(err)
	}
	mine, address := addr("192.0.2.1"), addr("10.0.0.0")
	At(p, mine)
	for i := 0; i < maxAddresses; i++ {
		At(p, address)
		address = address.Next()
	}
	before := asked
	if got := At(p, mine)[Country]; got != "NO" || asked != before {
		t.Errorf("%q, and the database was asked again: %v", got, asked != before)
	}
}

// TestMappedAddress asks a database of IPv4 addresses for one in IPv6 form, and for one that it has no room for.
func TestMappedAddress(t *testing.T) {
	p := &Places{}
	if err := p.Add("v4.mmdb")(cities(24, 4).write()); err != nil {
		t.Fatal(err)
	}
	if got := At(p, addr("::ffff:192.0.2.1"))[Country]; got != "NO" {
		t.Errorf("%q", got)
	}
	if got := *At(p, addr("2001:db8::1")); got != (Record{}) {
		t.Errorf("%q", got)
	}
}

func TestDamaged(t *testing.T) {
	told := []string{}
	p := &Places{
		Open: func(_ []byte, database *Database) (Lookup, error) {
			if database.Type != "X-Country" {
				return nil, errors.New("another type")
			}
			return func(_ netip.Addr) (Record, error) { return Record{"XX"}, errors.New("broken") }, nil
		},
		Damaged: func(path string, err error) { told = append(told, path+": "+err.Error()) },
	}
	load := p.Add("x.mmdb")
	if err := load(country("192.0.2.0/24", "NO")); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"} {
		if got := *At(p, addr(address)); got != (Record{}) {
			t.Errorf("%s: %q", address, got)
		}
	}
	if len(told) != 1 || told[0] != "x.mmdb: broken" {
		t.Errorf("told %q, want it once", told)
	}
	if err := load(cities(24, 4).write()); err == nil {
		t.Error("what the host refuses is taken")
	}
}
