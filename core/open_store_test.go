package core

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestCheckStore: all problems at once, each in its place, none with a secret, and no file is read.
func TestCheckStore(t *testing.T) {
	etcd := Store{Kind: "etcd", Endpoints: []string{"https://10.0.0.1:2379"}, Username: "gateway", Password: "file:/nowhere", Prefix: "/shop", Timeout: "1s",
		TLS: StoreTLS{CA: "file:/nowhere", Certificate: "env:GRAYLING_NO_SUCH", Key: "file:/nowhere", ServerName: "etcd"}}
	for _, c := range []struct {
		what  string
		store Store
		host  Host
		want  string
	}{
		{"nothing", Store{}, Host{}, ""},
		{"memory", Store{Kind: "memory"}, Host{}, ""},
		{"the gateway's", Store{Kind: "caddy"}, Host{Store: store.NewMemory()}, ""},
		{"a file", Store{Kind: "file", Path: "/var/lib/state.json"}, Host{}, ""},
		{"etcd", etcd, Host{}, ""},
		{"a placeholder", Store{Kind: "etcd", Endpoints: []string{"{env.ETCD}"}}, Host{}, ""},
		{"none of the gateway's", Store{Kind: "caddy"}, Host{}, "store.kind: unknown kind \"caddy\"; there are memory, file and etcd"},
		{"misspelt", Store{Kind: "etdc"}, Host{}, "store.kind: unknown kind \"etdc\" (did you mean \"etcd\"?)"},
		{"no path", Store{Kind: "file"}, Host{}, "store.path: a file needs a path"},
		{"a relative path", Store{Kind: "file", Path: "state.json"}, Host{}, "store.path: \"state.json\" depends"},
		{"what another kind has", Store{Path: "/a", Endpoints: []string{"http://a"}, Prefix: "/", Username: "a", Password: "hush", Timeout: "1s", TLS: StoreTLS{CA: "hush"}}, Host{},
			"store.path: only the kind file store.endpoints: only the kind etcd store.prefix: only store.username: only store.password: only store.tls: only store.timeout: only"},
		{"no endpoints", Store{Kind: "etcd", Path: "/a"}, Host{}, "store.path: only store.endpoints: name the members"},
		{"everything", Store{Kind: "etcd", Endpoints: []string{"http://a:1", "https://root:hush@a:1", "hush"}, Password: "hush", Timeout: "1ms", TLS: StoreTLS{Key: "hush"}}, Host{},
			"store.endpoints[0]: a:1: certificates store.endpoints[1]: a:1: a name store.endpoints[2]: not a URL store.username: a password store.timeout: 1ms is too short store.tls.certificate: a certificate and its key"},
		{"nothing named", Store{Kind: "etcd", Endpoints: []string{"https://a:1"}, Username: "gateway", Password: "env:", TLS: StoreTLS{CA: "file:", Certificate: "file:", Key: "env:"}}, Host{},
			"store.password: \"env:\" names no store.tls.ca: \"file:\" names no store.tls.certificate: \"file:\" names store.tls.key: \"env:\" names"},
		{"unknown keys", Store{Kind: "etcd", Endpoints: []string{"https://a:1"}, Rest: map[string]any{"prefx": 1}, TLS: StoreTLS{Rest: map[string]any{"server_name": 1}}}, Host{CamelCase: true},
			"store.prefx: unknown key (did you mean \"prefix\"?) store.tls.server_name: unknown key (did you mean \"serverName\"?)"},
	} {
		problems := CheckStore(c.store, c.host)
		text := fmt.Sprint(Join(problems))
		for _, want := range strings.Split(c.want, " store.") {
			if !strings.Contains(text, strings.TrimPrefix(want, "store.")) || strings.Contains(text, "hush") {
				t.Errorf("%s: %s, want %s", c.what, text, want)
			}
		}
		if want := len(strings.Split(c.want, "store.")) - 1; len(problems) != want {
			t.Errorf("%s: %d problems, want %d: %s", c.what, len(problems), want, text)
		}
	}
}

