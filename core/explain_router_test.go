package core

import "testing"

// TestExplainRouter: the router is asked only if somebody says so, and nothing is remembered or counted of it.
func TestExplainRouter(t *testing.T) {
	config := stickyShop()
	config.Sticky = Sticky{}
	e, answer, asked := routedShop(t, config)
	for _, test := range []struct {
		user, answer string
		ask          bool
		want, status string
		asked        int
	}{
		{high, `{"variant": "canary"}`, false, "stable by split", RouterNotAsked, 0},
		{high, `{"variant": "canary"}`, true, "canary by router", RouterAnswered, 1},
		{high, `{"variant": "canary"}`, true, "canary by router", RouterAnswered, 2},
		{low, `{"variant": "purple"}`, true, "canary by split", RouterFailed, 3},
		{"", `{"variant": "canary"}`, true, "stable by base", RouterNoClient, 3},
	} {
		*answer = test.answer
		q := with()
		if test.user != "" {
			q = with("X-User: " + test.user)
		}
		q.AskRouter = test.ask
		before := traces(e.live)
		x := explained(t, e, q)
		if x.Decision.words() != test.want || x.Router == nil || x.Router.Status != test.status || *asked != test.asked || traces(e.live) != before {
			t.Errorf("%s: %s, %+v, asked %d times, want %s, %s, %d; traces %s", test.answer, x.Decision.words(), x.Router, *asked, test.want, test.status,
				test.asked, traces(e.live))
		}
		if (x.Router.Error != "") != (test.status == RouterFailed) || (len(x.Notes) > 0) != (test.status == RouterNotAsked) {
			t.Errorf("%s: %+v, %q", test.answer, x.Router, x.Notes)
		}
	}
	(&browserAt{engine: e, now: noon}).expect(t, "decided", "canary by router", "X-User: "+high)
	if x := explained(t, e, with("X-User: "+high)); x.Decision.words() != "canary by assigned" || x.Router.Status != RouterSkipped || len(x.Assignments) != 1 || x.Assignments[0].In != "memory" {
		t.Errorf("remembered: %s, %+v", x.Decision.words(), x.Assignments)
	}
}
