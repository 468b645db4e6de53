package integration

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/grayling-gateway/grayling/integration/browser"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// overseen are rollouts under paths of their own, with the dashboard beside them.
func overseen(plans map[string]string) gateway.Site {
	var b strings.Builder
	b.WriteString("{{site}} {\n\trollout_dashboard /ops/*\n")
	for name, plan := range plans {
		fmt.Fprintf(&b, "\trollout /%[1]s/* %[1]s {\n\t\tvariant stable {{upstream \"%[1]s-stable\"}}\n\t\tvariant canary {{upstream \"%[1]s-canary\"}}\n"+
			"\t\tkey `header(\"X-User\")`\n\t\trevision v2\n\t\tplan {\n\t\t\t%[2]s\n\t\t\tcheck `error_rate(\"canary\") <= 0.1`\n\t\t\tcheck `latency_ms(\"canary\", 0.95) < 30000`\n"+
			"\t\t\tevery 1s\n\t\t\twindow 2s\n\t\t\tmin_requests 20\n\t\t}\n\t}\n", name, strings.ReplaceAll(plan, ", ", "\n\t\t\t"))
	}
	b.WriteString("}\n")
	return gateway.Site{Verbatim: b.String()}
}

// overseer is somebody who looks at a rollout on the page.
type overseer struct {
	pilot
	page *browser.Page
}

func oversee(t *testing.T, g *gateway.Gateway, name string, width int64) *overseer {
	t.Helper()
	o := &overseer{pilot: pilot{g: g, rollout: gateway.Rollout{Name: name}}}
	o.awaitState(t, "progressing", 1)
	o.page = browser.Open(t, g.URL("/ops/")+"#"+name, width)
	o.page.Await(`document.querySelector("h1")?.textContent === "` + name + `"`)
	browser.Eval[int](o.page, `window.unloaded = 1`) // until the page is loaded again
	return o
}

// sees waits until the page shows a state, without having been loaded again.
func (o *overseer) sees(t *testing.T, state string) {
	t.Helper()
	o.page.Await(fmt.Sprintf(`document.querySelector("main .name .state").textContent === %q`, state))
	if browser.Eval[int](o.page, `window.unloaded ?? 0`) != 1 {
		t.Error("the page was loaded again")
	}
}

// press presses a button, fills in fields of the dialog, and confirms.
func (o *overseer) press(t *testing.T, command string, fields map[string]string) {
	t.Helper()
	button := fmt.Sprintf(`[data-command=%q]`, command)
	if browser.Eval[bool](o.page, fmt.Sprintf(`document.querySelector('%s').closest(".menu") !== null`, button)) {
		o.page.Click(`[popovertarget="more"]`)
	}
	o.page.Click(button)
	o.page.Await(`document.querySelector("dialog.ask").open`)
	for name, value := range fields {
		browser.Eval[string](o.page, fmt.Sprintf(`document.querySelector('dialog.ask [name=%q]').value = %q`, name, value))
	}
	o.page.Click(`dialog.ask [type="submit"]`)
}

// obeys presses a button, and waits until the dialog is gone and the gateway is where it is to be.
func (o *overseer) obeys(t *testing.T, command string, fields map[string]string, what string, done func(gateway.Status) bool) {
	t.Helper()
	o.press(t, command, fields)
	o.page.Await(`!document.querySelector("dialog.ask").open`)
	o.await(t, command+": "+what, done)
}

