package traefikconfig

import (
	"fmt"
	"strings"
	"testing"
)

// expected are requests of the rollout in testdata that a rule decides, and their variants. They tell whether the rules
// kept their order, and whether commas in expressions survived.
var expected = []struct {
	request
	variant string
}{
	{request{target: "/", header: []string{"X-Version: v2"}}, "canary"},
	{request{target: "/", header: []string{"X-Version: v2.1"}}, "canary"},
	{request{target: "/", header: []string{"X-Version: v2.1", "Cookie: classic=1"}}, "canary"},
	{request{target: "/", header: []string{"Cookie: classic=1", "X-Test: 1"}}, "stable"},
	{request{target: "/admin/", header: []string{"User-Agent: iPhone", "X-Test: 1"}}, "stable"},
	{request{target: "/admin/", header: []string{"X-Groups: beta"}}, "stable"},
	{request{method: "PUT", target: "/"}, "mock"},
	{request{method: "PATCH", target: "/?v=2"}, "mock"},
	{request{target: "/?v=2"}, "canary"},
	{request{target: "/", header: []string{"X-Groups: alpha, beta"}}, "canary"},
	{request{target: "/", header: []string{"X-Forwarded-For: 203.0.113.9, 192.0.2.7"}}, "mock"},
	{request{target: "/", header: []string{"X-Forwarded-For: 198.51.100.7, ::1"}}, "mock"},
	{request{target: "/v12/mock"}, "mock"},
	{request{target: "/v12/mock", header: []string{"X-Test: mock"}}, "mock"},
	{request{target: "/", header: []string{"X-Test: mock"}}, "canary"},
	{request{target: "/?v=2", header: []string{"X-Test: mock", "X-Forwarded-For: 192.0.2.1"}}, "canary"},
}

// drawn are requests that the split decides, or the percentage of a rule.
func drawn() []request {
	var list []request
	for i := range 40 {
		cookie := fmt.Sprintf("Cookie: uid=user%d", i)
		list = append(list, request{target: "/", header: []string{cookie}})
		if i < 12 {
			list = append(list,
				request{target: "/", header: []string{cookie, "User-Agent: iPhone"}},
				request{target: "/", header: []string{cookie, "Accept-Language: NB"}},
				request{target: fmt.Sprintf("/?user%%2Cid=u%d", i), header: []string{"Cookie: uid=same"}})
		}
	}
	return list
}

// TestSpellings gives the same rollout in every way that Traefik reads, and requires the same decisions and announcements.
func TestSpellings(t *testing.T) {
	t.Parallel()
	want := decisions(t, inYAML(t))
	seen := make(map[string]int)
	for _, r := range want[len(expected):] {
		seen[r.By]++
	}
	if seen["stable"] < 10 || seen["canary"] < 10 || seen["mock"] < 1 {
		t.Errorf("the requests say too little: the split gave %v", seen)
	}
	for name, spelling := range map[string]func(t *testing.T) (*traefik, *backends){
		"toml":           inTOML,
		"padded labels":  func(t *testing.T) (*traefik, *backends) { return inLabels(t, "testdata/labels-padded.txt") },
		"ordered labels": func(t *testing.T) (*traefik, *backends) { return inLabels(t, "testdata/labels-ordered.txt") },
		"kv":             inKV,
		"kubernetes":     inKubernetes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decisions(t, func() (*traefik, *backends) { return spelling(t) })
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("request %d: got %+v, in YAML %+v", i, got[i], want[i])
				}
			}
		})
	}
}

func inYAML(t *testing.T) func() (*traefik, *backends) {
	return func() (*traefik, *backends) { return inFile(t, "rollout.yaml") }
}

func inTOML(t *testing.T) (*traefik, *backends) { return inFile(t, "rollout.toml") }

func inFile(t *testing.T, name string) (*traefik, *backends) {
	t.Helper()
	b := newBackends(t)
	config := b.local(read(t, "integration/traefikconfig/testdata/"+name))
	return start(t, "--providers.file.filename="+file(t, name, config)), b
}

func inLabels(t *testing.T, path string) (*traefik, *backends) {
	t.Helper()
	b := newBackends(t)
	docker := startDocker(t, container{name: "rollout", labels: pairs(t, b.local(read(t, "integration/traefikconfig/"+path)))})
	return start(t, "--providers.docker.endpoint="+docker), b
}

func inKV(t *testing.T) (*traefik, *backends) {
	t.Helper()
	b := newBackends(t)
	etcd := startEtcd(t, pairs(t, b.local(read(t, "integration/traefikconfig/testdata/kv.txt"))))
	return start(t, "--providers.etcd.endpoints="+etcd), b
}

// inKubernetes wraps the YAML of the plugin in resources. There 5 is a number, and off is a boolean.
func inKubernetes(t *testing.T) (*traefik, *backends) {
	t.Helper()
	b := newBackends(t)
	dynamic := documents(t, b.local(read(t, "integration/traefikconfig/testdata/rollout.yaml")))[0]["http"].(object)
	plugin := dynamic["middlewares"].(object)["checkout"].(object)["plugin"].(object)
	if plugin["grayling"].(object)["observe"] != false {
		t.Fatalf("off is no boolean: %v", plugin)
	}
	metadata := object{"name": "checkout", "namespace": "shop"}
	objects := []object{
		{"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": metadata, "spec": object{"plugin": plugin}},
		{"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": metadata, "spec": object{"routes": []any{object{
			"match":       dynamic["routers"].(object)["checkout"].(object)["rule"],
			"middlewares": []any{object{"name": "checkout"}},
			"services":    []any{object{"kind": "TraefikService", "name": "noop@internal"}},
		}}}},
	}
	for _, o := range objects {
		conforms(t, o)
	}
	return start(t, "--providers.kubernetesCRD.endpoint="+startKubernetes(t, objects)), b
}

// pairs reads lines of key=value. Those that are empty or begin with # are left out.
func pairs(t *testing.T, text string) map[string]string {
	t.Helper()
	list := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Fatalf("no key=value: %s", line)
		}
		list[key] = value
	}
	return list
}

// decisions starts a Traefik, asks all requests, and returns what came of them.
func decisions(t *testing.T, launch func() (*traefik, *backends)) []result {
	t.Helper()
	const host = "shop.example"
	p, b := launch()
	p.ready(t, host)
	var list []result
	for _, e := range expected {
		r := p.ask(t, host, e.request)
		if r.By != e.variant || r.Status != 200 || r.Announced != e.variant {
			t.Errorf("%+v: got %+v, want %s", e.request, r, e.variant)
		}
		list = append(list, r)
	}
	for _, q := range drawn() {
		list = append(list, p.ask(t, host, q))
	}
	// Upstreams are taken in turn: which one answered is chance, that all of them did is not.
	b.mu.Lock()
	for stands := range b.addresses {
		if b.asked[stands] == 0 {
			t.Errorf("the upstream %s got no request", stands)
		}
	}
	b.mu.Unlock()
	for i := range list {
		list[i].Backend = ""
	}
	// GET is not among the fallback methods, HEAD is.
	hanging := request{target: "/hang", header: []string{"X-Version: v2"}}
	if r := p.ask(t, host, hanging); r.Status != 504 {
		t.Errorf("an upstream that does not answer: %+v", r)
	}
	return list
}
