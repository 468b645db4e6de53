package traefikconfig

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const commanded = `
http:
  middlewares:
    control:
      plugin:
        grayling:
          control: { token: env:CONTROL_TOKEN }
    checkout:
      plugin:
        grayling:
          name: checkout
          revision: v2
          variants: [{ name: stable }, { name: canary }]
          plan: { steps: [{ weight: 10%, manual: true }, { weight: 100% }] }
          store: { kind: memory }
  routers:
    control: { rule: "PathPrefix(` + "`/ops/rollouts`" + `)", middlewares: [control], service: noop@internal }
    checkout: { rule: "Host(` + "`shop.example`" + `)", middlewares: [checkout], service: noop@internal }
`

// TestCommandLine commands a rollout of the real Traefik by the program grayling, which knows its token from a file, and
// follows what happens: through the interpreter events arrive when they happen, too.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	grayling := gateway.CommandBinary(t)
	config := file(t, "dynamic.yml", commanded)
	p := start(t, "CONTROL_TOKEN="+controlToken, "--providers.file.filename="+config)
	server := []string{"--server", "http://" + p.web + "/ops", "--token-file", file(t, "token", controlToken+"\n"), "--timeout", gateway.Patience.String()}
	command := func(args ...string) *exec.Cmd {
		return exec.CommandContext(t.Context(), grayling, append(args, server...)...)
	}
	says := func(code int, part string, args ...string) {
		t.Helper()
		out, err := command(args...).CombinedOutput()
		if got := exitCode(err); got != code || !strings.Contains(string(out), part) {
			t.Errorf("%q: exit code %d, want %d with %q: %s", args, got, code, part, out)
		}
	}

	if out, err := exec.Command(grayling, "validate", config).CombinedOutput(); err != nil || string(out) != config+": valid\n" {
		t.Errorf("validate: %v: %s", err, out)
	}
	caddyfile := file(t, "Caddyfile", ":8080 {\n\trollout checkout {\n\t\tvariant stable 10.0.0.1:80\n\t\tvariant canary 5% 10.0.1.1:80\n\t}\n}\n")
	if out, err := exec.Command(grayling, "validate", caddyfile).CombinedOutput(); err != nil || string(out) != caddyfile+": valid\n" {
		t.Errorf("validate, of Caddy: %v: %s", err, out)
	}
	gateway.Eventually(t, "the plan has begun", func() bool {
		out, err := command("status").CombinedOutput()
		return err == nil && strings.Contains(string(out), "checkout  progressing")
	})
	events := p.events(t)
	says(0, "checkout: paused, step 1/2, canary 10%", "pause", "checkout")
	for line := ""; line != "event: paused\n"; {
		next, err := events.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream of events ends after %q: %v", line, err)
		}
		line = next
	}
	says(1, "has to be progressing", "pause", "checkout")
	out, err := exec.Command(grayling, "status", "--server", server[1]).CombinedOutput()
	if exitCode(err) != 1 || !strings.Contains(string(out), "wants a token") {
		t.Errorf("without a token: %v: %s", err, out)
	}

	watch := command("watch", "checkout", "--until", "promoted")
	var shown shownText
	watch.Stdout, watch.Stderr = &shown, &shown
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	gateway.Eventually(t, "watch shows where the rollout stands", func() bool { return strings.Contains(shown.String(), "checkout: paused") })
	says(0, "checkout: progressing", "resume", "checkout")
	gateway.Eventually(t, "watch shows that it goes on", func() bool { return strings.Contains(shown.String(), "  resumed  progressing") })
	says(0, "checkout: promoted", "promote", "checkout", "--full")
	if err := watch.Wait(); err != nil || !strings.Contains(shown.String(), "  promoted  promoted, step 2") {
		t.Errorf("watch: %v: %s", err, shown.String())
	}
	says(0, "checkout: rolled_back", "abort", "checkout")
	says(4, "checkout is rolled back", "watch", "checkout", "--until", "promoted")
	says(2, "unknown command", "promte")
}

// events opens the stream of the rollout's events, which stays open.
func (p *traefik) events(t *testing.T) *bufio.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.web+"/ops/rollouts/checkout/events?after=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+controlToken)
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the stream of events: %s", response.Status)
	}
	return bufio.NewReader(response.Body)
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// shownText is what a program prints while it runs.
type shownText struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *shownText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shownText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
