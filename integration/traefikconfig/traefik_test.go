package traefikconfig

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

const module = "github.com/grayling-gateway/grayling"

var checkout = filepath.Join("..", "..")

func TestMain(m *testing.M) { os.Exit(gateway.Main(m)) }

// traefik is the real Traefik at work, with the plugin of this checkout under the key grayling.
type traefik struct {
	web string // address of the entry point web, which believes X-Forwarded-For
	api string // address of Traefik's API

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

// start runs Traefik until the test ends, with further options, and before them with variables of its environment: NAME=value.
func start(t *testing.T, options ...string) *traefik {
	t.Helper()
	dir := t.TempDir()
	link(t, filepath.Join(dir, "plugins-local", "src", module))
	p := &traefik{web: port.Address(t), api: port.Address(t)}
	p.run(t, dir, append([]string{
		"--entryPoints.web.address=" + p.web,
		"--entryPoints.web.forwardedHeaders.insecure=true",
		"--entryPoints.traefik.address=" + p.api,
		"--api.insecure=true",
		"--experimental.localPlugins.grayling.moduleName=" + module,
		"--global.checkNewVersion=false",
		"--global.sendAnonymousUsage=false",
		"--providers.providersThrottleDuration=100ms",
	}, options...)...)
	p.answers(t)
	return p
}

// answers waits until Traefik's API does.
func (p *traefik) answers(t *testing.T) {
	t.Helper()
	gateway.Eventually(t, "Traefik's API answers", func() bool {
		response, err := http.Get("http://" + p.api + "/api/version")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// run runs Traefik in a directory until the test ends. Options without dashes are variables of its environment, as of [start].
func (p *traefik) run(t *testing.T, dir string, options ...string) {
	t.Helper()
	cmd := gateway.TraefikCommand(t)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "HOME="+dir)
	for _, option := range options {
		if strings.HasPrefix(option, "--") {
			cmd.Args = append(cmd.Args, option)
		} else {
			cmd.Env = append(cmd.Env, option)
		}
	}
	cmd.Stdout, cmd.Stderr = p, p
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Traefik's log:\n%s", p.logged())
		}
	})
	run(t, cmd)
}

// Write takes a part of Traefik's log.
func (p *traefik) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *traefik) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// raw is all that Traefik's API tells about the configuration.
func (p *traefik) raw(t *testing.T) string {
	t.Helper()
	response, err := http.Get("http://" + p.api + "/api/rawdata")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// problems waits until Traefik has dealt with a router, and returns what is wrong with it or its middlewares.
func (p *traefik) problems(t *testing.T, router string) []string {
	t.Helper()
	var state struct {
		Status string
		Error  []string
	}
	gateway.Eventually(t, "Traefik has the router "+router, func() bool {
		response, err := http.Get("http://" + p.api + "/api/http/routers/" + router)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return json.NewDecoder(response.Body).Decode(&state) == nil && state.Status != ""
	})
	return state.Error
}

// ready waits until requests go through the rollout that answers for a host.
func (p *traefik) ready(t *testing.T, host string) {
	t.Helper()
	gateway.Eventually(t, "a rollout answers for "+host, func() bool {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.web+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK && response.Header.Get("X-Backend") != ""
	})
}

// run runs a program until the test ends. One that ends by itself fails the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		select {
		case err := <-exited:
			t.Errorf("%s ended by itself: %v", cmd.Path, err)
			return
		default:
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(gateway.Patience):
			_ = cmd.Process.Kill()
			<-exited
			t.Errorf("%s did not end within %v of SIGTERM", cmd.Path, gateway.Patience)
		}
	})
}

// tool is the path of a tool's binary, built once for all runs.
func tool(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(checkout, "integration", "tools", "build.sh"), name)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, log.String())
	}
	return strings.TrimSpace(string(out))
}

// file writes a file of its own and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns a file of the checkout.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(checkout, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
