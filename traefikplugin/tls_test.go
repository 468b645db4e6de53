package traefikplugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// pair returns a certificate and its private key as PEM.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

func TestClientCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(certificate, key string) {
		for name, content := range map[string]string{"certificate.pem": certificate, "key.pem": key} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	certificate, key := pair(t)
	write(certificate, key)
	r := &settingsReader{}
	settings := &proxySettings{}
	r.tls("tls", core.TLS{Certificate: "file:" + filepath.Join(dir, "certificate.pem"), Key: "file:" + filepath.Join(dir, "key.pem")}, settings)
	if len(r.problems) > 0 {
		t.Fatal(r.problems)
	}
	presented := func() string {
		got, err := settings.tls.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: got.Certificate[0]}))
	}
	if presented() != certificate {
		t.Error("another certificate than in the file")
	}
	renewed, renewedKey := pair(t)
	write(renewed, key)
	if presented() != certificate {
		t.Error("a certificate without its key was presented")
	}
	write(renewed, renewedKey)
	if presented() != renewed {
		t.Error("the renewed certificate was not presented")
	}
}
