package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Authority issues certificates for one test.
type Authority struct {
	File string // its own certificate, PEM
	Pool *x509.CertPool

	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	issued      map[string]Certificate
}

// Certificate is good for servers and clients.
type Certificate struct {
	tls.Certificate
	File, KeyFile string // PEM
}

// NewAuthority makes an authority that keeps its files in dir.
func NewAuthority(t testing.TB, dir string) *Authority {
	t.Helper()
	a := &Authority{dir: dir, Pool: x509.NewCertPool(), issued: make(map[string]Certificate)}
	made := a.Issue(t, "authority")
	a.certificate, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	a.File = made.File
	a.Pool.AddCert(made.Leaf)
	return a
}

// Issue returns the certificate of a host's name or address, the same each time; "": of nobody. The first of an
// authority is its own.
func (a *Authority) Issue(t testing.TB, name string) Certificate {
	t.Helper()
	if c, ok := a.issued[name]; ok {
		return c
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.issued)) + 1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.certificate, a.key
	switch ip := net.ParseIP(name); {
	case parent == nil:
		template.IsCA, template.BasicConstraintsValid, template.ExtKeyUsage = true, true, nil
		template.KeyUsage = x509.KeyUsageCertSign
		parent, signer = template, key
	case ip != nil:
		template.IPAddresses = []net.IP{ip}
	case name == "":
		template.Subject = pkix.Name{Organization: []string{"gateways"}}
	default:
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(a.dir, "certificate-"+strconv.Itoa(len(a.issued)))
	c := Certificate{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		File:        base + ".pem", KeyFile: base + "-key.pem",
	}
	writePEM(t, c.File, "CERTIFICATE", der)
	writePEM(t, c.KeyFile, "PRIVATE KEY", keyDER)
	a.issued[name] = c
	return c
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
