package caddymodule

import (
	"net/url"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/grayling-gateway/grayling/core"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("rollouts", parseRollouts)
}

// parseRollouts sets up what all rollouts of a Caddy have in common, from the global option:
//
//	rollouts {
//		store      caddy|memory|file <path>
//		store      etcd <endpoint...> [{
//			prefix   <prefix>
//			username <user>
//			password <password>
//			timeout  <duration>
//			tls {
//				ca          <pem>
//				certificate <pem>
//				key         <pem>
//				server_name <name>
//			}
//		}]
//		prometheus <url> [{
//			bearer_token <token>
//			basic_auth   <user> <password>
//			timeout      <duration>
//		}]
//		notify     <url> [{
//			events <event...>
//			secret <text>
//			format json|slack
//		}]
//		member     <name>
//	}
func parseRollouts(d *caddyfile.Dispenser, existing any) (any, error) {
	p := &parser{Helper: httpcaddyfile.Helper{Dispenser: d}, places: make(places)}
	p.Next() // the option's name
	p.here("", "rollouts")
	if existing != nil {
		return nil, p.Err("the global option rollouts is given twice")
	}
	if p.NextArg() {
		return nil, p.Errf("unexpected %q: the global option rollouts takes a block", p.Val())
	}
	app := new(App)
	known := []string{"store", "prometheus", "notify", "member"}
	once := make(map[string]bool)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		name := p.Val()
		if once[name] {
			return nil, p.Errf("rollouts: %s is given twice", name)
		}
		once[name] = name != "notify"
		var err error
		switch name {
		case "store":
			err = p.store(app)
		case "prometheus":
			err = p.prometheus(app)
		case "notify":
			err = p.notify(&app.Notify)
		case "member":
			err = p.text("member", &app.Member)
		default:
			err = unknown(p.Dispenser, known)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(once) == 0 {
		return nil, p.Err("the global option rollouts needs a block with store, prometheus, notify or member")
	}
	if err := p.places.report(app.check()); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appID, Value: caddyconfig.JSON(app, nil)}, nil
}

// store reads where the state of rollouts is kept.
func (p *parser) store(app *App) error {
	s := &app.Store
	p.here("store", "store")
	at := p.places["store"]
	args := p.RemainingArgs()
	switch {
	case len(args) > 0 && args[0] == "etcd":
		s.Kind, s.Endpoints = args[0], args[1:]
		return p.etcd(s)
	case len(args) == 1 && args[0] != "file" && args[0] != "":
		s.Kind = args[0]
	case len(args) == 2 && args[0] == "file" && args[1] != "":
		s.Kind, s.Path = args[0], args[1]
	default:
		return at.errorf("where is the state kept? Write store caddy, store memory, store file <path>, or store etcd <endpoint>")
	}
	return p.noBlock("store")
}

// etcd reads how a cluster is used.
func (p *parser) etcd(s *core.Store) error {
	p.here("store.endpoints", "store etcd")
	return p.options("store", []string{"prefix", "username", "password", "timeout", "tls"}, map[string]any{
		"prefix": &s.Prefix, "username": &s.Username, "password": &s.Password, "timeout": &s.Timeout,
		"tls": func() error {
			if p.NextArg() {
				return p.Errf("store: unexpected %q: tls takes a block", p.Val())
			}
			p.here("store.tls", "tls")
			t := &s.TLS
			return p.options("store.tls", []string{"ca", "certificate", "key", "server_name"}, map[string]any{
				"ca": &t.CA, "certificate": &t.Certificate, "key": &t.Key, "server_name": &t.ServerName,
			})
		},
	})
}

// prometheus reads the server that prometheus() asks.
func (p *parser) prometheus(app *App) error {
	s := &app.Prometheus
	p.here("prometheus", "prometheus")
	if !p.AllArgs(&s.URL) || s.URL == "" {
		return p.Err("prometheus needs an address, such as: prometheus http://10.0.0.9:9090")
	}
	if u, err := url.Parse(s.URL); err == nil && u.User != nil {
		return p.Err("prometheus: a name and password have no place in the URL: write them as basic_auth <user> <password>")
	}
	authenticated := false
	return p.options("prometheus", []string{"bearer_token", "basic_auth", "timeout"}, map[string]any{
		"bearer_token": &s.BearerToken, "timeout": &s.Timeout,
		"basic_auth": func() error {
			if authenticated {
				return p.Err("prometheus: basic_auth is given twice")
			}
			authenticated = true
			p.here("prometheus.username", "basic_auth")
			p.here("prometheus.password", "basic_auth")
			if !p.AllArgs(&s.Username, &s.Password) || s.Username == "" || s.Password == "" {
				return p.Err("basic_auth takes a user and a password")
			}
			return p.noBlock("basic_auth")
		},
	})
}
