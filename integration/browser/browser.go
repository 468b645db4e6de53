// Package browser opens pages in a real Chromium without a window, and notes what they do that no page of this project
// may: errors, violations of their Content-Security-Policy, requests to others, and parts that move by themselves.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is longer than any page needs for anything, on a machine that has much else to do.
const patience = 2 * time.Minute

// Page is one page.
type Page struct {
	t      testing.TB
	ctx    context.Context
	origin string

	mu       sync.Mutex
	requests []string // to others than the origin; guarded by mu
	messages []string // of its console; guarded by mu
}

// watch counts in a page what moves without somebody having done something, and what its policy forbids.
const watch = `
	window.shifts = [];
	new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value.toFixed(4) + ": " +
			entry.sources.map((s) => (s.node?.parentElement?.className ?? "") + " > " + (s.node?.className || s.node?.nodeName) + " " +
			JSON.stringify(s.previousRect) + " " + JSON.stringify(s.currentRect)).join(", "));
	}).observe({ type: "layout-shift", buffered: true });
	window.violations = [];
	document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective + " " + e.blockedURI));
`

// Open opens a page of a width in pixels. It ends with the test.
func Open(t testing.TB, address string, width int64) *Page {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatalf("%v: make packages installs it", err)
	}
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath("chromium"), chromedp.WSURLReadTimeout(patience))
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx, origin: parsed.Host}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	messages := chromedp.Console(ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return
			}
			p.note(&p.messages, fmt.Sprintf("%s: %s %s", message.Type, message.Text, message.URL))
		}
	}()
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	p.Resize(width, "light")
	p.do(chromedp.Navigate(address))
	return p
}

func (p *Page) hear(event any) {
	if sent, ok := event.(*network.EventRequestWillBeSent); ok {
		to, err := url.Parse(sent.Request.URL)
		if err != nil || to.Host != p.origin && to.Scheme != "data" {
			p.note(&p.requests, sent.Request.URL)
		}
	}
}

func (p *Page) note(in *[]string, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*in = append(*in, text)
}

// do does something, and fails the test if it cannot be done.
func (p *Page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%v; the page says %q", err, p.Console())
	}
}

// Eval returns what an expression of JavaScript is, or what it promises.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%.200s: %v; the page says %q", expression, err, p.Console())
	}
	return value
}

// Await waits until an expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	end := time.Now().Add(patience)
	for !Eval[bool](p, "Boolean("+expression+")") {
		if time.Now().After(end) {
			p.t.Fatalf("after %v still not: %s; the page says %q, and shows\n%s", patience, expression, p.Console(), Eval[string](p, "document.body.innerText"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Click clicks at what a CSS selector finds.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// Press presses keys, wherever the focus is.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.do(chromedp.Reload())
}

// Resize gives the page another width, and a scheme of colours that the system prefers: light or dark.
func (p *Page) Resize(width int64, scheme string) {
	p.t.Helper()
	height := int64(1000)
	if width < 600 {
		height = 812
	}
	p.do(chromedp.EmulateViewport(width, height))
	p.prefer("prefers-color-scheme", scheme)
}

// Calm has the system ask for reduced motion.
func (p *Page) Calm() {
	p.t.Helper()
	p.prefer("prefers-reduced-motion", "reduce")
}

// prefer has the system prefer something, and nothing else.
func (p *Page) prefer(feature, value string) {
	p.t.Helper()
	features := []*emulation.MediaFeature{{Name: feature, Value: value}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		p.t.Fatal(err)
	}
}

// Offline cuts the page off from the network, or connects it again.
func (p *Page) Offline(offline bool) {
	p.t.Helper()
	rules := network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}
	if _, err := chromedp.Call(p.ctx, network.OverrideNetworkState, rules); err != nil {
		p.t.Fatal(err)
	}
}

// Picture returns the whole page as a PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	return picture
}

// Console is what the page wrote to its console so far.
func (p *Page) Console() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.messages, "\n")
}

// Behaved fails the test if the page did something that it may not: asked another server, violated its policy, moved its
// parts. What its console may say are texts that a message begins with or contains.
func (p *Page) Behaved(may ...string) {
	p.t.Helper()
	for _, violation := range Eval[[]string](p, "window.violations") {
		p.t.Errorf("a violation of the Content-Security-Policy: %s", violation)
	}
	for _, shift := range Eval[[]string](p, "window.shifts") {
		p.t.Errorf("the page moved: %s", shift)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, request := range p.requests {
		p.t.Errorf("the page asked another server: %s", request)
	}
	for _, message := range p.messages {
		allowed := false
		for _, text := range may {
			allowed = allowed || strings.Contains(message, text)
		}
		if !allowed {
			p.t.Errorf("the page's console: %s", message)
		}
	}
}
