package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/goal"
	"github.com/grayling-gateway/grayling/core/mirror"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/dashboard"

	"github.com/grayling-gateway/grayling/integration/browser"
)

// told is a control API that says whatever a test wants: what no gateway would, too.
type told struct {
	mu       sync.Mutex
	statuses []core.Status // guarded by mu, as the others
	events   []rollout.Event
	points   []core.Point
	mirrors  []mirror.Report
	results  []goal.Results
}

func (a *told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body any = map[string]any{"rollouts": a.statuses}
	switch filepath.Base(r.URL.Path) {
	case "events":
		body = map[string]any{"events": a.events}
	case "series":
		body = map[string]any{"points": a.points}
	case "mirror":
		body = map[string]any{"mirrors": a.mirrors}
	case "results":
		body = map[string]any{"results": a.results}
	}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusConflict)
		body = map[string]string{"code": "state", "error": smuggled}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (a *told) change(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// openTold opens the page of an API.
func openTold(t *testing.T, api *told, options dashboard.Options) *browser.Page {
	t.Helper()
	server := httptest.NewServer(dashboard.Handler(api, options))
	t.Cleanup(server.Close) // after the page, which has a connection
	return browser.Open(t, server.URL+"/", 1600)
}

// smuggled is a text that runs where it is taken for HTML.
const smuggled = `</script><img src=x onerror="window.ran=1"><svg onload="window.ran=1">"'><a href="javascript:window.ran=1">x</a>{{7*7}}`

// hostile is an API in which every text is smuggled.
func hostile() *told {
	variants := []core.VariantStatus{{Name: "stable" + smuggled, Weight: "90%" + smuggled, Requests: 900, Failures: 3}, {Name: smuggled, Weight: "10%", Requests: 100, Failures: 30}}
	status := core.Status{
		Name: "checkout", Revision: smuggled, Member: smuggled, State: smuggled, Cause: smuggled, Reason: smuggled, Since: time.Now(), Version: smuggled, Step: 1,
		Steps: []core.StepStatus{{Weight: smuggled}}, Candidate: smuggled, Base: smuggled, Variants: variants, SampleRatio: smuggled, StoreAway: smuggled,
		Checks:     []analysis.Description{{Text: smuggled, Limits: []analysis.Limit{{Of: "error_rate", Variant: smuggled, Op: smuggled, Value: 0.1}}}},
		Evaluation: &core.EvaluationStatus{Verdict: rollout.Verdict(smuggled), Reason: smuggled, Figures: map[string]float64{smuggled: 1}},
		Members:    []core.MemberStatus{{ID: smuggled, Name: smuggled, Revision: smuggled, State: smuggled, Weight: smuggled, Verdict: rollout.Verdict(smuggled), Differs: smuggled}},
	}
	a := &told{statuses: []core.Status{status}}
	a.events = []rollout.Event{{ID: 1, Kind: rollout.Kind(smuggled), Time: time.Now(), Revision: smuggled, State: rollout.State(smuggled), Reason: smuggled, Cause: smuggled, Figures: map[string]float64{smuggled: 1}}}
	a.points = []core.Point{{ID: 1, Time: time.Now(), For: time.Second, Variants: variants}}
	a.mirrors = []mirror.Report{{Mirror: smuggled, Compared: 5, Mismatch: 0.4, Fields: []mirror.Field{{Name: smuggled, Different: 2, Share: 0.4, Above: true}}}}
	a.results = []goal.Results{{Goals: []goal.Goal{{Name: smuggled, Variants: []goal.Variant{{Name: smuggled}}}}}}
	return a
}

// TestDashboardShowsTextsAsTexts: whoever can write into what a gateway tells cannot write into the page.
func TestDashboardShowsTextsAsTexts(t *testing.T) {
	t.Parallel()
	page := openTold(t, hostile(), dashboard.Options{Gateway: smuggled})
	page.Await(`document.querySelectorAll(".events button").length === 1 && document.querySelectorAll("tbody tr").length === 5`)
	page.Click(".events button")
	page.Await(`document.querySelector("dialog.details").open`)
	page.Click("dialog.details button")
	browser.Eval[bool](page, `document.querySelector('[data-command="restart"]').removeAttribute("aria-disabled"), document.querySelector('[popovertarget="more"]').click(), true`)
	if shown := browser.Eval[string](page, `document.body.textContent`); strings.Count(shown, smuggled) < 20 {
		t.Errorf("the texts are not all shown:\n%s", shown)
	}
	if browser.Eval[bool](page, `"ran" in window || document.querySelector("main img, main a, main script") !== null`) {
		t.Error("a text became markup")
	}
	page.Behaved()
}

// stages are rollouts in all states, with all that can be seen of them.
func stages() *told {
	a := &told{}
	now := time.Now()
	variants := []core.VariantStatus{
		{Name: "stable", Weight: "85%", Requests: 12345, Failures: 12, LatencyP50: 61e6, LatencyP95: 98e6, LatencyP99: 130e6},
		{Name: "canary", Weight: "10%", Requests: 1311, Failures: 30, LatencyP50: 63e6, LatencyP95: 120e6, LatencyP99: 150e6},
		{Name: "blue", Weight: "5%", Requests: 700},
	}
	for i, state := range []string{"progressing", "paused", "promoted", "rolled_back", "idle", "unknown"} {
		s := core.Status{Name: strings.ReplaceAll(state, "_", "-"), Revision: "v2.4.0", State: state, Since: now, Version: "7", Step: 2, Age: 5 * time.Minute, Member: "edge-1",
			Steps:     []core.StepStatus{{Weight: "1%", For: 10 * time.Minute}, {Weight: "10%", For: 30 * time.Minute}, {Weight: "50%", Manual: true}, {Weight: "100%"}},
			Candidate: "canary", Base: "stable", Variants: variants, StoreAway: "etcd does not answer",
			Checks: []analysis.Description{{Text: `error_rate("canary") <= 0.01`, Limits: []analysis.Limit{{Of: "error_rate", Variant: "canary", Op: "<=", Value: 0.01}}}, {Text: `!worse("canary")`}},
			Evaluation: &core.EvaluationStatus{Verdict: []rollout.Verdict{rollout.Pass, rollout.Hold, rollout.Fail}[i%3], Failures: 1, Limit: 2,
				Reason: `error_rate("canary") <= 0.01: 2.3% of 1311 requests (p = 0.002)`},
			Members: []core.MemberStatus{{ID: "a", Name: "edge-1", Self: true, Judges: true, Verdict: rollout.Pass}, {ID: "b", Name: "edge-2", Requests: 10, Differs: "its plan"}},
		}
		if state == "idle" {
			s.Steps, s.Checks, s.Evaluation = nil, nil, nil
		}
		a.statuses = append(a.statuses, s)
	}
	for i, kind := range []rollout.Kind{rollout.KindStarted, rollout.KindStepAdvanced, rollout.KindHeld, rollout.KindPaused, rollout.KindResumed, rollout.KindWeightSet, rollout.KindPromoted, rollout.KindRolledBack, rollout.KindMismatch} {
		a.events = append(a.events, rollout.Event{ID: int64(i + 1), Kind: kind, Time: now.Add(time.Duration(i-9) * time.Minute), Revision: "v2.4.0", State: rollout.Progressing, Step: 2, Reason: "a reason that says what led to it, in more words than there is room for"})
	}
	for i := range int64(60) {
		p := core.Point{ID: i + 1, Time: now.Add(time.Duration(i-60) * 10 * time.Second), For: 10 * time.Second}
		for _, v := range variants {
			v.Requests, v.Failures = 100+7*(i%5), i%3
			p.Variants = append(p.Variants, v)
		}
		a.points = append(a.points, p)
	}
	a.mirrors = []mirror.Report{{Mirror: "canary", Compared: 500, Mismatch: 0.04, Fields: []mirror.Field{{Name: "$.price", Different: 20, Share: 0.04, Above: true}}}}
	a.results = []goal.Results{{Goals: []goal.Goal{{Name: "paid", Variants: []goal.Variant{{Name: "stable", Clients: 5106, Reached: 511, Rate: 0.1001},
		{Name: "canary", Clients: 5112, Reached: 667, Rate: 0.1305, Against: &goal.Comparison{Difference: 0.0304, Interval: goal.Interval{Low: 0.0112, High: 0.0496}, Verdict: "better"}}}}}}}
	return a
}

// contrast is JavaScript that finds texts whose contrast to what is behind them is less than the AA of WCAG 2.2 wants
// (https://www.w3.org/TR/WCAG22/#contrast-minimum): 4.5:1, and 3:1 for large ones.
const contrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const luminance = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (element) => {
		const layers = [];
		for (let e = element; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); layers.push(c); if (c[3] === 1) break; }
		return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
	};
	const found = [];
	let seen = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walker.nextNode());) {
		const element = node.parentElement, style = getComputedStyle(element);
		if (!node.textContent.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest("noscript, option, .visually-hidden, .skip")) continue;
		seen++;
		const back = behind(element);
		const ink = over(rgba(element instanceof SVGElement ? style.fill : style.color), back);
		const [light, dark] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
		const ratio = (light + 0.05) / (dark + 0.05), size = Number.parseFloat(style.fontSize);
		if (ratio < (size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5)) found.push(ratio.toFixed(2) + " " + (element.className.baseVal ?? element.className) + ": " + node.textContent);
	}
	return seen < 40 ? ["only " + seen + " texts"] : found;
})()`

// TestDashboardCanBeRead holds every state of a rollout, in all colours and widths, to what people can read.
func TestDashboardCanBeRead(t *testing.T) {
	t.Parallel()
	api := stages()
	page := openTold(t, api, dashboard.Options{})
	page.Await(`document.querySelector("h1") && document.querySelectorAll(".events li").length === 9`)
	for _, width := range []int64{1600, 375} {
		for _, scheme := range []string{"light", "dark"} {
			page.Resize(width, scheme)
			for _, s := range api.statuses {
				browser.Eval[string](page, fmt.Sprintf(`location.hash = %q`, s.Name))
				page.Await(fmt.Sprintf(`document.querySelector("h1").textContent === %q && document.querySelector(".canvas text")`, s.Name))
				for _, wrong := range browser.Eval[[]string](page, contrast) {
					t.Errorf("%d pixels, %s, %s: a contrast of %s", width, scheme, s.State, wrong)
				}
				if wide := browser.Eval[int64](page, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s is %d pixels wide on a screen of %d", s.State, wide, width)
				}
			}
		}
	}
	browser.Eval[bool](page, `document.querySelector("#theme").value = "light", document.querySelector("#theme").dispatchEvent(new Event("change"))`)
	page.Reload()
	page.Await(`document.querySelector("h1") && getComputedStyle(document.body).backgroundColor === "rgb(244, 246, 248)"`) // though the system prefers dark
	if used := browser.Eval[string](page, `document.querySelector("#theme").value`); used != "light" {
		t.Errorf("the choice is shown as %q", used)
	}
}

// TestDashboardWithoutCommands has no buttons, and one with nothing to show says so.
func TestDashboardWithoutCommands(t *testing.T) {
	t.Parallel()
	api := stages()
	page := openTold(t, api, dashboard.Options{ReadOnly: true})
	page.Await(`document.querySelector("h1")`)
	if n := browser.Eval[int](page, `document.querySelectorAll("[data-command]").length`); n > 0 {
		t.Errorf("there are %d buttons", n)
	}
	api.change(func() { api.statuses = nil })
	page.Await(`document.querySelector("main").textContent.startsWith("No rollout runs")`)
	api.change(func() { api.statuses = stages().statuses })
	page.Await(`document.querySelector("h1")`)
	page.Behaved()
}

// TestDashboardSaysWhyThereIsNothing to show, and shows it as soon as there is.
func TestDashboardSaysWhyThereIsNothing(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	api := stages()
	server := httptest.NewServer(dashboard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open.Load() {
			api.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"this needs the token","code":"token"}`)
	}), dashboard.Options{}))
	t.Cleanup(server.Close)
	page := browser.Open(t, server.URL+"/", 375)
	page.Await(`document.querySelector("#why").textContent === "this needs the token" && document.querySelector("#link-text").textContent === "Gateway away"`)
	open.Store(true)
	page.Await(`document.querySelector("h1") && document.querySelector("#why").textContent === "" && document.querySelector("#link-text").textContent === "Live"`)
	open.Store(false)
	page.Await(`document.querySelector("#notices").textContent === "this needs the token" && document.querySelector("#link-text").textContent === "Gateway away"`)
	if !browser.Eval[bool](page, `document.querySelector("h1") !== null`) {
		t.Error("what was known is gone")
	}
	page.Behaved()
}

