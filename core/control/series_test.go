package control

import (
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func TestSeries(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	wantAnswer(t, "none", ask(h, "GET", "/rollouts/checkout/series", ""), 200, `{"points":[]}`)
	f.points = []core.Point{{ID: 1}, {ID: 2, Variants: []core.VariantStatus{{Name: "stable", Weight: "90%", Requests: 7}}}}
	wantAnswer(t, "all", ask(h, "GET", "/rollouts/checkout/series", ""), 200, `{"points":[{"id":1,`, `{"id":2,`)
	wantAnswer(t, "the last", ask(h, "GET", "/rollouts/checkout/series?after=1", ""), 200, `{"points":[{"id":2,`, `"name":"stable","weight":"90%","requests":7`)
	for _, id := range []string{"-1", "x", "1.5", "99999999999999999999", "%00"} {
		wantAnswer(t, id, ask(h, "GET", "/rollouts/checkout/series?after="+id, ""), 400, `"code":"request"`, "is not the ID of a point")
	}
	wantAnswer(t, "POST", ask(h, "POST", "/rollouts/checkout/series", ""), 405, `"code":"method"`)
	wantAnswer(t, "unknown", ask(h, "GET", "/rollouts/chekcout/series", ""), 404, `did you mean`)
}
