// Package etcdstore starts clusters of etcd for tests, of the version that integration/tools/etcd pins and of the one
// that the machine has, Debian's 3.4 or newer.
package etcdstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// Programs returns the paths of etcd by name: "pinned", which is built once, and "packaged".
func Programs(t testing.TB) map[string]string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := exec.Command(filepath.Join(strings.TrimSpace(string(root)), "tools", "build.sh"), "etcd").Output()
	if err != nil {
		t.Fatalf("building etcd: %v", err)
	}
	packaged, err := exec.LookPath("etcd")
	if err != nil {
		t.Fatalf("%v: install Debian's etcd-server, as integration/tools/packages.sh does", err)
	}
	return map[string]string{"pinned": strings.TrimSpace(string(pinned)), "packaged": packaged}
}

// Cluster is some members that run on this machine.
type Cluster struct {
	Members []*Member
	TLS     *tls.Config // of clients; nil: they use http
}

// Member is one process of etcd, whose data outlives it until the end of the test.
type Member struct {
	URL string // for clients

	arguments   []string
	environment []string // nil: the test's
	program     string
	tls         *tls.Config
	log         *os.File
	cmd         *exec.Cmd // nil while it does not run
}

// Start starts a cluster with further arguments for each member, and waits until it serves. clients is what they speak
// TLS with; nil: nothing.
func Start(t testing.TB, program string, members int, clients *tls.Config, arguments ...string) *Cluster {
	t.Helper()
	var peers []peer
	for range members {
		url := "http://" + port.Address(t)
		peers = append(peers, peer{listen: url, advertise: url})
	}
	return start(t, program, peers, clients, arguments...)
}

// peer is a member as the others see it.
type peer struct {
	listen, advertise string   // URLs
	environment       []string // nil: the test's
}

func start(t testing.TB, program string, peers []peer, clients *tls.Config, arguments ...string) *Cluster {
	t.Helper()
	c := &Cluster{TLS: clients}
	scheme := "http"
	if clients != nil {
		scheme = "https"
	}
	dir := t.TempDir()
	var all []string
	for i, p := range peers {
		c.Members = append(c.Members, &Member{URL: scheme + "://" + port.Address(t), program: program, tls: clients, environment: p.environment})
		all = append(all, fmt.Sprintf("m%d=%s", i, p.advertise))
	}
	for i, m := range c.Members {
		log, err := os.Create(filepath.Join(dir, fmt.Sprintf("m%d.log", i)))
		if err != nil {
			t.Fatal(err)
		}
		m.log = log
		name := fmt.Sprintf("m%d", i)
		m.arguments = append([]string{
			"--name", name, "--data-dir", filepath.Join(dir, name), "--logger", "zap", "--log-level", "warn",
			"--listen-client-urls", m.URL, "--advertise-client-urls", m.URL,
			"--listen-peer-urls", peers[i].listen, "--initial-advertise-peer-urls", peers[i].advertise, "--initial-cluster", strings.Join(all, ","),
		}, arguments...)
		m.Start(t)
		t.Cleanup(func() { m.close(t) })
	}
	for _, m := range c.Members {
		m.Serves(t)
	}
	return c
}

// Start starts a member that does not run.
func (m *Member) Start(t testing.TB) {
	t.Helper()
	m.cmd = exec.Command(m.program, m.arguments...)
	m.cmd.Env = m.environment
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// Serves waits until a member answers as a part of a cluster that has a leader.
func (m *Member) Serves(t testing.TB) {
	t.Helper()
	gateway.Eventually(t, "etcd serves at "+m.URL, func() bool {
		err := m.Post("", "/v3/kv/range", map[string]any{"key": []byte("x")}, nil)
		return err == nil || strings.Contains(err.Error(), "user name is empty")
	})
}

// Kill ends a member at once.
func (m *Member) Kill() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
	m.cmd = nil
}

// Hang makes a member keep its connections and answer nothing, until the function returned is called.
func (m *Member) Hang(t testing.TB) (resume func()) {
	t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}
}

func (m *Member) close(t testing.TB) {
	if m.cmd != nil {
		m.Kill()
	}
	m.log.Close()
	if text, err := os.ReadFile(m.log.Name()); t.Failed() && err == nil {
		t.Logf("log of %s, the end:\n%s", m.URL, text[max(0, len(text)-4000):])
	}
}

// Post asks a member with a token, or "" for none, and decodes the answer, unless that is nil.
func (m *Member) Post(token, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, m.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: m.tls, DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(string(content))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}

// Endpoints returns the URLs of all members.
func (c *Cluster) Endpoints() []string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.URL)
	}
	return urls
}
