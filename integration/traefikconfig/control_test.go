package traefikconfig

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestControl runs the example with a plan, watches and commands it, and gives it another configuration.
func TestControl(t *testing.T) {
	t.Parallel()
	b := newBackends(t)
	dir := t.TempDir()
	place := strings.NewReplacer("/var/lib/grayling/", dir+"/", "/etc/traefik/", dir+"/")
	config := b.local(place.Replace(read(t, examples+"plan.yaml")))
	path := file(t, "plan.yaml", config)
	if err := os.WriteFile(filepath.Join(dir, "rollouts-token"), []byte(controlToken), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--providers.file.filename="+path)
	p.ready(t, "shop.example")
	p.isState(t, "progressing")

	for _, token := range []string{"", controlToken + "."} {
		for _, request := range []string{"GET /rollouts", "GET /rollouts/checkout/events", "POST /rollouts/checkout/abort"} {
			method, target, _ := strings.Cut(request, " ")
			if code, body := p.control(t, method, target, token); code != http.StatusUnauthorized || strings.Contains(body, "started") {
				t.Errorf("%s with %q: %d %s", request, token, code, body)
			}
		}
	}
	asked := request{method: http.MethodPost, target: "/rollouts/checkout/abort", header: []string{"Authorization: Bearer " + controlToken}}
	if got := p.ask(t, "shop.example", asked); got.By == "" {
		t.Errorf("the rollout itself answered a command: %+v", got)
	}
	p.isState(t, "progressing")

	events := p.watch(t, "checkout")
	if kind := next(t, events); kind != "started" {
		t.Errorf("the first event is %s", kind)
	}
	if code, body := p.control(t, http.MethodPost, "/rollouts/checkout/pause", controlToken); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if kind := next(t, events); kind != "paused" {
		t.Errorf("then comes %s", kind)
	}

	replace(t, path, strings.Replace(config, "response: X-Variant", "response: X-Other", 1))
	gateway.Eventually(t, "the new configuration is in force", func() bool { return p.ask(t, "shop.example", request{target: "/"}).Announced == "" })
	p.isState(t, "paused")
	if kind := next(t, events); kind != "" {
		t.Errorf("the stream of a configuration that is gone goes on with %s", kind)
	}
}

// isState requires that the rollout of the example is in a state.
func (p *traefik) isState(t *testing.T, state string) {
	t.Helper()
	gateway.Eventually(t, "the rollout is "+state, func() bool {
		_, body := p.control(t, http.MethodGet, "/rollouts/checkout", controlToken)
		return strings.Contains(body, `"state":"`+state+`"`)
	})
}

// watch returns the kinds of a rollout's events as they happen. The channel is closed when the stream ends.
func (p *traefik) watch(t *testing.T, rollout string) <-chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.web+"/rollouts/"+rollout+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "ops.example"
	r.Header.Set("Authorization", "Bearer "+controlToken)
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	kinds := make(chan string)
	go func() {
		defer close(kinds)
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				select {
				case kinds <- kind:
				case <-t.Context().Done():
				}
			}
		}
	}()
	return kinds
}

// next returns the next event; "" if there are no more.
func next(t *testing.T, kinds <-chan string) string {
	t.Helper()
	select {
	case kind := <-kinds:
		return kind
	case <-time.After(gateway.Patience):
		t.Fatalf("no event for %v", gateway.Patience)
		return ""
	}
}

// replace puts another file in the place of one.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
