package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// install puts the plugin of this checkout where a Traefik that runs in dir looks for local plugins. A plugin in another
// directory is put beside it, under the import path that its manifest names. install returns the module that Traefik has to
// load.
func install(t testing.TB, dir, plugin string) string {
	t.Helper()
	root, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	module := moduleOf(t, root)
	src := filepath.Join(dir, "plugins-local", "src")
	link(t, copied(t, root), filepath.Join(src, module))
	if plugin == "" {
		return module
	}
	own := moduleOf(t, plugin)
	copyTree(t, plugin, filepath.Join(src, own))
	return own
}

// copied is a copy of what Traefik loads of the checkout, made once in this process: what is edited meanwhile is not seen.
func copied(t testing.TB, root string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if err := built.make(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(built.dir, "plugin")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	for _, part := range []string{"core", "traefikplugin", ".traefik.yml", "go.mod"} {
		copyTree(t, filepath.Join(root, part), filepath.Join(dir, part))
	}
	return dir
}

// link makes path another name of a directory.
func link(t testing.TB, dir, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, path); err != nil {
		t.Fatal(err)
	}
}

// moduleOf is the module path in a directory's go.mod.
func moduleOf(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(path)
		}
	}
	t.Fatalf("%s/go.mod names no module", dir)
	return ""
}

// copyTree copies a file or a directory without its tests.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var findTraefik = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("GRAYLING_TRAEFIK"); path != "" {
		return filepath.Abs(path)
	}
	root, err := checkout()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "integration", "tools", "build.sh"), "traefik")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
})

// TraefikBinary is the path of the Traefik under test: GRAYLING_TRAEFIK, or else the one that
// integration/tools/traefik pins, built once on this machine.
func TraefikBinary(t testing.TB) string {
	t.Helper()
	path, err := findTraefik()
	if err != nil {
		t.Fatalf("building Traefik: %v", err)
	}
	return path
}

// TraefikCommand is a Traefik to run. Starting it is mostly interpreting, which leaves much behind: not to collect that before
// there is much of it saves a third of the time, which a run of all tests spends some hundred times, and takes little more
// memory than Traefik takes anyway.
func TraefikCommand(t testing.TB, options ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(TraefikBinary(t), options...)
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMEMLIMIT=512MiB")
	return cmd
}
