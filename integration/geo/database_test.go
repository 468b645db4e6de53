package geo

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the databases that the engine's tests read")

// TestDatabases holds the databases in the checkout to what the writer makes of the networks for documentation.
func TestDatabases(t *testing.T) {
	for name, write := range map[string]func(...Network) ([]byte, error){"GeoLite2-City.mmdb": Cities, "GeoLite2-ASN.mmdb": Systems} {
		want, err := write(Documentation...)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "core", "geo", "testdata", name)
		if *update {
			if err := os.WriteFile(path, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is written now (%v): go test ./geo -update", path, err)
		}
	}
}