// TestDashboardStandsStill: nothing moves when figures change, however much, and nothing is animated for those who do not
// want it.
func TestDashboardStandsStill(t *testing.T) {
	t.Parallel()
	api := stages()
	page := openTold(t, api, dashboard.Options{Every: 50 * time.Millisecond})
	for i, reason := range []string{"", "short", strings.Repeat("a reason of many words ", 40)} {
		api.change(func() {
			for j := range api.statuses {
				s := &api.statuses[j]
				s.Reason, s.Evaluation = reason, &core.EvaluationStatus{Verdict: []rollout.Verdict{rollout.Hold, rollout.Pass, rollout.Fail}[i], Reason: reason, Failures: i, Limit: 2}
				s.Variants = append([]core.VariantStatus{}, s.Variants...)
				s.Variants[1].Weight, s.Variants[1].Requests = []string{"0%", "33.333%", "100%"}[i], []int64{0, 9, 123456789}[i]
				s.Age = []time.Duration{0, time.Minute, 29*time.Minute + 59*time.Second}[i]
				s.Held, s.Stalled = i > 0, i > 1
			}
			api.events = append(api.events, rollout.Event{ID: int64(100 + i), Kind: rollout.KindHeld, Time: time.Now(), Step: 2, Reason: reason})
		})
		page.Await(fmt.Sprintf(`document.querySelectorAll(".events li").length === %d`, 10+i))
		page.Await(fmt.Sprintf(`document.querySelector(".weight").textContent === %q`, []string{"0%", "33.333%", "100%"}[i]))
	}
	const moving = `[...document.querySelectorAll("*")].some((e) => getComputedStyle(e).transitionDuration !== "0s" || getComputedStyle(e).animationName !== "none")`
	page.Await(moving)
	page.Calm()
	page.Await("!" + moving)
	page.Behaved()
}
