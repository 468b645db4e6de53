package traefikconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const pools = "integration/traefikconfig/testdata/pools/"

// TestPoolSpellings gives the same pool in every way that Traefik reads, and requires the same turns.
func TestPoolSpellings(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join(checkout, pools))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range files {
		t.Run(entry.Name(), func(t *testing.T) {
			t.Parallel()
			b := newBackends(t)
			text := b.local(read(t, pools+entry.Name()))
			var p *traefik
			switch name := entry.Name(); {
			case strings.HasPrefix(name, "labels"):
				p = start(t, "--providers.docker.endpoint="+startDocker(t, container{name: "pool", labels: pairs(t, text)}))
			case strings.HasPrefix(name, "kv"):
				p = start(t, "--providers.etcd.endpoints="+startEtcd(t, pairs(t, text)))
			default:
				p = start(t, "--providers.file.filename="+file(t, name, text))
			}
			p.ready(t, "shop.example")
			takesTurns(t, p, b)
		})
	}
}

// TestPoolInKubernetes wraps the tables in resources, where a weight is a number and a list may hold anything.
func TestPoolInKubernetes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"texts.yaml", "tables.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackends(t)
			dynamic := documents(t, b.local(read(t, pools+name)))[0]["http"].(object)
			metadata := object{"name": "pool", "namespace": "shop"}
			p := start(t, "--providers.kubernetesCRD.endpoint="+startKubernetes(t, []object{
				{"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": metadata,
					"spec": object{"plugin": dynamic["middlewares"].(object)["pool"].(object)["plugin"]}},
				{"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": metadata, "spec": object{"routes": []any{object{
					"match":       dynamic["routers"].(object)["pool"].(object)["rule"],
					"kind":        "Rule",
					"middlewares": []any{object{"name": "pool"}},
					"services":    []any{object{"kind": "TraefikService", "name": "noop@internal"}},
				}}}},
			}))
			p.ready(t, "shop.example")
			takesTurns(t, p, b)
		})
	}
}

// takesTurns requires what the pool of testdata does.
func takesTurns(t *testing.T, p *traefik, b *backends) {
	t.Helper()
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{nil, "10.0.0.1:8080:6 10.0.0.2:8080:2"},
		{[]string{"X-Zones: a,b"}, "10.0.0.1:8080:8"},
		{[]string{"X-Zones: c"}, "10.0.0.2:8080:8"},
		{[]string{"X-Version: v2"}, "10.0.1.1:8080:8"},
		{[]string{"X-Version: v2", "X-Zones: c"}, ":8"}, // drained
		{[]string{"X-Zones: d"}, ":8"},
	} {
		counts := make(map[string]int)
		for range 8 {
			r := p.ask(t, "shop.example", request{target: "/", header: c.headers})
			if r.Backend == "" && r.Status != 503 {
				t.Errorf("%q: status %d", c.headers, r.Status)
			}
			counts[r.Backend]++
		}
		if got := strings.Trim(fmt.Sprint(counts), "map[]"); got != c.want {
			t.Errorf("%q: answered %s, want %s", c.headers, got, c.want)
		}
	}
	gateway.Eventually(t, "the upstream without weight got its check", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.asked["10.0.1.2:8080"] == 1
	})
}

// TestMetadataWithDots shows that labels cannot have metadata with dots in tables.
func TestMetadataWithDots(t *testing.T) {
	t.Parallel()
	const config = `
		traefik.http.routers.shop.rule=Host(` + "`shop.example`" + `)
		traefik.http.routers.shop.middlewares=shop
		traefik.http.middlewares.shop.plugin.grayling.name=shop
		traefik.http.middlewares.shop.plugin.grayling.variants[0].name=stable
		traefik.http.middlewares.shop.plugin.grayling.variants[0].where.app.kubernetes.io/version=v1
		traefik.http.middlewares.shop.plugin.grayling.upstreams[0].address=http://10.0.0.1
		traefik.http.middlewares.shop.plugin.grayling.upstreams[0].metadata.app.kubernetes.io/version=v1
		traefik.http.middlewares.shop.plugin.grayling.upstreams[1].adddress=http://10.0.0.2
		traefik.http.middlewares.shop.plugin.grayling.upstreams[2].address=http://10.0.0.3 weight=2
	`
	p := start(t, "--providers.docker.endpoint="+startDocker(t, container{name: "shop", labels: pairs(t, config)}))
	got := strings.Join(p.problems(t, "shop@docker"), "\n")
	for _, line := range []string{
		`upstreams[0].metadata.app: a table is no value: in a label every dot of a key begins a new level, so metadata there have keys without dots`,
		`variants[0].where.app: a table is no value: in a label every dot of a key begins a new level`,
		`upstreams[1].adddress: unknown key (did you mean "address"?)`,
		`upstreams[2].address: "http://10.0.0.3 weight=2" is not an address: `,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
}

// TestMixedLists shows why a list holds texts or tables, and not both.
func TestMixedLists(t *testing.T) {
	t.Parallel()
	const config = `http:
  routers:
    shop: { rule: "Host(` + "`shop.example`" + `)", middlewares: [shop], service: noop@internal }
  middlewares:
    shop: { plugin: { grayling: { name: shop, variants: [{ name: stable }], upstreams: ["http://10.0.0.1:8080", { address: "http://10.0.0.2:8080" }] } } }
`
	b := newBackends(t)
	p := start(t, "--providers.file.filename="+file(t, "mixed.yaml", b.local(config)))
	p.ready(t, "shop.example")
	for range 4 {
		if r := p.ask(t, "shop.example", request{target: "/"}); r.Backend != "10.0.0.2:8080" {
			t.Errorf("%q answered: a list may hold both now, say so in docs/traefik.md", r.Backend)
		}
	}
}
