package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var built struct {
	once sync.Once
	dir  string
	log  []byte
	err  error
}

// CaddyBinary is the path of the Caddy under test: GRAYLING_CADDY, or else cmd/caddy of this
// checkout, built once in this process.
func CaddyBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("GRAYLING_CADDY"); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	built.once.Do(build)
	if built.err != nil {
		t.Fatalf("building cmd/caddy: %v\n%s", built.err, built.log)
	}
	return filepath.Join(built.dir, "caddy")
}

func build() {
	if built.dir, built.err = os.MkdirTemp("", "gateway-bin"); built.err != nil {
		return
	}
	var root string
	if root, built.err = checkout(); built.err != nil {
		return
	}
	cmd := exec.Command("go", "build", "-o", built.dir+"/", "./cmd/caddy")
	cmd.Dir = root
	built.log, built.err = cmd.CombinedOutput()
}

// checkout is the directory of the project that the tests are a part of.
func checkout() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Join(filepath.Dir(string(mod)), ".."), err
}

// Main runs the tests of a package that starts gateways, and removes what was built for them.
func Main(m *testing.M) int {
	defer func() {
		if built.dir != "" {
			os.RemoveAll(built.dir)
		}
	}()
	return m.Run()
}
