package traefikplugin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/grayling-gateway/grayling/core"
)

// tls reads how https upstreams are met. What a variant's own settings leave out comes from those of the rollout.
func (r *settingsReader) tls(path string, own, common core.TLS) *tls.Config {
	config := &tls.Config{
		ServerName:         first(own.ServerName, common.ServerName),
		InsecureSkipVerify: r.flag(path+"unsafeSkipVerify", first(own.UnsafeSkipVerify, common.UnsafeSkipVerify, "false")),
		MinVersion:         tls.VersionTLS12,
	}
	if ca := first(own.CA, common.CA); ca != "" {
		pem := r.secret(path+"ca", ca)
		config.RootCAs = x509.NewCertPool()
		if pem != "" && !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			r.fail(path+"ca", "there is no PEM certificate in it")
		}
	}
	certificate, key := first(own.Certificate, common.Certificate), first(own.Key, common.Key)
	if (certificate == "") != (key == "") {
		r.fail(path+"certificate", "a certificate and its key belong together: name both or none")
		return config
	}
	if certificate == "" {
		return config
	}
	if r.secret(path+"certificate", certificate) == "" || r.secret(path+"key", key) == "" {
		return config
	}
	pair, err := readPair(certificate, key)
	if err != nil {
		r.fail(path+"certificate", "certificate and key do not make a pair") // err could quote the key
		return config
	}
	config.GetClientCertificate = renewed(pair, certificate, key)
	return config
}

// readPair returns the certificate and key that two texts stand for.
func readPair(certificate, key string) (*tls.Certificate, error) {
	certificate, err := readSecret(certificate)
	if err != nil {
		return nil, err
	}
	if key, err = readSecret(key); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	return &pair, err
}

// renewed returns what presents a certificate to an upstream: for each connection as its files are then, or, while they
// are not there or do not match, as they were before.
func renewed(pair *tls.Certificate, certificate, key string) func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var last atomic.Value
	last.Store(pair)
	return func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if pair, err := readPair(certificate, key); err == nil {
			last.Store(pair)
		}
		return last.Load().(*tls.Certificate), nil
	}
}

// secret returns what a text like file:/path or env:NAME stands for; any other text is itself.
func (r *settingsReader) secret(path, text string) string {
	value, err := readSecret(text)
	if err != nil {
		r.fail(path, "%v", err)
	}
	return value
}

func readSecret(text string) (string, error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value := os.Getenv(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is empty", name)
		}
		return value, nil
	}
	if file, ok := strings.CutPrefix(text, "file:"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading a file: %w", err)
		}
		if len(content) == 0 {
			return "", errors.New(file + " is empty")
		}
		return string(content), nil
	}
	return text, nil
}
