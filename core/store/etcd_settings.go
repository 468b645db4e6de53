package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// DefaultEtcdPrefix is what keys begin with where a user does not say it.
const DefaultEtcdPrefix = "/grayling/"

// EtcdSettings say where a cluster is, and as whom to use it.
type EtcdSettings struct {
	// Endpoints are the URLs of its members, such as https://10.0.0.1:2379. One that answers is used until it fails.
	Endpoints []string

	// Prefix is what the keys of all documents begin with; a slash is added if it does not end with one. Gateways with
	// the same prefix share their documents. Empty: DefaultEtcdPrefix.
	Prefix string

	// Username is whom to authenticate as: a user with a role that may read and write the prefix. Empty: nobody. The
	// names in client certificates do not count: etcd's JSON gateway knows no users by them.
	Username string

	// Password returns the user's password as it is now. It is asked whenever etcd asks. Nil: there is none.
	Password func() string

	// TLS has the authorities and client certificates for https. Nil: those of the system, and none. It must not be
	// changed afterwards.
	TLS *tls.Config

	// Report is told what an operator should know while the store goes on all the same. Nil: nobody is.
	Report func(error)
}

// check returns what is wrong with settings; without secrets, which an endpoint may hold by mistake.
func (s EtcdSettings) check() error {
	if len(s.Endpoints) == 0 {
		return errors.New("endpoints: there are none: name the members of etcd, such as http://10.0.0.1:2379")
	}
	for i, endpoint := range s.Endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("endpoints[%d]: not a URL such as http://10.0.0.1:2379", i)
		}
		if u.User != nil {
			return fmt.Errorf("endpoints[%d]: %s: a name and password have no place in the URL: write them as username and password", i, u.Host)
		}
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("endpoints[%d]: %s: leave out what is behind the host and port: the API's paths are added", i, u.Host)
		}
		if s.TLS != nil && u.Scheme == "http" {
			return fmt.Errorf("endpoints[%d]: %s: certificates are for https: write https://%s, or leave them out", i, u.Host, u.Host)
		}
	}
	if s.Username == "" && s.Password != nil {
		return errors.New("username: there is a password without one: name the user, or leave out the password")
	}
	if s.Username != "" && s.Password == nil {
		return fmt.Errorf("password: %s has none: write it, or leave out the username", s.Username)
	}
	return nil
}

func (s EtcdSettings) prefix() string {
	if s.Prefix == "" {
		return DefaultEtcdPrefix
	}
	return strings.TrimRight(s.Prefix, "/") + "/"
}
