package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// expectSecure holds a fleet to have used a cluster as it was told to: with certificate and password, for keys under its prefix
// only, and without showing to anybody what it is let in with.
func (f *edges) expectSecure(t *testing.T, cluster *etcdstore.Cluster, access gateway.EtcdAccess) {
	t.Helper()
	cluster.ExpectGuarded(t)
	want := map[string]int{"state/": 0, "members/": 0}
	for _, key := range cluster.Keys(t) {
		rest, under := strings.CutPrefix(key, access.Prefix)
		if !under {
			t.Errorf("etcd has the key %s, want all under %s", key, access.Prefix)
		}
		kind, _, _ := strings.Cut(rest, "/")
		want[kind+"/"]++
	}
	for kind, n := range want {
		if n == 0 {
			t.Errorf("etcd has nothing under %s%s", access.Prefix, kind)
		}
	}
	secrets := append(keyLines(t, access.Key), access.Password)
	for _, g := range f.gateways {
		config := g.Configuration(t)
		if !strings.Contains(config, "file:"+access.Key) || !strings.Contains(config, "ETCD_PASSWORD") {
			t.Errorf("%s does not show where its key and its password are:\n%s", g.Host, config)
		}
		for _, secret := range secrets {
			if strings.Contains(config, secret) {
				t.Errorf("%s shows its key or its password in its configuration", g.Host)
			}
			if strings.Contains(g.Log(), secret) {
				t.Errorf("%s shows its key or its password in its log", g.Host)
			}
		}
		if strings.Contains(g.Log(), "what authenticates to etcd stands in the configuration") {
			t.Errorf("%s warns of a secret that its configuration does not have", g.Host)
		}
	}
}

// keyLines are the lines of a key in PEM, without those around it.
func keyLines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[1 : len(lines)-1]
}
