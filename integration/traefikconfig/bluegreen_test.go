package traefikconfig

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestBlueGreenExample previews green, switches there and back and there again, and lets the two change places.
func TestBlueGreenExample(t *testing.T) {
	t.Parallel()
	b := newBackends(t)
	dir := t.TempDir()
	place := strings.NewReplacer("/var/lib/grayling/", dir+"/", "/etc/traefik/", dir+"/")
	config := b.local(place.Replace(read(t, examples+"blue-green.yaml")))
	if err := os.WriteFile(filepath.Join(dir, "rollouts-token"), []byte(controlToken), 0o600); err != nil {
		t.Fatal(err)
	}
	path := file(t, "blue-green.yaml", config)
	p := start(t, "--providers.file.filename="+path)
	p.ready(t, "shop.example")

	const blue, green = "10.0.0.1:8080", "10.0.1.1:8080"
	serve := func(everybody, preview string) {
		t.Helper()
		for host, want := range map[string]string{"shop.example": everybody, "preview.shop.example": preview} {
			for _, user := range []string{"alice", "bob"} {
				if got := p.ask(t, host, request{target: "/", header: []string{"Cookie: session=" + user}}); got.Backend != want {
					t.Errorf("%s on %s gets %s, want %s", user, host, got.Backend, want)
				}
			}
		}
	}
	command := func(verb string) {
		t.Helper()
		if code, body := p.control(t, http.MethodPost, "/rollouts/shop/"+verb, controlToken); code != http.StatusOK {
			t.Fatalf("%s: %d %s", verb, code, body)
		}
	}
	serve(blue, green)
	command("promote")
	serve(green, green)
	command("abort")
	serve(blue, blue)
	command("restart")
	serve(blue, green)
	command("promote")
	serve(green, green)

	rollout, services, found := strings.Cut(config, "\n  services:")
	if !found {
		t.Fatal("the example has no services")
	}
	swapped := strings.NewReplacer("blue", "green", "green", "blue", "v2.3.1", "v2.4.0").Replace(rollout) + "\n  services:" + services
	replace(t, path, swapped)
	gateway.Eventually(t, "blue is in the preview", func() bool {
		if got := p.ask(t, "shop.example", request{target: "/"}); got.Backend != green {
			t.Fatalf("while they change places, %+v serves everybody", got)
		}
		return p.ask(t, "preview.shop.example", request{target: "/"}).Backend == blue
	})
	serve(green, blue)
	command("promote")
	serve(blue, blue)
}