// TestDashboard uses the page in a real browser, with the real Caddy behind it.
func TestDashboard(t *testing.T) {
	t.Parallel()
	g := gateway.Start(t, gateway.Caddy{}, overseen(map[string]string{
		"forward": "step 10% 2s, step 50% 2s, step 100%", "bad": "step 50% 1h, step 100%", "buttons": "step 10% 1h, step 20% 1h, step 50% manual, step 100% 1h",
		"conflict": "step 10% 1h, step 100%", "keyboard": "step 10% 1h, step 100%", "lost": "step 10% 1h, step 100%",
	}))
	t.Run("a rollout that is watched to its end", func(t *testing.T) {
		o := oversee(t, g, "forward", 1600)
		o.traffic(t, o.users(10))
		o.sees(t, "Promoted")
		o.page.Await(`document.querySelector(".weight").textContent === "100%"`)
		o.page.Await(`[...document.querySelectorAll(".events b")].map((b) => b.textContent).filter((text) => text !== "Held").join() === "Promoted,Step 2 at 50%,Started at 10%"`)
		o.page.Await(`document.querySelectorAll(".chart.half .lines path[d^=M]").length === 4`)
		o.page.Await(`document.querySelector('.now .plan').dataset.state === "promoted"`)
		o.page.Behaved()
	})
	t.Run("a rollback that is seen as it happens", func(t *testing.T) {
		o := oversee(t, g, "bad", 375)
		o.traffic(t, o.users(50))
		o.page.Await(`document.querySelector(".verdict-title").textContent === "The checks pass"`)
		o.backend("canary").Fail(1)
		o.sees(t, "Rolled back")
		o.page.Await(`document.querySelector(".reason-box").textContent.startsWith('error_rate("canary") <= 0.1: ')`)
		o.page.Await(`document.querySelector(".checks .tone-bad + code").textContent === 'error_rate("canary") <= 0.1'`)
		o.page.Await(`document.querySelector(".weight").textContent === "0%"`)
		o.page.Await(`document.querySelector(".limits text")?.textContent === "≤ 10%"`)
		o.page.Click(".events button") // the first is the last event, with its figures
		o.page.Await(`[...document.querySelectorAll("dialog.details[open] dt")].some((dt) => dt.textContent === "canary_error_rate")`)
		o.page.Behaved()
	})
	t.Run("every button", func(t *testing.T) {
		o := oversee(t, g, "buttons", 1600)
		at := func(state string, step int) func(gateway.Status) bool {
			return func(s gateway.Status) bool { return s.State == state && s.Step == step }
		}
		o.obeys(t, "promote", nil, "the second step", at("progressing", 2))
		o.obeys(t, "pause", nil, "paused", at("paused", 2))
		o.sees(t, "Paused")
		o.obeys(t, "weight", map[string]string{"variant": "canary", "weight": "33.5"}, "33.5%", func(s gateway.Status) bool { return s.Weight("canary") == "33.5%" })
		o.page.Await(`document.querySelector(".weight").textContent === "33.5%"`)
		o.obeys(t, "resume", nil, "as the step says", func(s gateway.Status) bool { return s.State == "progressing" && s.Weight("canary") == "20%" })
		o.sees(t, "Progressing")
		o.obeys(t, "step", map[string]string{"step": "1"}, "the first step", at("progressing", 1))
		o.page.Await(`document.querySelector(".plan [aria-current] b").textContent === "10%"`)
		o.obeys(t, "full", nil, "the last step, of 100%", at("progressing", 4))
		o.page.Await(`document.querySelector(".weight").textContent === "100%"`)
		o.obeys(t, "abort", nil, "rolled back", at("rolled_back", 4))
		o.sees(t, "Rolled back")
		o.page.Await(`document.querySelector('[data-command="promote"]').getAttribute("aria-disabled") === "true"`)
		o.page.Click(`[data-command="promote"]`) // says why not, and does not ask
		o.page.Await(`document.querySelector("#notices").textContent.includes("There is no step to end.")`)
		if browser.Eval[bool](o.page, `document.querySelector("dialog.ask").open`) {
			t.Error("it asks for what cannot be done")
		}
		o.obeys(t, "restart", nil, "the first step again", at("progressing", 1))
		o.sees(t, "Progressing")
		o.page.Behaved()
	})
	t.Run("somebody else was faster", func(t *testing.T) {
		o := oversee(t, g, "conflict", 1600)
		o.page.Click(`[data-command="abort"]`)
		o.page.Await(`document.querySelector("dialog.ask").open`)
		o.command(t, http.StatusOK, "pause", "")
		o.page.Click(`dialog.ask [type="submit"]`)
		o.page.Await(`document.querySelector(".problem").textContent.includes("State: Progressing, and now Paused")`)
		if s := o.status(t); s.State != "paused" {
			t.Errorf("it was done all the same: %s", s.State)
		}
		o.page.Await(`document.querySelector('dialog.ask [type="submit"]').textContent === "Abort all the same"`)
		o.page.Click(`dialog.ask [type="submit"]`)
		o.sees(t, "Rolled back")
		o.page.Behaved("412") // Chromium notes it
	})
	t.Run("without a mouse", func(t *testing.T) { byKeyboard(t, oversee(t, g, "keyboard", 1600)) })
	t.Run("a connection that breaks off", func(t *testing.T) {
		o := oversee(t, g, "lost", 375)
		o.page.Await(`document.querySelector("#link").dataset.state === "live"`)
		g.Kill()
		o.page.Await(`document.querySelector("#link-text").textContent === "Reconnecting"`)
		o.page.Await(`document.querySelector(".weight").textContent === "10%"`) // what was known
		o.press(t, "pause", nil)
		o.page.Await(`document.querySelector(".problem").textContent.includes("cannot be reached")`)
		o.page.Press(kb.Escape)
		g.Restart()
		o.page.Await(`document.querySelector("#link-text").textContent === "Live"`)
		o.obeys(t, "pause", nil, "paused", func(s gateway.Status) bool { return s.State == "paused" })
		o.sees(t, "Paused")
		o.page.Behaved("net::ERR_")
	})
}

