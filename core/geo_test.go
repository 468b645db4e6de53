package core

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/geo"
)

const (
	cities  = "geo/testdata/GeoLite2-City.mmdb"
	systems = "geo/testdata/GeoLite2-ASN.mmdb"
)

// abroad is a checkout whose only rule is a condition.
func abroad(condition string, databases ...string) Config {
	config := checkout()
	config.Geo = databases
	config.Rules = []Rule{{Name: "there", Use: "canary", When: condition}}
	return config
}

func TestGeo(t *testing.T) {
	for _, test := range []struct{ condition, there string }{
		{`geo("country") == "NO"`, "192.0.2.1"},
		{`geo("country").in("SE", "US")`, "203.0.113.1 2001:db8::1"},
		{`geo("continent") == "EU"`, "192.0.2.1 198.51.100.1 2001:db8::1"},
		{`geo("subdivision") == "US-TX"`, "203.0.113.1"},
		{`geo("city") == "Berlin"`, "198.51.100.1"},
		{`geo("asn") == 64496`, "192.0.2.1"},
		{`geo("asn") > 64496`, "198.51.100.1 203.0.113.1 2001:db8::1"},
		{`geo("country").exists()`, "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1"},
		{`geo("country") != "NO"`, "198.51.100.1 203.0.113.1 2001:db8::1 10.0.0.1 nonsense"},
	} {
		engine := compile(t, abroad(test.condition, cities, systems), nil, Host{})
		var there []string
		for _, address := range []string{"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "10.0.0.1", "nonsense"} {
			if engine.Decide(get(), address, noon).Reason == ByRule {
				there = append(there, address)
			}
		}
		if got := strings.Join(there, " "); got != test.there {
			t.Errorf("%s: %q, want %q", test.condition, got, test.there)
		}
	}
}

func TestGeoMistakes(t *testing.T) {
	for _, test := range []struct {
		name, want string
		config     Config
		checked    bool // whether it is found without reading files
	}{
		{"no database", `rules[0].when: column 1: geo() needs a database`, abroad(`geo("country") == "NO"`), true},
		{"a misspelt field", `rules[0].when: column 5: unknown field "contry" (did you mean "country"?)`, abroad(`geo("contry") == "NO"`, cities), true},
		{"an unknown field", `rules[0].when: column 5: unknown field "planet"; there are country, continent, subdivision, city, asn`,
			abroad(`geo("planet") == "NO"`, cities), true},
		{"a field that none has", `rules[0].when: column 5: no database has the asn: there is geo/testdata/GeoLite2-City.mmdb (GeoLite2-City)`,
			abroad(`geo("asn") == 1`, cities), false},
		{"no such file", `geo[1]: reading a file: `, abroad(`geo("country") == "NO"`, cities, "geo/testdata/none.mmdb"), false},
		{"another kind of file", `geo[0]: reading geo.go: this is no MaxMind DB`, abroad(`geo("country") == "NO"`, "geo.go"), false},
		{"no name", `geo[0]: which file?`, abroad("true", ""), true},
	} {
		_, err := Compile(test.config, nil, Host{})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if problems := Check(test.config, Host{}); (len(problems) == 1) != test.checked {
			t.Errorf("%s: Check says %v", test.name, problems)
		}
	}
}

// TestGeoFileIsReadAgain exchanges the database while it is used, and then damages it, for hosts whose decisions are
// remembered too.
func TestGeoFileIsReadAgain(t *testing.T) {
	for _, remember := range []bool{false, true} {
		readAgain(t, Host{Remember: remember})
	}
}

func readAgain(t *testing.T, host Host) {
	t.Helper()
	whole, err := os.ReadFile(cities)
	if err != nil {
		t.Fatal(err)
	}
	moved := bytes.ReplaceAll(whole, []byte("BNO"), []byte("BDK")) // texts of two bytes
	path := t.TempDir() + "/x.mmdb"
	writes := 0
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		writes++
		stamp := noon.Add(time.Duration(writes) * time.Minute)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write(whole)
	logged := &bytes.Buffer{}
	host.Log = slog.New(slog.NewTextHandler(logged, nil))
	engine := compile(t, abroad(`geo("country") == "NO"`, path), nil, host)
	if (engine.memory != nil) != host.Remember {
		t.Errorf("remembers: %v", engine.memory != nil)
	}
	is := func(when string, want Reason) {
		t.Helper()
		engine.files.Check(engine.reread)
		for address, want := range map[string]Reason{"192.0.2.1": want, "203.0.113.1": ByBase} {
			for round := 0; round < 2; round++ {
				if got := Decide(engine, get(), address, noon).Reason; got != want {
					t.Errorf("%s, %s: by %s, want %s", when, address, got, want)
				}
			}
		}
	}
	is("at first", ByRule)
	write(moved)
	is("moved", ByBase)
	write(whole)
	is("moved back", ByRule)
	write(whole[:len(whole)/2])
	is("half of it", ByRule)
	if !strings.Contains(logged.String(), "keeping what was read before") || !strings.Contains(logged.String(), "no MaxMind DB") {
		t.Errorf("the log has %q", logged.String())
	}
	write(moved)
	is("whole again", ByBase)
}

// TestGeoOfHost lets the gateway's own reader answer, and fail.
func TestGeoOfHost(t *testing.T) {
	logged := &bytes.Buffer{}
	broken := netip.MustParseAddr("192.0.2.2")
	engine := compile(t, abroad(`geo("country") == "XX"`, cities), nil, Host{
		Log: slog.New(slog.NewTextHandler(logged, nil)),
		Geo: func(_ []byte, database *geo.Database) (geo.Lookup, error) {
			return func(address netip.Addr) (geo.Record, error) {
				if address == broken {
					return geo.Record{}, errors.New("a broken " + database.Type)
				}
				return geo.Record{"XX"}, nil
			}, nil
		},
	})
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2"} {
		want := ByRule
		if address == "192.0.2.2" {
			want = ByBase
		}
		if got := engine.Decide(get(), address, noon).Reason; got != want {
			t.Errorf("%s: by %s, want %s", address, got, want)
		}
	}
	if strings.Count(logged.String(), "a broken GeoLite2-City") != 1 {
		t.Errorf("the log has %q, want the damage once", logged.String())
	}
}
