package etcdstore

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// The users of a cluster that asks for passwords.
const (
	rootPassword    = "hush-hush" // of the user "root", who may do everything
	gatewayPassword = "hush"      // of the user "gateway"
)

// quickly has a member compare passwords in no time.
const quickly = "--bcrypt-cost=4"

// StartSecure starts a cluster of one member that asks for a certificate and a password, and returns how gateways use it, who
// may write what begins with a prefix.
func StartSecure(t testing.TB, program, prefix string) (*Cluster, gateway.EtcdAccess) {
	t.Helper()
	authority := gateway.NewAuthority(t, t.TempDir())
	server, client := authority.Issue(t, "127.0.0.1"), authority.Issue(t, "") // with users etcd takes no certificate with a name
	c := Start(t, program, 1, &tls.Config{RootCAs: authority.Pool, Certificates: []tls.Certificate{client.Certificate}}, quickly,
		"--cert-file", server.File, "--key-file", server.KeyFile, "--trusted-ca-file", authority.File, "--client-cert-auth")
	enableUsers(t, c.Members[0], prefix)
	return c, gateway.EtcdAccess{
		Prefix: prefix, Username: "gateway", Password: gatewayPassword, CA: authority.File, Certificate: client.File, Key: client.KeyFile,
	}
}

// enableUsers makes a member ask for passwords. The user "gateway" may use a prefix, which ends with a slash.
func enableUsers(t testing.TB, m *Member, prefix string) {
	t.Helper()
	end := strings.TrimSuffix(prefix, "/") + "0" // which comes after the slash
	for _, step := range []struct {
		path    string
		request map[string]any
	}{
		{"role/add", map[string]any{"name": "root"}},
		{"user/add", map[string]any{"name": "root", "password": rootPassword}},
		{"user/grant", map[string]any{"user": "root", "role": "root"}},
		{"role/add", map[string]any{"name": "gateways"}},
		{"role/grant", map[string]any{"name": "gateways", "perm": map[string]any{"permType": "READWRITE", "key": []byte(prefix), "range_end": []byte(end)}}},
		{"user/add", map[string]any{"name": "gateway", "password": gatewayPassword}},
		{"user/grant", map[string]any{"user": "gateway", "role": "gateways"}},
		{"enable", map[string]any{}},
	} {
		if err := m.Post("", "/v3/auth/"+step.path, step.request, nil); err != nil {
			t.Fatalf("%s: %v", step.path, err)
		}
	}
}

func login(t testing.TB, m *Member, name, password string) string {
	t.Helper()
	var answer struct{ Token string }
	if err := m.Post("", "/v3/auth/authenticate", map[string]any{"name": name, "password": password}, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Token
}

// Keys returns all keys of a cluster that asks for passwords.
func (c *Cluster) Keys(t testing.TB) []string {
	t.Helper()
	var all struct{ KVs []struct{ Key []byte } }
	token := login(t, c.Members[0], "root", rootPassword)
	if err := c.Members[0].Post(token, "/v3/kv/range", map[string]any{"key": []byte{0}, "range_end": []byte{0}, "keys_only": true}, &all); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, kv := range all.KVs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// ExpectGuarded holds a cluster to answer nobody who brings no certificate, or no password.
func (c *Cluster) ExpectGuarded(t testing.TB) {
	t.Helper()
	read := map[string]any{"key": []byte("x")}
	// It takes its own certificate, which its gateway comes with, for that of a user who may do nothing.
	if err := c.Members[0].Post("", "/v3/kv/range", read, nil); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("etcd answers who brings no password: %v", err)
	}
	stranger := *c.Members[0]
	stranger.tls = &tls.Config{RootCAs: stranger.tls.RootCAs}
	if err := stranger.Post("", "/v3/kv/range", read, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("etcd answers who brings no certificate: %v", err)
	}
}
