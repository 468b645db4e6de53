package traefikconfig

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/grayling-gateway/grayling/integration/port"
)

const examples = "examples/traefik/"

// TestFileExamples runs Traefik as examples/traefik/traefik.yml says, with each file.
func TestFileExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"service-mode.yaml", "proxy-mode.yaml", "pool.yaml", "signed-in.yaml", "plan.yaml", "fleet.yaml", "mirror.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackends(t)
			dir := t.TempDir()
			link(t, filepath.Join(dir, "plugins-local", "src", module))
			static, web := read(t, examples+"traefik.yml"), port.Address(t)
			for old, replacement := range map[string]string{`":80"`: web, "filename: service-mode.yaml": "filename: " + name} {
				if strings.Count(static, old) != 1 {
					t.Fatalf("traefik.yml has no %s, or several", old)
				}
				static = strings.Replace(static, old, replacement, 1)
			}
			dynamic := b.local(placed(t, read(t, examples+name)))
			for path, content := range map[string]string{"traefik.yml": static, name: dynamic} {
				if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := &traefik{web: web}
			p.run(t, dir, "--configFile=traefik.yml")
			serves(t, p)
		})
	}
}

// placed returns an example whose files are in a directory of the test's own, and whose etcd runs. There is a token.
func placed(t *testing.T, example string) string {
	t.Helper()
	dir := t.TempDir() + "/"
	if err := os.WriteFile(dir+"rollouts-token", []byte(controlToken), 0o600); err != nil {
		t.Fatal(err)
	}
	example = strings.NewReplacer("/var/lib/grayling/", dir, "/etc/traefik/", dir, "/run/secrets/", dir).Replace(example)
	if store := "10.0.0.9:2379"; strings.Contains(example, store) {
		example = strings.ReplaceAll(example, store, startEtcd(t, nil))
	}
	return example
}

func TestComposeExample(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Command any
			Labels  map[string]string
		}
	}
	b := newBackends(t)
	if err := yaml.Unmarshal([]byte(b.local(placed(t, read(t, examples+"compose.yaml")))), &compose); err != nil {
		t.Fatal(err)
	}
	var containers []container
	for name, service := range compose.Services {
		containers = append(containers, container{name: name, labels: service.Labels})
	}
	p := &traefik{web: port.Address(t)}
	var options []string
	for _, option := range compose.Services["traefik"].Command.([]any) {
		options = append(options, strings.Replace(option.(string), "address=:80", "address="+p.web, 1))
	}
	dir := t.TempDir()
	link(t, filepath.Join(dir, "plugins-local", "src", module))
	p.run(t, dir, append(options, "--providers.docker.endpoint="+startDocker(t, containers...))...)
	serves(t, p)
	isCommanded(t, p)
}

func TestKVExample(t *testing.T) {
	t.Parallel()
	b := newBackends(t)
	p := start(t, "--providers.etcd.endpoints="+startEtcd(t, pairs(t, b.local(placed(t, read(t, examples+"kv.txt"))))))
	serves(t, p)
}

func TestKubernetesExample(t *testing.T) {
	t.Parallel()
	b := newBackends(t)
	objects := documents(t, placed(t, read(t, examples+"kubernetes.yaml")))
	for _, o := range objects {
		conforms(t, o)
	}
	for _, name := range []string{"stable", "canary"} {
		objects = append(objects, b.service("shop", name)...)
	}
	p := start(t, "--providers.kubernetesCRD.endpoint="+startKubernetes(t, objects))
	serves(t, p)
	isCommanded(t, p)
}

// serves requires that an example does what the examples have in common.
func serves(t *testing.T, p *traefik) {
	t.Helper()
	const host = "shop.example"
	p.ready(t, host)
	for _, test := range []struct{ header, variant string }{
		{"X-Version: v2", "canary"},
		{"Cookie: uid=alice", "stable"},
		{"X-Rollout-Variant: canary\nCookie: uid=alice", "stable"},
		{"X_Rollout_Variant: canary\nCookie: uid=alice", "stable"},
		{"Connection: X-Rollout-Variant\nX-Version: v2", "canary"},
	} {
		got := p.ask(t, host, request{target: "/", header: strings.Split(test.header, "\n")})
		if got.Status != 200 || got.By != test.variant || got.Announced != test.variant {
			t.Errorf("%q: got %+v, want %s", test.header, got, test.variant)
		}
	}
	// The clients of the 5% are the same in every gateway: these are all of user0 to user79.
	var canaries []string
	for i := range 80 {
		user := fmt.Sprintf("user%d", i)
		if p.ask(t, host, request{target: "/", header: []string{"Cookie: uid=" + user}}).By == "canary" {
			canaries = append(canaries, user)
		}
	}
	if want := []string{"user20", "user22", "user54", "user68"}; !slices.Equal(canaries, want) {
		t.Errorf("the canary got %q, want %q", canaries, want)
	}
}

// isCommanded requires that an example's plan is seen and commanded by who knows the token, and by nobody else.
func isCommanded(t *testing.T, p *traefik) {
	t.Helper()
	if code, _ := p.control(t, http.MethodGet, "/rollouts/checkout", "another token of an operator"); code != http.StatusUnauthorized {
		t.Errorf("another token: %d", code)
	}
	if code, body := p.control(t, http.MethodPost, "/rollouts/checkout/abort", controlToken); code != http.StatusOK || !strings.Contains(body, `"rolled_back"`) {
		t.Errorf("abort: %d %s", code, body)
	}
}

// TestEveryExampleIsListed holds the index to the files.
func TestEveryExampleIsListed(t *testing.T) {
	index := read(t, examples+"README.md")
	files, err := os.ReadDir(filepath.Join(checkout, examples))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := file.Name(); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("%sREADME.md does not list %s", examples, name)
		}
	}
}
