package integration

import (
	"testing"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/dashboard"

	"github.com/grayling-gateway/grayling/integration/browser"
)

// TestDashboardOutdated shows a gateway whose revision others have superseded, and offers what leads out of that.
func TestDashboardOutdated(t *testing.T) {
	t.Parallel()
	api := stages()
	api.change(func() {
		s := &api.statuses[0]
		s.State, s.Step, s.Reason, s.Evaluation = core.OutdatedState, 0, `revision "v3" is being released elsewhere`, nil
	})
	page := openTold(t, api, dashboard.Options{})
	page.Await(`document.querySelector(".title .state")?.textContent === "Outdated"`)
	page.Await(`document.querySelector(".expectation").textContent === "Other gateways release another revision than this one has."`)
	page.Await(`document.querySelector(".reason-box").textContent.includes("released elsewhere")`)
	for command, offered := range map[string]bool{"pause": true, "abort": true, "restart": true, "promote": false, "step": false, "weight": false} {
		if is := browser.Eval[bool](page, `!document.querySelector('[data-command="`+command+`"]').ariaDisabled`); is != offered {
			t.Errorf("%s is offered: %t", command, is)
		}
	}
	page.Behaved()
}

// TestDashboardOfNoName goes on at an address that names no rollout.
func TestDashboardOfNoName(t *testing.T) {
	t.Parallel()
	api := stages()
	page := openTold(t, api, dashboard.Options{})
	page.Await(`document.querySelector("h1")`)
	browser.Eval[bool](page, `(location.hash = "#%", true)`)
	api.change(func() { api.statuses[0].Revision = "v99" })
	page.Await(`document.querySelector(".facts-line").textContent.includes("v99")`)
	page.Behaved()
}
