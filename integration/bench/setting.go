package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/grayling-gateway/grayling/integration/port"
)

// configuration is one way to set up a gateway.
type configuration struct {
	name  string
	about string
	to    string  // the name of the configuration that it is compared with; "" for that one itself
	moved float64 // the share of users that it sends to the second upstream, roughly
	rules bool    // whether it has the four rules that send to the second upstream whom they match

	copied float64 // the share of requests of which it sends copies, roughly
	copies string  // the role of the upstream that gets and counts them
}

// setting is where a gateway runs.
type setting struct {
	dir       string
	workload  *workload
	upstreams []string
	addrs     map[string]string // where the gateway serves, by the configuration's name
	metrics   metrics           // of the gateway, if the workload has any
	transport http.Transport    // to the gateway
	client    http.Client       // to the upstreams
}

// newSetting makes the directory that a gateway runs in.
func newSetting(dir string, w *workload, upstreams []string) (*setting, error) {
	s := &setting{dir: dir, workload: w, upstreams: upstreams}
	s.transport.ForceAttemptHTTP2 = true // though the certificate is its own authority
	s.transport.DisableCompression = true
	err := os.Mkdir(dir, 0o700)
	if err == nil && w.edge {
		err = s.certify()
	}
	return s, err
}

// place finds an address for each of the configurations.
func (s *setting) place(names ...string) error {
	ports, err := port.Find(len(names))
	s.addrs = make(map[string]string)
	for i, port := range ports {
		s.addrs[names[i]] = address(port)
	}
	return err
}

// command is a program that finds the addresses of the upstreams, and the port of every configuration by its name, in its
// environment, beside the workload.
func (s *setting) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := program(ctx, name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "XDG_DATA_HOME="+s.dir)
	cmd.Env = append(cmd.Env, "WORKLOAD="+s.workload.name, "SCHEME="+s.workload.scheme(), "ACCESS_LOG="+accessLog)
	for i, name := range roles {
		cmd.Env = append(cmd.Env, name+"="+s.upstreams[i])
	}
	for name, addr := range s.addrs {
		_, port, _ := strings.Cut(addr, ":")
		cmd.Env = append(cmd.Env, strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+port)
	}
	return cmd
}

// launch runs the command and waits until the gateway serves everywhere.
func (s *setting) launch(cmd *exec.Cmd) (*process, error) {
	p, err := start(cmd)
	if err != nil {
		return nil, err
	}
	for _, addr := range s.addrs {
		if err := p.answers(&s.transport, s.workload.scheme()+"://"+addr); err != nil {
			return nil, err
		}
	}
	return p, nil
}
