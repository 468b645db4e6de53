package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// expectBaggage sends header lines and holds the members that the backend got to want, in any order.
func expectBaggage(t *testing.T, g *gateway.Gateway, want []string, header ...string) {
	t.Helper()
	var got []string
	for _, field := range g.Get(t, "/", header...).Echo.Header["Baggage"] {
		for member := range strings.SplitSeq(field, ",") {
			got = append(got, strings.TrimSpace(member))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q: baggage is %q, want %q", header, got, want)
	}
}

// TestGatewaysInARow: behind a gateway that passes baggage on, another makes the same decision where it follows the first,
// and its own where it does not.
func TestGatewaysInARow(t *testing.T) {
	t.Parallel()
	type row struct{ outer, inner gateway.Host }
	rows := []row{
		{gateway.Caddy{}, gateway.TraefikProxy{}}, {gateway.TraefikService{}, gateway.Caddy{}}, {gateway.TraefikProxy{}, gateway.TraefikService{}},
	}
	atOnce(t, rows, func(r row) string { return r.outer.Name() + " before " + r.inner.Name() }, func(t *testing.T, r row) {
		behind := split("0%") // of itself it has the stable one serve everybody
		behind.Announce = gateway.Announce{Baggage: true, Follow: []string{"127.0.0.0/8"}}
		inner := gateway.Start(t, r.inner, site(behind))
		before := split("50%")
		before.Announce.Baggage = true
		for i := range before.Variants {
			before.Variants[i].Upstreams = []string{inner.Addr()}
		}
		outer := gateway.Start(t, r.outer, site(before))
		for variant, user := range map[string]string{"canary": low, "stable": high} {
			// What the client says of himself is not passed on as if the outer gateway had said it.
			for _, header := range []string{"X-None: 1", "Baggage: rollout.checkout=canary", "X-Rollout-Variant: canary"} {
				if a := outer.Get(t, "/", "X-User: "+user, header); a.Backend() != variant {
					t.Errorf("%s: %q answers, want %q", header, a.Backend(), variant)
				}
			}
		}
		behind.Announce.Follow = []string{"10.0.0.0/8"}
		inner.Reload(t, site(behind))
		if a := outer.Get(t, "/", "X-User: "+low); a.Backend() != "stable" {
			t.Errorf("a gateway that is not followed is obeyed: %q answers", a.Backend())
		}
	})
}
