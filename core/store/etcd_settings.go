package store

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"
)

const (
	// DefaultEtcdPrefix is what keys begin with where a user does not say it.
	DefaultEtcdPrefix = "/grayling/"

	// DefaultEtcdTimeout is how long one member may take to answer; etcd itself gives up after five seconds and more.
	DefaultEtcdTimeout = 3 * time.Second
)

// EtcdSettings say where a cluster is, and as whom to use it.
type EtcdSettings struct {
	// Endpoints are the URLs of its members, such as https://10.0.0.1:2379. One that answers is used until it fails.
	Endpoints []string

	// Prefix is what all keys begin with; a slash is added if it does not end with one. Gateways with
	// the same prefix share their documents. Empty: DefaultEtcdPrefix.
	Prefix string

	// Username is whom to authenticate as: a user with a role that may read and write the prefix. Empty: nobody. The
	// names in client certificates do not count: etcd's JSON gateway knows no users by them.
	Username string

	// Password returns the user's password as it is now. It is asked whenever etcd asks. Nil: there is none.
	Password func() string

	// TLS returns the authorities and client certificates for https, as they are now: it is asked for every connection.
	// Nil: those of the system, and none.
	TLS func() (*tls.Config, error)

	// Timeout is how long one member may take to answer. 0: DefaultEtcdTimeout.
	Timeout time.Duration

	// Report is told what an operator should know while the store goes on all the same. Nil: nobody is.
	Report func(error)
}

// SettingFault is something wrong with a setting, without the secrets that it may hold by mistake.
type SettingFault struct {
	Setting string // such as "endpoints[1]"
	Text    string // what, and the way out
}

// Faults returns everything that is wrong with the settings.
func (s EtcdSettings) Faults() []SettingFault {
	var faults []SettingFault
	if len(s.Endpoints) == 0 {
		faults = append(faults, SettingFault{Setting: "endpoints", Text: "name the members of etcd, such as http://10.0.0.1:2379"})
	}
	for i, endpoint := range s.Endpoints {
		if text := s.wrong(endpoint); text != "" {
			faults = append(faults, SettingFault{Setting: fmt.Sprintf("endpoints[%d]", i), Text: text})
		}
	}
	if s.Username == "" && s.Password != nil {
		faults = append(faults, SettingFault{Setting: "username", Text: "a password needs a username: name the user, or leave out the password"})
	}
	if s.Username != "" && s.Password == nil {
		faults = append(faults, SettingFault{Setting: "password", Text: "the user " + s.Username + " needs a password: write it, or leave out the username"})
	}
	return faults
}

// wrong returns what is wrong with an endpoint, or "".
func (s EtcdSettings) wrong(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "not a URL such as http://10.0.0.1:2379"
	}
	switch {
	case u.User != nil:
		return u.Host + ": a name and password have no place in the URL: write them as username and password"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return u.Host + ": leave out what is behind the host and port: the API's paths are added"
	case s.TLS != nil && u.Scheme == "http":
		return u.Host + ": certificates are for https: write https://" + u.Host + ", or leave them out"
	}
	return ""
}

// Place tells the keys that the settings lead to from those of other clusters and prefixes.
func (s EtcdSettings) Place() string {
	members := make([]string, 0, len(s.Endpoints))
	for _, endpoint := range s.Endpoints {
		members = append(members, strings.TrimRight(endpoint, "/"))
	}
	sort.Strings(members)
	return strings.Join(members, " ") + " " + s.prefix()
}

func (s EtcdSettings) prefix() string {
	if s.Prefix == "" {
		return DefaultEtcdPrefix
	}
	return strings.TrimRight(s.Prefix, "/") + "/"
}
