package command

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// caddyfile is the demo's site in Caddy's words. Nothing of it outlives the directory.
func (d *demo) caddyfile(dir, control string, versions *versions) []byte {
	return fmt.Appendf(nil, `{
	admin %[1]s
	persist_config off
	auto_https off
	grace_period 1s
	storage file_system `+"`%[2]s`"+`
	log {
		level ERROR
	}
	rollouts {
		store memory
	}
}
http://%[3]s {
	rollout %[4]s {
		variant stable %[5]s
		variant canary %[6]s
		revision v2.4.0
		key `+"`cookie(\"uid\")`"+`
		plan {
			step 10%% 12s
			step 25%% 12s
			step 50%% 12s
			step 100%%
			check `+"`error_rate(\"canary\") <= 0.05`"+`
			check `+"`latency_ms(\"canary\", 0.95) <= 500`"+`
			every 2s
			window 10s
			min_requests 40
		}
	}
}
`, control, dir, d.site, demoRollout, versions.list[0].addr, versions.list[1].addr)
}

// The demo's site in Traefik's words: what it reads once, and what it watches.
const (
	traefikStatic = `global: { checkNewVersion: false, sendAnonymousUsage: false }
log: { level: ERROR }
entryPoints:
  site: { address: "%[1]s" }
  control: { address: "%[2]s" }
providers:
  providersThrottleDuration: 0s
  file: { filename: dynamic.yml }
experimental:
  localPlugins:
    grayling: { moduleName: %[3]s }
`
	traefikDynamic = `http:
  routers:
    %[1]s: { rule: "PathPrefix(` + "`/`" + `)", entryPoints: [site], middlewares: [%[1]s], service: nowhere }
    control: { rule: "PathPrefix(` + "`/rollouts`" + `)", entryPoints: [control], middlewares: [control], service: noop@internal }
  middlewares:
    control: { plugin: { grayling: { control: { token: "file:token" } } } }
    %[1]s:
      plugin:
        grayling:
          name: %[1]s
          revision: v2.4.0
          variants:
            - { name: stable, upstreams: ["http://%[2]s"] }
            - { name: canary, upstreams: ["http://%[3]s"] }
          key: ['cookie("uid")']
          plan:
            steps: [{ weight: 10%%, for: 12s }, { weight: 25%%, for: 12s }, { weight: 50%%, for: 12s }, { weight: 100%% }]
            checks: ['error_rate("canary") <= 0.05', 'latency_ms("canary", 0.95) <= 500']
            every: 2s
            window: 10s
            minRequests: "40"
          store: { kind: memory }
  services:
    nowhere: { loadBalancer: { servers: [] } }
`
)

// startTraefik starts Traefik in a directory, with the plugin, and returns the token that its control API wants.
func (d *demo) startTraefik(dir, control string, versions *versions) (started *traefik, token string, err error) {
	program, err := exec.LookPath(d.traefik)
	if err != nil {
		return nil, "", fail(exitUsage, "--traefik: %w", err)
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, "", err
	}
	module, err := installPlugin(d.plugin, filepath.Join(dir, "plugins-local", "src"))
	if err != nil {
		return nil, "", err
	}
	token = rand.Text()
	for name, content := range map[string]string{
		"token":       token,
		"traefik.yml": fmt.Sprintf(traefikStatic, d.site, control, module),
		"dynamic.yml": fmt.Sprintf(traefikDynamic, demoRollout, versions.list[0].addr, versions.list[1].addr),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, "", err
		}
	}
	p := &traefik{ended: make(chan struct{})}
	p.process = exec.Command(program, "--configFile=traefik.yml") //nolint:noctx // it is asked to end before it is made to
	p.process.Dir, p.process.Stdout, p.process.Stderr = dir, &p.said, &p.said
	if err := p.process.Start(); err != nil {
		return nil, "", fail(exitUsage, "--traefik: %w", err)
	}
	go func() { p.err = p.process.Wait(); close(p.ended) }()
	return p, token, nil
}

// traefik is a Traefik at work.
type traefik struct {
	process *exec.Cmd
	said    tail
	ended   chan struct{} // closed after err is there
	err     error
}

// failure says how it ended, which it must have, and what it said last.
func (p *traefik) failure() error {
	return fail(exitRefused, "--traefik: %s: %s\n%s", p.process.Path, p.process.ProcessState, strings.TrimSpace(p.said.String()))
}

// stop asks it to end, has it end after a while, and returns an error if it did not end well.
func (p *traefik) stop() error {
	const patience = 5 * time.Second
	_ = p.process.Process.Signal(syscall.SIGTERM) // it may have ended, as Ctrl-C is for all programs of a terminal
	kill := time.AfterFunc(patience, func() { _ = p.process.Process.Kill() })
	defer kill.Stop()
	<-p.ended
	if p.err != nil {
		return p.failure()
	}
	return nil
}

// installPlugin puts the plugin where a Traefik looks for local plugins, and returns its module.
func installPlugin(plugin fs.FS, to string) (module string, err error) {
	mod, err := fs.ReadFile(plugin, "go.mod")
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	module = strings.TrimSpace(strings.TrimPrefix(first, "module"))
	err = fs.WalkDir(plugin, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(plugin, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(module), filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
	return module, err
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (t *tail) Write(part []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 8 << 10
	t.text.Write(part)
	if extra := t.text.Len() - most; extra > 0 {
		t.text.Next(extra)
	}
	return len(part), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
