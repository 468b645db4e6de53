package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// EtcdAccess is how a gateway uses a cluster that asks for a certificate and a password.
type EtcdAccess struct {
	Prefix             string // of all keys
	Username, Password string
	CA, Certificate    string // files
	Key                string // a file
}

// etcdPassword is the variable of a gateway's environment that has the password: its configuration only names it, as the
// documentation wants.
const etcdPassword = "ETCD_PASSWORD"

// environment is what a gateway finds there, besides what the test does.
func (s Site) environment() []string {
	if s.EtcdAccess == (EtcdAccess{}) {
		return nil
	}
	return []string{etcdPassword + "=" + s.EtcdAccess.Password}
}

// etcd writes the store that a site's rollouts have in a cluster in Caddy's words.
func (c *caddy) etcd(b *bytes.Buffer, site Site) {
	endpoints := strings.Join(site.Etcd, " ")
	a := site.EtcdAccess
	switch {
	case endpoints == "":
	case a == (EtcdAccess{}):
		fmt.Fprintf(b, "\t\tstore etcd %s\n", endpoints)
	default:
		fmt.Fprintf(b, "\t\tstore etcd %s {\n\t\t\tprefix %s\n\t\t\tusername %s\n\t\t\tpassword {env.%s}\n", endpoints, a.Prefix, a.Username, etcdPassword)
		fmt.Fprintf(b, "\t\t\ttls {\n\t\t\t\tca file:%s\n\t\t\t\tcertificate file:%s\n\t\t\t\tkey file:%s\n\t\t\t}\n\t\t}\n", a.CA, a.Certificate, a.Key)
	}
}

// etcd is that store in Traefik's words.
func (t *traefik) etcd(site Site) present {
	config := present{"kind": "etcd", "endpoints": site.Etcd}
	if a := site.EtcdAccess; a != (EtcdAccess{}) {
		config["prefix"], config["username"], config["password"] = a.Prefix, a.Username, "env:"+etcdPassword
		config["tls"] = present{"ca": "file:" + a.CA, "certificate": "file:" + a.Certificate, "key": "file:" + a.Key}
	}
	return config
}

// Configuration is what runs, as the gateway's own API shows it to everybody who reaches that.
func (g *Gateway) Configuration(t testing.TB) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, g.instance.configuration(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := send(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the configuration: %s, %v", response.Status, err)
	}
	return string(content)
}
