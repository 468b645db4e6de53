package balance

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParseUpstream(t *testing.T) {
	for _, test := range []struct {
		text string
		want Upstream
	}{
		{"10.0.0.1:8080", Upstream{"10.0.0.1:8080", 1, nil}},
		{"  10.0.0.1:8080\tweight=9   version=v1 zone=eu ", Upstream{"10.0.0.1:8080", 9, map[string]string{"version": "v1", "zone": "eu"}}},
		{"http://a:1/?x=y weight=0", Upstream{"http://a:1/?x=y", 0, nil}},
		{"srv+http://_http._tcp.shop weight=65535", Upstream{"srv+http://_http._tcp.shop", MaxWeight, nil}},
		{"unix//run/app.sock version=v1", Upstream{"unix//run/app.sock", 1, map[string]string{"version": "v1"}}},
		{"a b=c=d e.f/g=ψ,h Weight=5", Upstream{"a", 1, map[string]string{"b": "c=d", "e.f/g": "ψ,h", "Weight": "5"}}},
	} {
		got, err := ParseUpstream(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q is %v, %v; want %v", test.text, got, err, test.want)
		}
	}
}

func TestUpstreamMistakes(t *testing.T) {
	const notWeight = ` is not the weight of an upstream: write a whole number from 0, which drains it, to 65535`
	for _, test := range []struct{ text, want string }{
		{"", "an upstream needs an address: write one such as 10.0.0.1:8080 weight=9 version=v1"},
		{" \t ", "an upstream needs an address: write one such as 10.0.0.1:8080 weight=9 version=v1"},
		{"weight=9 a", `"weight=9" stands where the address belongs: it comes first, as in 10.0.0.1:8080 weight=9 version=v1`},
		{"a b", `"b" is neither weight=<n> nor <key>=<value>: an upstream has one address, and values have no blanks`},
		{"a weight", `"weight" is neither weight=<n> nor <key>=<value>: an upstream has one address, and values have no blanks`},
		{"a weight=", `""` + notWeight},
		{"a weight=-1", `"-1"` + notWeight},
		{"a weight=+1", `"+1"` + notWeight},
		{"a weight=1.5", `"1.5"` + notWeight},
		{"a weight=5%", `"5%"` + notWeight},
		{"a weight=65536", `"65536"` + notWeight},
		{"a weight=99999999999999999999", `"99999999999999999999"` + notWeight},
		{"a weight=1 weight=1", "weight is given twice"},
		{"a v=1 v=2", "v is given twice"},
		{"a v=", "v has no value: leave it out, as no request can ask for that"},
		{"a =v", `"" is not a key of metadata: write a word without an equals sign`},
		{"a v=\x00", `v: "\x00" is not one word, and so could not be written in every gateway`},
		{"a v\xff=1", `"v\xff" is not a key of metadata: write a word without an equals sign`},
	} {
		u, err := ParseUpstream(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q is %v: %v, want %s", test.text, u, err, test.want)
		}
	}
	for _, test := range []struct{ key, value, want string }{
		{"weight", "5", "weight is the upstream's share of the pool, and no metadata: choose another key"},
		{"a b", "c", `"a b" is not a key of metadata: write a word without an equals sign`},
		{"a=b", "c", `"a=b" is not a key of metadata: write a word without an equals sign`},
		{"a", "b c", `a: "b c" is not one word, and so could not be written in every gateway`},
	} {
		if err := CheckMetadata(test.key, test.value); err == nil || err.Error() != test.want {
			t.Errorf("%q=%q: %v, want %s", test.key, test.value, err, test.want)
		}
	}
}

// written writes an upstream as it is read.
func written(u Upstream) string {
	text := u.Name + " weight=" + strconv.Itoa(u.Weight)
	for key, value := range u.Metadata {
		text += " " + key + "=" + value
	}
	return text
}

// FuzzParseUpstream: what is read is in bounds, and is read the same when it is written again.
func FuzzParseUpstream(f *testing.F) {
	for _, text := range []string{"a", "10.0.0.1:8080 weight=9 version=v1 zone=eu", "a b=c=d", "a weight=0 =", "\xff a=\u00a0", "a weight=+1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUpstream(text)
		if err != nil {
			return
		}
		if u.Weight < 0 || u.Weight > MaxWeight || u.Name == "" || strings.ContainsAny(u.Name, " \t\n") {
			t.Fatalf("%q is %v", text, u)
		}
		again, err := ParseUpstream(written(u))
		if err != nil || !reflect.DeepEqual(u, again) {
			t.Fatalf("%q is %v, and written as %q it is %v, %v", text, u, written(u), again, err)
		}
	})
}
