package core

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// noEtcd reports what only the kind "etcd" has.
func (c *checker) noEtcd(config Store) {
	for _, s := range []struct {
		key string
		set bool
	}{
		{"endpoints", len(config.Endpoints) > 0}, {"prefix", config.Prefix != ""}, {"username", config.Username != ""},
		{"password", config.Password != ""}, {"tls", hasTLS(config.TLS)}, {"timeout", config.Timeout != ""},
	} {
		if s.set {
			c.fail("store."+s.key, "only the kind etcd has it: leave it out, or write the kind etcd")
		}
	}
}

func hasTLS(t StoreTLS) bool { return t.CA+t.Certificate+t.Key+t.ServerName != "" }

// checkEtcd reports what is wrong with a cluster's settings, but for what secrets are.
func (c *checker) checkEtcd(config Store) {
	settings := etcdSettings(config)
	settings.Endpoints = append([]string(nil), config.Endpoints...)
	for i, endpoint := range settings.Endpoints {
		if c.host.dry && strings.Contains(endpoint, "{") { // which has its value only where the gateway runs
			settings.Endpoints[i] = "http://placeholder"
			if settings.TLS != nil {
				settings.Endpoints[i] = "https://placeholder"
			}
		}
	}
	for _, fault := range settings.Faults() {
		c.fail("store."+fault.Setting, "%s", fault.Text)
	}
	c.etcdTimeout(config)
	for _, s := range []struct{ path, text string }{
		{"store.password", config.Password}, {"store.tls.ca", config.TLS.CA},
		{"store.tls.certificate", config.TLS.Certificate}, {"store.tls.key", config.TLS.Key},
	} {
		if err := CheckSecret(s.text); err != nil {
			c.fail(s.path, "%v", err)
		}
	}
	if (config.TLS.Certificate == "") != (config.TLS.Key == "") {
		c.fail("store.tls.certificate", "a certificate and its key belong together: name both or none")
	}
}

// etcdTimeout reads how long a member may take.
func (c *checker) etcdTimeout(config Store) time.Duration {
	const least = 100 * time.Millisecond
	d := c.atMost("store.timeout", config.Timeout, store.DefaultEtcdTimeout, maxTimeout)
	if d < least {
		c.fail("store.timeout", "%s is too short for a member that writes to its disk: %s at least", config.Timeout, least.String())
	}
	return d
}

// etcdSettings returns what a configuration says of a cluster. Secrets and certificates are read when they are asked for.
func etcdSettings(config Store) store.EtcdSettings {
	settings := store.EtcdSettings{Endpoints: config.Endpoints, Prefix: config.Prefix, Username: config.Username}
	if config.Password != "" {
		settings.Password = func() string {
			password, _ := ReadSecret(config.Password) // one that is gone is refused
			return password
		}
	}
	if hasTLS(config.TLS) {
		settings.TLS = func() (*tls.Config, error) { return readTLS(config.TLS) }
	}
	return settings
}

// etcd returns a cluster's settings, whose secrets and certificates have to be there.
func (c *checker) etcd(config Store) store.EtcdSettings {
	settings := etcdSettings(config)
	settings.Timeout = c.etcdTimeout(config)
	if _, err := ReadSecret(config.Password); err != nil {
		c.fail("store.password", "%v", err)
	}
	if settings.TLS == nil || len(c.problems) > 0 {
		return settings
	}
	first, err := readTLS(config.TLS)
	if err != nil {
		c.fail("store.tls", "%v", err)
		return settings
	}
	var last atomic.Value
	last.Store(first)
	settings.TLS = func() (*tls.Config, error) {
		if current, err := readTLS(config.TLS); err == nil { // else files are being replaced
			last.Store(current)
		}
		return last.Load().(*tls.Config), nil
	}
	return settings
}

// readTLS returns what the texts stand for now. No error contains what is in them.
func readTLS(texts StoreTLS) (*tls.Config, error) {
	config := &tls.Config{ServerName: texts.ServerName, MinVersion: tls.VersionTLS12}
	if texts.CA != "" {
		pem, err := ReadSecret(texts.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, errors.New("ca: there is no PEM certificate in it")
		}
	}
	if texts.Certificate == "" {
		return config, nil
	}
	certificate, err := ReadSecret(texts.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := ReadSecret(texts.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, errors.New("certificate: it and the key do not make a pair") // err could quote the key
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
