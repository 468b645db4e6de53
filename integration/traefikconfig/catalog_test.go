package traefikconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// manifest is what Traefik's plugin catalog reads of a plugin.
type manifest struct {
	DisplayName string         `yaml:"displayName"`
	Type        string         `yaml:"type"`
	Import      string         `yaml:"import"`
	IconPath    string         `yaml:"iconPath"`
	Summary     string         `yaml:"summary"`
	TestData    map[string]any `yaml:"testData"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	var m manifest
	decoder := yaml.NewDecoder(strings.NewReader(read(t, ".traefik.yml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManifest(t *testing.T) {
	m := readManifest(t)
	if m.DisplayName == "" || m.Type != "middleware" || m.Summary == "" || len(m.TestData) == 0 {
		t.Errorf("a field is missing or wrong: %+v", m)
	}
	dir, inModule := strings.CutPrefix(m.Import, module+"/")
	if _, err := os.Stat(filepath.Join(checkout, dir, "plugin.go")); !inModule || err != nil {
		t.Errorf("import %s: %v", m.Import, err)
	}
	icon, err := os.Open(filepath.Join(checkout, m.IconPath))
	if err != nil {
		t.Fatal(err)
	}
	defer icon.Close()
	if _, err := png.Decode(icon); err != nil {
		t.Errorf("%s: %v", m.IconPath, err)
	}
}

// TestCatalog does with the plugin what the catalog does, whose patience is 10 s: of a processor's time, as here others work
// beside it.
func TestCatalog(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "catalog")
	build := exec.Command("go", "build", "-o", binary, "./catalog")
	build.Dir = filepath.Join(checkout, "integration", "tools", "yaegi")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := readManifest(t)
	broken := maps.Clone(m.TestData)
	broken["keys"] = "ip()"
	for name, test := range map[string]struct {
		data     map[string]any
		complain string
	}{
		"as it is": {m.TestData, ""},
		"broken":   {broken, `keys: unknown key (did you mean "key"?)`},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := json.Marshal(test.data)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, goPath(t), m.Import)
			cmd.Stdin = bytes.NewReader(input)
			var said bytes.Buffer // what the plugin logs too, which begins beside the request
			cmd.Stderr = &said
			out, err := cmd.Output()
			switch {
			case test.complain == "" && (err != nil || string(out) != "200 stable\n"):
				t.Errorf("%v\n%s%s", err, out, &said)
			case test.complain != "" && (err == nil || !strings.Contains(said.String(), test.complain)):
				t.Errorf("%v\n%s%s", err, out, &said)
			}
			if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > 10*time.Second {
				t.Errorf("it took %v", used)
			}
		})
	}
}

// goPath is a GOPATH that holds this checkout and nothing else.
func goPath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	link(t, filepath.Join(dir, "src", module))
	return dir
}

// link makes this checkout appear in another place.
func link(t *testing.T, path string) {
	t.Helper()
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, path); err != nil {
		t.Fatal(err)
	}
}
