package core

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"
)

// announced returns the headers that a request has after the canary was announced in it, sorted, one a line.
func announced(t *testing.T, announce Announce, headers ...string) string {
	t.Helper()
	config := checkout()
	config.Announce = announce
	e := compile(t, config, nil, Host{})
	r := get(headers...)
	d := e.Decide(get("X-Version: v2"), "", noon)
	e.Announce(d, r)
	return headerLines(r.Header)
}

func headerLines(h http.Header) string {
	var lines []string
	for name, fields := range h {
		for _, field := range fields {
			lines = append(lines, name+": "+field)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func TestAnnounceCannotBeForged(t *testing.T) {
	const ours = "X-Rollout-Variant: canary"
	for _, header := range []string{
		"X-Rollout-Variant: stable", "x-rollout-variant: stable", "X-ROLLOUT-VARIANT: stable", "X_Rollout_Variant: stable",
		"x_rollout_variant: stable", "X-Rollout_Variant: stable", "x_rollout-variant: stable", "X-Rollout-Variant: ",
	} {
		if got := announced(t, Announce{}, header, header); got != ours {
			t.Errorf("%s: the upstream gets\n%s", header, got)
		}
	}
	// What only resembles it is not ours to remove.
	for _, header := range []string{"X-Rolloutvariant: 1", "X-Rollout: 1", "X-Rollout--Variant: 1", "Rollout-Variant: 1"} {
		if got := announced(t, Announce{}, header); !strings.Contains(got, header) || !strings.Contains(got, ours) {
			t.Errorf("%s: the upstream gets\n%s", header, got)
		}
	}
}

func TestAnnounceInAHeaderOfOnesOwn(t *testing.T) {
	for _, test := range []struct{ request, client, want string }{
		{"x-release", "X_Release: forged", "X-Release: canary"},
		{"X_Release_Name", "X-Release-Name: forged", "X_release_name: canary"},
		{"X_Release_Name", "x_release-name: forged", "X_release_name: canary"},
		{"Release", "release: forged", "Release: canary"},
		{"X--Release_", "X-_Release-: forged", "X--Release_: canary"},
		{"X--Release_", "X-Release: theirs", "X--Release_: canary\nX-Release: theirs"},
		{"off", "X-Rollout-Variant: theirs", "X-Rollout-Variant: theirs"},
	} {
		if got := announced(t, Announce{Request: test.request}, test.client); got != test.want {
			t.Errorf("%s, the client sends %s: the upstream gets\n%s\nwant\n%s", test.request, test.client, got, test.want)
		}
	}
}

func TestAnnounceCannotBeStripped(t *testing.T) {
	const ours = "X-Rollout-Variant: canary"
	for _, test := range []struct{ client, want string }{
		{"Connection: X-Rollout-Variant", ours},
		{"Connection: close, x-rollout_variant", "Connection: close\n" + ours},
		{"Connection: X-ROLLOUT-VARIANT,Upgrade ,,X_Rollout_Variant", "Connection: Upgrade\n" + ours},
		{"Connection: keep-alive, Upgrade", "Connection: keep-alive, Upgrade\n" + ours},
		{"Connection: close|Connection: X-Rollout-Variant|Connection: X-Other", "Connection: X-Other\nConnection: close\n" + ours},
		{"Trailer: X-Rollout-Variant", ours},
		{"Trailer: x_rollout_variant, X-Checksum", "Trailer: X-Checksum\n" + ours},
	} {
		if got := announced(t, Announce{}, strings.Split(test.client, "|")...); got != test.want {
			t.Errorf("%s: the upstream gets\n%s\nwant\n%s", test.client, got, test.want)
		}
	}
	// Nobody strips what is not announced.
	if got := announced(t, Announce{Request: "off"}, "Connection: X-Rollout-Variant"); got != "Connection: X-Rollout-Variant" {
		t.Errorf("off: the upstream gets\n%s", got)
	}
}

func TestAnnounceRemovesDeclaredTrailers(t *testing.T) {
	e := compile(t, checkout(), nil, Host{})
	r := get()
	r.Trailer = http.Header{"X-Rollout-Variant": nil, "X_rollout_variant": {"stable"}, "X-Checksum": nil}
	e.Announce(e.Decide(r, "", noon), r)
	if got := fmt.Sprint(r.Trailer); got != "map[X-Checksum:[]]" {
		t.Errorf("trailers left: %s", got)
	}
}

func TestAnnounceInBaggage(t *testing.T) {
	const header, ours = "\nX-Rollout-Variant: canary", "Baggage: rollout.checkout=canary"
	for _, test := range []struct{ client, want string }{
		{"", ours},
		{"Baggage: tenant=acme;ttl=5;public, user=ada%20l", ours + ",tenant=acme;ttl=5;public,user=ada%20l"},
		{"Baggage: tenant=acme|Baggage: user=ada", ours + ",tenant=acme,user=ada"},
		{"Baggage: a=1, rollout.checkout=stable;x=y ,b=2|Baggage: rollout.checkout = stable", ours + ",a=1,b=2"},
		{"Baggage: rollout.cart=stable,rollout.checkout2=stable,xrollout.checkout=stable", ours + ",rollout.cart=stable,rollout.checkout2=stable,xrollout.checkout=stable"},
		// Some libraries decode keys.
		{"Baggage: rollout%2Echeckout=stable,+rollout.checkout=stable,%72ollout.checkout=stable,50%=a", ours + ",50%=a"},
		{"Baggage: ,, ,", ours},
		{"Baggage: a=rollout.checkout=stable", ours + ",a=rollout.checkout=stable"},
		{"Connection: baggage, close", ours + "\nConnection: close"},
	} {
		var headers []string
		if test.client != "" {
			headers = strings.Split(test.client, "|")
		}
		if got := announced(t, Announce{Baggage: true}, headers...); got != test.want+header {
			t.Errorf("%s: the upstream gets\n%s\nwant\n%s%s", test.client, got, test.want, header)
		}
	}
	if got := announced(t, Announce{Request: "off", Baggage: true}, "Connection: Baggage"); got != ours {
		t.Errorf("without the header: the upstream gets\n%s", got)
	}
}

// TestBaggageKeepsToItsLimits: 64 members and 8192 bytes, beyond which libraries drop all of it, ours included.
func TestBaggageKeepsToItsLimits(t *testing.T) {
	baggage := func(fields ...string) []string {
		return strings.Split(withMember(fields, "rollout.checkout", "canary")[0], ",")
	}
	many := make([]string, 0, 100)
	for i := 0; i < 100; i++ {
		many = append(many, fmt.Sprintf("k%d=v", i))
	}
	got := baggage(strings.Join(many[:50], ","), strings.Join(many[50:], ","))
	if len(got) != 64 || got[0] != "rollout.checkout=canary" || got[1] != "k0=v" || got[63] != "k62=v" {
		t.Errorf("of 100 members %d are left: %v", len(got), got)
	}
	if got := baggage(strings.Join(many[:63], ",")); len(got) != 64 {
		t.Errorf("of 63 members %d are left beside ours", len(got)-1)
	}
	room := 8192 - len("rollout.checkout=canary") - len(",a=")
	if got := baggage("a=" + strings.Repeat("x", room)); len(got) != 2 {
		t.Error("a member that fits was dropped")
	}
	if got := baggage("a=" + strings.Repeat("x", room+1)); len(got) != 1 {
		t.Error("a member that makes the baggage longer than 8192 bytes was kept")
	}
}

func TestFollow(t *testing.T) {
	config := checkout()
	config.Announce.Follow = []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.7"}
	e := compile(t, config, nil, Host{})
	const member = "Baggage: a=b, rollout.checkout=canary;p=1"
	for _, test := range []struct{ peer, headers, want string }{
		{"10.1.2.3:4711", "X-Rollout-Variant: canary", "canary by followed"},
		{"10.1.2.3:4711", "X-Rollout-Variant: stable|X-Version: v2", "stable by followed"}, // before any rule
		{"[::ffff:10.1.2.3]:4711", "X-Rollout-Variant: canary", "canary by followed"},
		{"[2001:db8::1%eth0]:4711", "X-Rollout-Variant: canary", "canary by followed"},
		{"192.0.2.7:1", member, "canary by followed"},
		{"10.1.2.3:4711", member + "|X-Rollout-Variant: stable", "canary by followed"}, // baggage before the header
		{"10.1.2.3:4711", "X_Rollout_Variant: canary", "stable by base"},               // one spelling only

		{"10.1.2.3:4711", "", "stable by base"},
		{"10.1.2.3:4711", "X-Version: v2", "canary by rule qa"},
		{"10.1.2.3:4711", "X-Rollout-Variant: purple|X-Version: v2", "canary by rule qa"},
		{"10.1.2.3:4711", "X-Rollout-Variant: |X-Version: v2", "canary by rule qa"},
		{"10.1.2.3:4711", "X-Rollout-Variant: Canary", "stable by base"},
		{"10.1.2.3:4711", "Baggage: rollout.other=canary", "stable by base"},
		{"10.1.2.3:4711", "Baggage: rollout.checkout=purple|X-Rollout-Variant: canary", "stable by base"},

		{"11.1.2.3:4711", "X-Rollout-Variant: canary", "stable by base"},
		{"192.0.2.8:1", member, "stable by base"},
		{"[::1]:4711", "X-Rollout-Variant: canary", "stable by base"},
		{"10.1.2.3", "X-Rollout-Variant: canary", "stable by base"},
		{"@", "X-Rollout-Variant: canary", "stable by base"},
		{"", "X-Rollout-Variant: canary", "stable by base"},
		{"localhost:80", "X-Rollout-Variant: canary", "stable by base"},
	} {
		var headers []string
		if test.headers != "" {
			headers = strings.Split(test.headers, "|")
		}
		r := get(headers...)
		r.RemoteAddr = test.peer
		// The client's address as the gateway resolved it does not count: anybody can be behind a trusted proxy.
		d := e.Decide(r, "10.9.9.9", noon)
		got := d.Variant + " by " + string(d.Reason)
		if d.Rule != "" {
			got += " " + d.Rule
		}
		if got != test.want {
			t.Errorf("from %s with %s: %s, want %s", test.peer, test.headers, got, test.want)
		}
	}
}

func TestFollowWithoutTheHeader(t *testing.T) {
	config := checkout()
	config.Announce = Announce{Request: "off", Follow: []string{"0.0.0.0/0"}}
	e := compile(t, config, nil, Host{})
	for header, want := range map[string]Reason{"X-Rollout-Variant: canary": ByBase, "Baggage: rollout.checkout=canary": ByFollowing} {
		r := get(header)
		r.RemoteAddr = "10.0.0.1:1"
		if d := e.Decide(r, "", noon); d.Reason != want {
			t.Errorf("%s: by %s, want %s", header, d.Reason, want)
		}
	}
}

func TestNobodyIsFollowedIntoARolloutThatEnded(t *testing.T) {
	config := checkout()
	config.Announce.Follow = []string{"10.0.0.0/8"}
	config.Ends = noon.Format(time.RFC3339)
	e := compile(t, config, nil, Host{})
	r := get("X-Rollout-Variant: canary")
	r.RemoteAddr = "10.1.2.3:4711"
	if d := e.Decide(r, "", noon); d.Variant != "stable" || d.Reason != ByRolledBack {
		t.Errorf("after the end: %s by %s", d.Variant, d.Reason)
	}
}
