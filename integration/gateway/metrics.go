package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// MetricsURL is where the metrics of rollouts are, and the token that it wants, if any. Traefik has them only if the site
// has control.
func (g *Gateway) MetricsURL() (url, token string) { return g.instance.metrics() }

// Metrics returns what the gateway shows to Prometheus, as text in the format that is asked for; empty: that without an
// Accept header.
func (g *Gateway) Metrics(t testing.TB, accept string) string {
	t.Helper()
	url, token := g.MetricsURL()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := send(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s: %v: %s", resp.Status, err, text)
	}
	if kind := resp.Header.Get("Content-Type"); accept != "" && !strings.HasPrefix(kind, accept) {
		t.Errorf("metrics of the type %q, want %q", kind, accept)
	}
	return string(text)
}
