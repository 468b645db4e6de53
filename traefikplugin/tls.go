package traefikplugin

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"github.com/grayling-gateway/grayling/core"
)

// tls reads how https upstreams are met. What own leaves out is as in s.
func (r *settingsReader) tls(path string, own core.TLS, s *proxySettings) {
	r.rest(path, own.Rest, "ca", "certificate", "key", "serverName", "unsafeSkipVerify")
	if fmt.Sprintf("%+v", own) == fmt.Sprintf("%+v", core.TLS{}) && s.tls != nil {
		return
	}
	common := s.tlsTexts
	all := core.TLS{
		CA: first(own.CA, common.CA), Certificate: first(own.Certificate, common.Certificate), Key: first(own.Key, common.Key),
		ServerName: first(own.ServerName, common.ServerName), UnsafeSkipVerify: first(own.UnsafeSkipVerify, common.UnsafeSkipVerify),
	}
	s.tlsTexts = all
	s.tls = &tls.Config{ServerName: all.ServerName, MinVersion: tls.VersionTLS12}
	r.flag(path+".unsafeSkipVerify", all.UnsafeSkipVerify, &s.tls.InsecureSkipVerify)
	if all.CA != "" {
		pem := r.secret(path+".ca", all.CA)
		s.tls.RootCAs = x509.NewCertPool()
		if pem != "" && !s.tls.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			r.fail(path+".ca", "there is no PEM certificate in it")
		}
	}
	if (all.Certificate == "") != (all.Key == "") {
		r.fail(path+".certificate", "a certificate and its key belong together: name both or none")
		return
	}
	if all.Certificate == "" {
		return
	}
	certificate := r.secret(path+".certificate", all.Certificate)
	key := r.secret(path+".key", all.Key)
	if certificate == "" || key == "" {
		return
	}
	pair, err := readPair(all.Certificate, all.Key)
	if err != nil {
		r.fail(path+".certificate", "certificate and key do not make a pair") // err could quote the key
		return
	}
	s.tls.GetClientCertificate = renewed(pair, all.Certificate, all.Key)
}

// readPair returns the certificate and key that two texts stand for.
func readPair(certificate, key string) (*tls.Certificate, error) {
	certificate, err := core.ReadSecret(certificate)
	if err != nil {
		return nil, err
	}
	if key, err = core.ReadSecret(key); err != nil {
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

// secret returns what a text like file:/path or env:NAME stands for; any other text is itself. It is empty if that is
// wrong, and if secrets are not read.
func (r *settingsReader) secret(path, text string) string {
	var value string
	err := core.CheckSecret(text)
	if !r.dry {
		value, err = core.ReadSecret(text)
	}
	if err != nil {
		r.fail(path, "%v", err)
	}
	return value
}
