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
