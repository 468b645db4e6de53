package gateway

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Write renders a site into a file of its own, in the words of the gateway, without loading it.
func (g *Gateway) Write(t testing.TB, site Site) string {
	t.Helper()
	content, name, err := g.instance.(interface {
		rendered(Site) ([]byte, string, error)
	}).rendered(site)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (c *caddy) rendered(site Site) ([]byte, string, error) {
	content, err := c.caddyfile(site)
	return content, "Caddyfile", err
}

func (t *traefik) rendered(site Site) ([]byte, string, error) {
	content, err := t.dynamic(site)
	return content, "dynamic.yml", err
}

// Entries waits for the entries of answered requests, and returns them as the gateway logged them, one a line.
func (g *Gateway) Entries(t testing.TB, answers []Answer) string {
	t.Helper()
	of := g.instance.(interface{ entries() *process }).entries()
	var log strings.Builder
	for _, a := range answers {
		entry, err := of.entry(a.Probe)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(line, '\n'))
	}
	return log.String()
}

func (c *caddy) entries() *process   { return c.process }
func (t *traefik) entries() *process { return t.process }
