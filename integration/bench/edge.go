package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// host is the site that the clients visit.
const host = "shop.example"

// encrypted is a connection with TLS, over HTTP/2.
type encrypted struct {
	*http.ClientConn
	workload *workload
	requests []*http.Request // only to be read
	next     int             // which of the requests comes next
}

func (s *setting) encrypted(addr string, first int) (connection, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := s.transport.NewClientConn(ctx, s.workload.scheme(), addr)
	if err != nil {
		return nil, err
	}
	c := &encrypted{ClientConn: conn, workload: s.workload, next: first}
	for _, text := range s.workload.requests {
		r, err := s.request(addr, text)
		if err != nil {
			return nil, err
		}
		c.requests = append(c.requests, r)
	}
	return c, nil
}

func (c *encrypted) exchange() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := c.RoundTrip(c.requests[c.next].WithContext(ctx))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.next = (c.next + 1) % len(c.requests)
	length, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	return c.workload.check(resp, length)
}

// check finds out whether a response is what the workload wants of the gateway.
func (w *workload) check(resp *http.Response, length int64) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answered %s", resp.Status)
	}
	if length != int64(len(w.body)) {
		return fmt.Errorf("the gateway answered %d bytes and not %d", length, len(w.body))
	}
	if encrypted := resp.TLS != nil && resp.ProtoMajor == 2; encrypted != w.edge {
		return fmt.Errorf("the gateway answered over %s (TLS: %t)", resp.Proto, resp.TLS != nil)
	}
	return nil
}

// request makes a request to the gateway of what HTTP/1.1 would write.
func (s *setting) request(addr string, text []byte) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	r.RequestURI = ""
	r.URL.Scheme, r.URL.Host = s.workload.scheme(), addr
	return r, nil
}

// certify writes a certificate for the host, and its key, into the directory, and lets clients trust it.
func (s *setting) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"certificate.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(parsed)
	s.transport.TLSClientConfig = &tls.Config{RootCAs: trusted, ServerName: host}
	return nil
}
