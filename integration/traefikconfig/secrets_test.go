package traefikconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSecrets reaches an upstream that asks for a client certificate, with the key in a file, in the environment, and in
// the configuration itself. Only there can it be seen, and a warning says so.
func TestSecrets(t *testing.T) {
	const config = `
http:
  routers:
    %[1]s: { rule: "Host(` + "`%[1]s.example`" + `)", middlewares: [%[1]s], service: noop@internal }
  middlewares:
    %[1]s:
      plugin:
        grayling:
          name: %[1]s
          variants: [{ name: stable, upstreams: ["https://%[2]s"] }]
          proxy:
            tls: { ca: "file:%[3]s", certificate: "file:%[4]s", key: %[5]q, serverName: upstream.internal }
`
	t.Parallel()
	authority := newAuthority(t)
	upstream := authority.serve(t, "upstream.internal")
	certificate, key := authority.issue(t, "gateway.internal")
	secret := strings.Split(key, "\n")[1]
	keyFile := file(t, "key.pem", key)
	for name, given := range map[string]string{"filed": "file:" + keyFile, "environment": "env:GRAYLING_TEST_KEY", "literal": key} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificateFile := file(t, "certificate.pem", certificate)
			p := start(t, "GRAYLING_TEST_KEY="+key, "--providers.file.filename="+file(t, name+".yaml", fmt.Sprintf(config, name, upstream,
				file(t, "ca.pem", authority.certificate), certificateFile, given)))
			p.ready(t, name+".example")
			if got := p.ask(t, name+".example", request{target: "/"}); got.Backend != "gateway.internal" {
				t.Errorf("the upstream met %q", got.Backend)
			}
			if name == "filed" {
				renewed, key := authority.issue(t, "renewed.internal")
				for path, content := range map[string]string{certificateFile: renewed, keyFile: key} {
					if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if got := p.ask(t, name+".example", request{target: "/"}); got.Backend != "renewed.internal" {
					t.Errorf("after a renewal the upstream met %q", got.Backend)
				}
			}
			warned := strings.Count(p.logged(), "a private key stands in the configuration")
			shown := strings.Contains(p.raw(t), secret)
			if literal := name == "literal"; shown != literal || (warned == 1) != literal {
				t.Errorf("Traefik's API shows the key: %v; %d warnings", shown, warned)
			}
			if strings.Contains(p.logged(), secret) {
				t.Error("the log shows the key")
			}
		})
	}
}

// TestBrokenSecrets requires that errors say which secret is wrong, and not what it is.
func TestBrokenSecrets(t *testing.T) {
	t.Parallel()
	const config = `
http:
  routers:
    shop: { rule: "Host(` + "`shop.example`" + `)", middlewares: [shop], service: noop@internal }
  middlewares:
    shop:
      plugin:
        grayling:
          name: shop
          variants:
            - { name: stable, upstreams: ["https://10.0.0.1"], proxy: { tls: { certificate: "file:%[1]s", key: "file:%[2]s" } } }
            - { name: canary, upstreams: ["https://10.0.0.1"], proxy: { tls: { certificate: "file:%[1]s", key: "env:GRAYLING_NOT_SET" } } }
            - { name: other, upstreams: ["https://10.0.0.1"], proxy: { tls: { ca: "file:/nowhere/ca.pem", key: topsecret } } }
            - { name: last, upstreams: ["https://10.0.0.1"], proxy: { tls: { certificate: "file:%[1]s", key: topsecret } } }
`
	authority := newAuthority(t)
	certificate, _ := authority.issue(t, "gateway.internal")
	_, another := authority.issue(t, "gateway.internal")
	p := start(t, "--providers.file.filename="+file(t, "shop.yaml", fmt.Sprintf(config, file(t, "certificate.pem", certificate), file(t, "key.pem", another))))
	got := strings.Join(p.problems(t, "shop@file"), "\n")
	for _, line := range []string{
		"variants[0].proxy.tls.certificate: certificate and key do not make a pair",
		"variants[1].proxy.tls.key: the environment variable GRAYLING_NOT_SET is empty",
		"variants[2].proxy.tls.ca: reading a file: open /nowhere/ca.pem: no such file or directory",
		"variants[2].proxy.tls.certificate: a certificate and its key belong together: name both or none",
		"variants[3].proxy.tls.certificate: certificate and key do not make a pair",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
	if strings.Contains(got, "topsecret") || strings.Contains(got, strings.Split(another, "\n")[1]) {
		t.Errorf("the key is in the error: %s", got)
	}
}

// authority issues certificates.
type authority struct {
	certificate string // PEM
	parsed      *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.certificate = encode("CERTIFICATE", der)
	if a.parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue returns a certificate for a name, for servers and clients, and its key.
func (a *authority) issue(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	own := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, &own.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", encoded)
}

// serve runs a server under a name, which answers to clients with a certificate of the authority, and returns its address.
func (a *authority) serve(t *testing.T, name string) string {
	t.Helper()
	certificate, key := a.issue(t, name)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.parsed)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that each request shows the certificate anew
		w.Header().Set("X-Backend", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "https://")
}
