package gateway

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is where the programs are that were built in this process, and the plugin.
var built builds

type builds struct {
	sync.Mutex
	dir string // empty: nothing was built yet
}

// make makes the directory if there is none yet.
func (b *builds) make() (err error) {
	if b.dir == "" {
		b.dir, err = os.MkdirTemp("", "gateway-bin")
	}
	return err
}

// CaddyBinary is the path of the Caddy under test: GRAYLING_CADDY, or else cmd/caddy of this
// checkout, built once in this process.
func CaddyBinary(t testing.TB) string {
	t.Helper()
	return binary(t, "caddy", "GRAYLING_CADDY")
}

// CommandBinary is the path of the command line: GRAYLING_COMMAND, or else cmd/grayling of this checkout, built once in
// this process.
func CommandBinary(t testing.TB) string {
	t.Helper()
	return binary(t, "grayling", "GRAYLING_COMMAND")
}

// binary is the path in an environment variable, or else a program of this checkout.
func binary(t testing.TB, name, variable string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	built.Lock()
	defer built.Unlock()
	path := filepath.Join(built.dir, name)
	if _, err := os.Stat(path); built.dir != "" && err == nil {
		return path
	}
	if err := build(name); err != nil {
		t.Fatalf("building cmd/%s: %v", name, err)
	}
	return filepath.Join(built.dir, name)
}

func build(name string) error {
	if err := built.make(); err != nil {
		return err
	}
	root, err := checkout()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", built.dir+"/", "./cmd/"+name)
	cmd.Dir = root
	if log, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

// checkout is the directory of the project that the tests are a part of.
var checkout = sync.OnceValues(func() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Join(filepath.Dir(string(mod)), ".."), err
})

// Main runs the tests of a package that starts gateways, and removes what was built for them.
func Main(m *testing.M) int {
	defer func() {
		if built.dir != "" {
			os.RemoveAll(built.dir)
		}
	}()
	return m.Run()
}
