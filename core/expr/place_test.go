package expr

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// somewhere knows one address.
func somewhere(field string) (func(address netip.Addr) string, error) {
	known := map[string]string{"country": "NO", "continent": "EU", "subdivision": "NO-03", "city": "Oslo", "asn": "64496"}
	text, ok := known[field]
	if !ok {
		return nil, errors.New("no such field")
	}
	return func(address netip.Addr) string {
		if address == netip.MustParseAddr("192.0.2.1") {
			return text
		}
		return ""
	}, nil
}

func TestGeo(t *testing.T) {
	host := Host{Geo: somewhere}
	for _, test := range []struct {
		condition      string
		there, nowhere bool
	}{
		{`geo("country") == "NO"`, true, false},
		{`geo("country") != "NO"`, false, true},
		{`geo("country").in("SE", "NO")`, true, false},
		{`geo("country").in("SE", "DK")`, false, false},
		{`geo("country").exists()`, true, false},
		{`geo("country") == ""`, false, true},
		{`geo("country").lower() == "no"`, true, false},
		{`geo("continent") == "EU"`, true, false},
		{`geo("subdivision") == "NO-03"`, true, false},
		{`geo("subdivision").hasPrefix("NO-")`, true, false},
		{`geo("city") == "Oslo"`, true, false},
		{`geo("city").lower().contains("osl")`, true, false},
		{`geo("asn") == 64496`, true, false},
		{`geo("asn") >= 64496 && geo("asn") <= 64511`, true, false},
		{`geo("asn") < 100`, false, false},
		{`geo("asn").in("64496", "64500")`, true, false},
	} {
		condition, problems := ParseCondition(test.condition, host)
		if len(problems) > 0 {
			t.Errorf("%s: %v", test.condition, problems)
			continue
		}
		table := NewTable([]*Condition{condition})
		for _, client := range []struct {
			address string
			want    bool
		}{
			{"192.0.2.1", test.there}, {"::ffff:192.0.2.1", test.there}, {"192.0.2.2", test.nowhere}, {"nonsense", test.nowhere}, {"", test.nowhere},
		} {
			in := &Input{Request: &http.Request{}, Address: client.address}
			if got := Next(table, in, None) == 0; got != client.want {
				t.Errorf("%s from %q: %v, want %v", test.condition, client.address, got, client.want)
			}
		}
	}
	key, _ := ParseKey([]string{`geo("city")`}, host)
	if got := Read(key, &Input{Request: &http.Request{}, Address: "192.0.2.1"}); got != "Oslo" {
		t.Errorf("as a key: %q", got)
	}
}

func TestGeoProblems(t *testing.T) {
	host := Host{Geo: somewhere}
	for _, test := range []struct{ condition, want string }{
		{`geo() == "NO"`, `column 1: geo takes one text: write geo("country")`},
		{`geo("planet") == "NO"`, "column 5: no such field"},
		{`geo("country") == "no"`, `column 19: "no" is no country of ISO 3166-1`},
		{`geo("country").in("NO", "Sweden")`, `column 25: "Sweden" is no country of ISO 3166-1`},
		{`geo("continent") == "Europe"`, `column 21: "Europe" is no continent: there are AF, AN`},
		{`geo("subdivision") == "CA"`, `column 23: "CA" is no subdivision of ISO 3166-2: write it with its country`},
		{`geo("asn") == "AS64496"`, `column 15: "AS64496" is no number of an autonomous system`},
		{`geo("country").has("NO")`, "column 16: .has looks into lists"},
		{`geo("country")`, "column 1: a value is not a condition"},
	} {
		_, problems := ParseCondition(test.condition, host)
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.condition, problems, test.want)
		}
	}
	_, problems := ParseCondition(`geo("country") == "NO"`, Host{})
	if want := "column 1: geo() needs a database: name its file under geo"; len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), want) {
		t.Errorf("without databases: %v, want %q", problems, want)
	}
}