// TestOpenStore: what is needed has to be there, but not the store itself; and names tell stores apart.
func TestOpenStore(t *testing.T) {
	url := func(endpoints ...string) Store { return Store{Kind: "etcd", Endpoints: endpoints} }
	names := map[string]string{}
	for what, config := range map[string]Store{
		"memory": {}, "a file": {Kind: "file", Path: "/a"}, "another file": {Kind: "file", Path: "/b"}, "etcd": url("http://a:1", "http://b:1/"),
		"another etcd": url("http://a:1"), "another prefix": {Kind: "etcd", Endpoints: []string{"http://a:1"}, Prefix: "/b"},
	} {
		_, name, problems := OpenStore(config, Host{}, nil)
		if other := names[name]; len(problems) > 0 || other != "" {
			t.Errorf("%s is named %q, as is %q; problems %v", what, name, other, problems)
		}
		names[name] = what
	}
	_, name, _ := OpenStore(url("http://b:1", "http://a:1"), Host{}, nil)
	if names[name] != "etcd" {
		t.Errorf("in another order the members are another store: %q", name)
	}
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(s *Store){
		"store.password: reading a file":       func(s *Store) { s.Username, s.Password = "gateway", "file:/no/such" },
		"store.password: the environment":      func(s *Store) { s.Username, s.Password = "gateway", "env:GRAYLING_NO_SUCH" },
		"store.password: \"file:\" names no":   func(s *Store) { s.Username, s.Password = "gateway", "file:" },
		"store.tls: ca: reading a file":        func(s *Store) { s.TLS.CA = "file:/no/such" },
		"store.tls: ca: there is no PEM":       func(s *Store) { s.TLS.CA = "file:" + secret },
		"store.tls: certificate: reading":      func(s *Store) { s.TLS.Certificate, s.TLS.Key = "file:/no/such", "file:"+secret },
		"store.tls: certificate: it and the k": func(s *Store) { s.TLS.Certificate, s.TLS.Key = "file:"+secret, "file:"+secret },
	} {
		config := url("https://a:1")
		change(&config)
		opened, _, problems := OpenStore(config, Host{}, nil)
		if text := fmt.Sprint(Join(problems)); len(problems) != 1 || !strings.Contains(text, want) || strings.Contains(text, "hush") || opened != nil {
			t.Errorf("want %s: %s", want, text)
		}
	}
}

// selfSigned is a certificate that is its own authority.
type selfSigned struct {
	certificate, key []byte // PEM
	pair             tls.Certificate
	pool             *x509.CertPool
}

func newSelfSigned(t *testing.T) *selfSigned {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: true}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	i := &selfSigned{pool: x509.NewCertPool()}
	i.certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	i.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	if i.pair, err = tls.X509KeyPair(i.certificate, i.key); err != nil {
		t.Fatal(err)
	}
	i.pool.AppendCertsFromPEM(i.certificate)
	return i
}

// TestStoreCertificatesAreReadAgain: with the next connection, and while they are being replaced those before are used. So
// is the password, when etcd asks for it.
func TestStoreCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(dir+"/"+name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, client, password := newSelfSigned(t), newSelfSigned(t), "hush"
	current := &tls.Config{MinVersion: tls.VersionTLS12}
	change := func() {
		current = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server.pair}, ClientCAs: client.pool, ClientAuth: tls.RequireAndVerifyClientCert}
	}
	change()
	cluster := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		var login struct{ Name, Password string }
		switch {
		case json.Unmarshal(content, &login) != nil:
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path == "/v3/auth/authenticate" && login.Name == "gateway" && login.Password == password:
			_, _ = io.WriteString(w, `{"token":"for `+password+`"}`)
		case r.URL.Path == "/v3/kv/range" && r.Header.Get("Authorization") == "for "+password:
			_, _ = io.WriteString(w, `{"header":{"revision":"7"}}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":16,"message":"etcdserver: invalid auth token"}`)
		}
	}))
	cluster.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(_ *tls.ClientHelloInfo) (*tls.Config, error) { return current, nil }}
	cluster.StartTLS()
	defer cluster.Close()

	write("ca.pem", server.certificate)
	write("certificate.pem", client.certificate)
	write("key.pem", client.key)
	write("password", []byte(password+"\n"))
	opened, _, problems := OpenStore(Store{Kind: "etcd", Endpoints: []string{cluster.URL}, Username: "gateway", Password: "file:" + dir + "/password",
		TLS: StoreTLS{CA: "file:" + dir + "/ca.pem", Certificate: "file:" + dir + "/certificate.pem", Key: "file:" + dir + "/key.pem"}}, Host{}, nil)
	if len(problems) > 0 {
		t.Fatal(Join(problems))
	}
	expect := func(what string, answers bool) {
		cluster.CloseClientConnections()
		_, err := opened.Load(context.Background(), "a")
		if answered := err == nil; answered != answers {
			t.Errorf("%s: error %v", what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || bytes.Contains([]byte(err.Error()), []byte("PRIVATE"))) {
			t.Errorf("%s: the error tells a secret: %v", what, err)
		}
	}
	expect("at first", true)
	next := newSelfSigned(t)
	write("key.pem", next.key)
	expect("with a key that does not match yet", true)
	write("certificate.pem", next.certificate)
	expect("with a client that nobody knows yet", false)
	client = next
	change()
	expect("with another client", true)
	server = newSelfSigned(t)
	change()
	expect("of another authority", false)
	write("ca.pem", server.certificate)
	expect("with that authority", true)
	password = "husher"
	expect("with an old password", false)
	write("password", []byte(password))
	expect("with the other password", true)
}
