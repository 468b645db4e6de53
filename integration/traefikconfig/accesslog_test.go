package traefikconfig

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestAccessLog shows that Traefik's access log tells the variant in both modes, if it is told to keep the headers.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"service-mode.yaml", "proxy-mode.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackends(t)
			p := start(t, "--providers.file.filename="+file(t, name, b.local(read(t, examples+name))), "--accessLog.format=json",
				"--accessLog.fields.headers.names.X-Rollout-Variant=keep", "--accessLog.fields.headers.names.X-Variant=keep")
			p.ready(t, "shop.example")
			p.ask(t, "shop.example", request{target: "/logged", header: []string{"X-Version: v2", "X-Rollout-Variant: forged"}})
			gateway.Eventually(t, "the request is logged", func() bool {
				for line := range strings.Lines(p.logged()) {
					var entry map[string]any
					if json.Unmarshal([]byte(line), &entry) == nil && entry["RequestPath"] == "/logged" {
						if entry["request_X-Rollout-Variant"] != "canary" || entry["downstream_X-Variant"] != "canary" {
							t.Errorf("the log has %s", line)
						}
						return true
					}
				}
				return false
			})
		})
	}
}