// byKeyboard does all that there is to be done with keys, and looks where the focus is.
func byKeyboard(t *testing.T, o *overseer) {
	focus := func(selector string) string {
		return fmt.Sprintf(`document.activeElement === document.querySelector('%s')`, selector)
	}
	tabTo := func(selector string) {
		t.Helper()
		for range 60 {
			if browser.Eval[bool](o.page, focus(selector)) {
				return
			}
			o.page.Press(kb.Tab)
		}
		t.Fatalf("no number of tabs leads to %s", selector)
	}
	tabTo(".skip")
	tabTo(`[data-command="pause"]`)
	o.page.Press(kb.Enter)
	o.page.Await(`document.querySelector("dialog.ask").open`)
	o.page.Await(`document.querySelector("dialog.ask").contains(document.activeElement)`)
	o.page.Press(kb.Escape) // no
	o.page.Await(`!document.querySelector("dialog.ask").open`)
	o.page.Await(focus(`[data-command="pause"]`))
	o.page.Press(kb.Enter)
	o.page.Await(focus(`dialog.ask [type="submit"]`))
	o.page.Press(kb.Enter)
	o.sees(t, "Paused")
	o.page.Await(focus(`[data-command="resume"]`)) // which took its place
	tabTo(".chart.half svg")
	o.page.Press(kb.ArrowLeft)
	o.page.Await(`document.querySelector(".chart.half .when").textContent !== ""`)
	since := browser.Eval[string](o.page, `document.querySelector(".chart.half .lines path:last-child")?.getAttribute("d") ?? ""`)
	o.page.Await(fmt.Sprintf(`document.querySelector(".chart.half .lines path:last-child")?.getAttribute("d") !== %q || Date.now() - (window.since ??= Date.now()) > 5000`, since))
	o.page.Await(focus(".chart.half svg")) // over updates
	tabTo(".events button")
	o.page.Press(kb.Enter)
	o.page.Await(`document.querySelector("dialog.details").open`)
	o.page.Behaved()
}

// TestDashboardCommand serves the page for gateways of both kinds by the program, which keeps the token.
func TestDashboardCommand(t *testing.T) {
	t.Parallel()
	for _, host := range []gateway.Host{gateway.Caddy{}, gateway.TraefikProxy{}} {
		t.Run(host.Name(), func(t *testing.T) {
			r := planned("shown", manual("50%"), step("100%", ""))
			g := gateway.Start(t, host, gateway.Site{Control: true, Rollouts: []gateway.Rollout{r}})
			p := &pilot{g: g, rollout: r}
			p.awaitState(t, "progressing", 1)
			cmd := g.CommandLine(t, "dashboard")
			program := start(t, cmd)
			_, url, _ := strings.Cut(program.await(t, " are at http://"), " are at ")
			url, _, _ = strings.Cut(url, " ")
			page := browser.Open(t, url, 1600)
			page.Await(`document.querySelector("main .name .state")?.textContent === "Progressing"`)
			o := &overseer{pilot: *p, page: page}
			o.obeys(t, "pause", nil, "paused", func(s gateway.Status) bool { return s.State == "paused" })
			page.Await(`document.querySelector("main .name .state").textContent === "Paused"`)
			token := strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "GRAYLING_TOKEN=")
			for _, what := range []string{"", "page.json", "app.js", "api/rollouts"} {
				text := browser.Eval[string](page, fmt.Sprintf(`fetch(%q).then((r) => r.text().then((text) => text + JSON.stringify([...r.headers])))`, what))
				if token != "" && strings.Contains(text, token) {
					t.Errorf("the page can read the token in %q", what)
				}
			}
			page.Behaved()
			program.interrupt(t)
		})
	}
}

// start runs a program until the test ends, at the latest.
func start(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, unless the test failed
		<-p.ended
	})
	return p
}
