package etcdstore

import (
	"bytes"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestUsers: with passwords, and tokens that expire after six seconds.
func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, program string) {
		t.Parallel()
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, bytes.Repeat([]byte("secret"), 8), 0o600); err != nil {
			t.Fatal(err)
		}
		c := Start(t, program, 1, nil, "--auth-token", "jwt,priv-key="+secret+",sign-method=HS256,ttl=6s", quickly)
		enableUsers(t, c.Members[0], store.DefaultEtcdPrefix)

		password := func() string { return gatewayPassword }
		e := open(t, c, store.EtcdSettings{Username: "gateway", Password: password})
		w := watching(t, open(t, c, store.EtcdSettings{Username: "gateway", Password: password}), "checkout")
		w.sees(t, swapped(t, e, "checkout", "1").Version)
		report := func(when string) {
			t.Helper()
			if err := e.Report(t.Context(), "checkout", "a", []byte("1"), 15*time.Second); err != nil {
				t.Errorf("reporting %s: %v", when, err)
			}
		}
		report("with a new token")
		token := login(t, c.Members[0], "gateway", gatewayPassword)
		gateway.Eventually(t, "the token expires", func() bool {
			err := c.Members[0].Post(token, "/v3/kv/range", map[string]any{"key": []byte("/grayling/state/checkout")}, nil)
			return err != nil && strings.Contains(err.Error(), "invalid auth token")
		})
		report("with an expired one, which renews the lease first")
		d, err := e.Load(t.Context(), "checkout")
		if err != nil || string(d.Content) != "1" {
			t.Errorf("with an expired token: %s, error %v", d.Content, err)
		}
		w.sees(t, swapped(t, e, "checkout", "2").Version)

		if err := e.Report(t.Context(), "checkout", "a", []byte("1"), time.Minute); err != nil {
			t.Errorf("reporting: %v", err)
		}
		if list, err := e.Reports(t.Context(), "checkout", 0); err != nil || len(list) != 1 {
			t.Errorf("%d reports, error %v", len(list), err)
		}

		c.Members[0].Kill()
		c.Members[0].Start(t)
		w.sees(t, swapped(t, e, "checkout", "3").Version)

		for what, s := range map[string]store.EtcdSettings{
			"a wrong password": {Username: "gateway", Password: func() string { return "hushed" }},
			"nobody":           {},
			"another's keys":   {Username: "gateway", Password: password, Prefix: "/others/"},
		} {
			other := open(t, c, s)
			_, loading := other.Load(t.Context(), "checkout")
			reporting := other.Report(t.Context(), "checkout", "a", []byte("1"), time.Minute)
			watching := other.Watch(t.Context(), "checkout", func(store.Document) { t.Errorf("%s: seen", what) })
			for _, err := range []error{loading, reporting, watching} {
				if err == nil || strings.Contains(err.Error(), "hush") {
					t.Errorf("%s: error %v", what, err)
				}
			}
		}
	})
}

// TestTLS: with certificates on both sides.
func TestTLS(t *testing.T) {
	each(t, func(t *testing.T, program string) {
		authority := gateway.NewAuthority(t, t.TempDir())
		server, client := authority.Issue(t, "127.0.0.1"), authority.Issue(t, "gateway")
		c := Start(t, program, 1, &tls.Config{RootCAs: authority.Pool, Certificates: []tls.Certificate{client.Certificate}},
			"--cert-file", server.File, "--key-file", server.KeyFile, "--trusted-ca-file", authority.File, "--client-cert-auth")
		e := open(t, c, store.EtcdSettings{})
		w := watching(t, e, "checkout")
		w.sees(t, swapped(t, e, "checkout", "1").Version)
		for what, config := range map[string]*tls.Config{"no certificate": {RootCAs: authority.Pool}, "another authority": nil} {
			other := open(t, &Cluster{Members: c.Members, TLS: config}, store.EtcdSettings{})
			if _, err := other.Load(t.Context(), "checkout"); err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s: error %v", what, err)
			}
		}
	})
}
