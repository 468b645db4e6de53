package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/browser"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// program is one of this project at work.
type program struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed after err is there
	err   error

	mu   sync.Mutex
	said strings.Builder // guarded by mu
}

func (p *program) Write(part []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(part)
}

func (p *program) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// await waits for a line that contains a text, and returns it.
func (p *program) await(t *testing.T, text string) string {
	t.Helper()
	for end := time.Now().Add(gateway.Patience); ; time.Sleep(50 * time.Millisecond) {
		for line := range strings.Lines(p.text()) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended: %v\n%s", p.cmd, p.err, p.text())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s has not said %q within %v:\n%s", p.cmd, text, gateway.Patience, p.text())
		}
	}
}

// interrupt has the program end as Ctrl-C does.
func (p *program) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("%s: %v\n%s", p.cmd, p.err, p.text())
		}
	case <-time.After(gateway.Patience):
		t.Fatalf("%s has not ended %v after it was interrupted:\n%s", p.cmd, gateway.Patience, p.text())
	}
}

// TestDemo shows the demo of both gateways, turns its versions on the page, and looks what is left of it.
func TestDemo(t *testing.T) {
	t.Parallel()
	traefik := gateway.TraefikBinary(t)
	for _, test := range []struct {
		name string
		args []string
	}{{"caddy", nil}, {"traefik", []string{"--traefik", traefik}}} {
		t.Run(test.name, func(t *testing.T) {
			p, page := demonstrate(t, test.args...)
			p.await(t, "step_advanced  progressing, step 2")
			page.Await(`document.querySelector(".versions output")`)
			const slider = `document.getElementById("canary-error_rate")`
			browser.Eval[bool](page, slider+`.value = 0.4, `+slider+`.dispatchEvent(new Event("input")), `+slider+`.dispatchEvent(new Event("change"))`)
			page.Await(`document.querySelector("[for=canary-error_rate] + input + output").textContent === "40%"`)
			page.Await(`document.querySelector("main .name .state").textContent === "Rolled back"`)
			page.Behaved()
			p.interrupt(t)
		})
	}
}

// TestDemoGoesWell and badly: both ends come by themselves, and soon.
func TestDemoGoesWell(t *testing.T) {
	t.Parallel()
	p, page := demonstrate(t)
	page.Await(`document.querySelector("main .name .state").textContent === "Promoted"`)
	page.Behaved()
	p.interrupt(t)
}

func TestDemoGoesBadly(t *testing.T) {
	t.Parallel()
	p, page := demonstrate(t, "--bad")
	p.await(t, "every fifth answer of canary is an error")
	began := time.Now()
	p.await(t, "rolled_back  rolled_back")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the rollback took %v", took)
	}
	page.Await(`document.querySelector("main .name .state").textContent === "Rolled back"`)
	page.Behaved()
	p.interrupt(t)
}

// demonstrate runs the demo with a directory for its files, which has to be empty when it has ended, and opens its page.
func demonstrate(t *testing.T, args ...string) (*program, *browser.Page) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(gateway.CommandBinary(t), append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir+"/none", "XDG_DATA_HOME="+dir+"/none", "XDG_CONFIG_HOME="+dir+"/none")
	p := start(t, cmd)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("the demo left %v, %v", left, err)
		}
	})
	line := p.await(t, "Dashboard  http://")
	_, url, _ := strings.Cut(line, "Dashboard  ")
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("the page is at %s", url)
	}
	page := browser.Open(t, url, 1600)
	page.Await(fmt.Sprintf(`document.querySelector("h1")?.textContent === %q`, "checkout"))
	return p, page
}
