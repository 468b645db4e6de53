package core

import (
	"fmt"
	"strings"
	"sync"

	"github.com/grayling-gateway/grayling/core/notify"
	"github.com/grayling-gateway/grayling/core/prometheus"
)

// outside is whom a rollout tells what happens, and whom it asks. Secrets among it change with their files.
type outside struct {
	mu      sync.Mutex // guards what follows
	targets []notify.Target
	server  prometheus.Server
	changed bool

	asks bool // whether there is a server
}

// set changes something, for whoever takes it next.
func (o *outside) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
	o.changed = true
}

// take hands what there is now to whoever works with it, if it has changed since the last time.
func (o *outside) take(tell *notify.Notifier, ask *prometheus.Client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.changed {
		return
	}
	o.changed = false
	tell.Configure(append([]notify.Target(nil), o.targets...))
	if o.asks {
		ask.Configure(o.server)
	}
}

// tells reports whether there is anybody to tell.
func (o *outside) tells() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.targets) > 0
}

// outside reads who is told and asked: those of the rollout, and those of the gateway.
func (c *checker) outside(config Config) *outside {
	o := &outside{changed: true}
	for i, n := range config.Notify {
		c.target(o, fmt.Sprintf("notify[%d]", i), n)
	}
	for i, n := range c.host.Notify {
		c.target(o, fmt.Sprintf("the gateway's notify[%d]", i), n)
	}
	path, server := "prometheus", config.Prometheus
	if !isWritten(server) {
		path, server = "the gateway's prometheus", c.host.Prometheus
	}
	if isWritten(server) {
		c.prometheus(o, path, server)
	}
	return o
}

func isWritten(server Prometheus) bool {
	return fmt.Sprintf("%+v", server) != fmt.Sprintf("%+v", Prometheus{})
}

func (c *checker) target(o *outside, path string, n Notify) {
	c.rest(path+".", n.Rest, []string{"url", "events", "secret", "format"})
	i := len(o.targets)
	target := notify.Target{Events: n.Events, Format: n.Format, Secret: n.Secret}
	for _, problem := range target.Check() {
		c.fail(path+"."+problem.Path, "%s", problem.Text)
	}
	target.Secret = ""
	o.targets = append(o.targets, target)
	if n.URL == "" {
		c.fail(path+".url", "who is to be told? Name a URL such as https://hooks.example/rollouts")
	} else {
		c.secret(path+".url", n.URL, func(address string) error {
			err := notify.CheckURL(address)
			if err == nil {
				o.set(func() { o.targets[i].URL = address })
			}
			return err
		})
	}
	if n.Secret != "" {
		c.secret(path+".secret", n.Secret, func(secret string) error {
			err := notify.CheckSecret(secret)
			if err == nil {
				o.set(func() { o.targets[i].Secret = secret })
			}
			return err
		})
	}
}

func (c *checker) prometheus(o *outside, path string, p Prometheus) {
	c.rest(path+".", p.Rest, []string{"url", "bearer_token", "username", "password", "timeout"})
	server := prometheus.Server{URL: p.URL, BearerToken: p.BearerToken, Username: p.Username, Password: p.Password}
	server.Timeout = c.atMost(path+".timeout", p.Timeout, prometheus.DefaultTimeout, maxTimeout)
	if !c.host.dry || !strings.Contains(p.URL, "{") {
		for _, problem := range server.Check() {
			c.fail(path+"."+c.spelled(problem.Path), "%s", problem.Text)
		}
	}
	server.BearerToken = ""
	server.Password = ""
	o.server = server
	o.asks = true
	if p.BearerToken != "" {
		c.secret(path+"."+c.spelled("bearer_token"), p.BearerToken, func(token string) error {
			err := prometheus.CheckToken(token)
			if err == nil {
				o.set(func() { o.server.BearerToken = token })
			}
			return err
		})
	}
	if p.Password != "" {
		c.secret(path+".password", p.Password, func(password string) error {
			o.set(func() { o.server.Password = password })
			return nil
		})
	}
}
