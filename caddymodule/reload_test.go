package caddymodule

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"

	"github.com/grayling-gateway/grayling/core/store"
)

// noting is Caddy's file storage that notes which reports are removed.
type noting struct{ *certmagic.FileStorage }

var removed sync.Map // what begins the keys of reports: one for each rollout

func init() { caddy.RegisterModule(noting{}) }

func (noting) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.noting", New: func() caddy.Module { return &noting{new(certmagic.FileStorage)} }}
}

func (n *noting) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.NextArg()
	d.Args(&n.Path)
	return nil
}

func (n *noting) CertMagicStorage() (certmagic.Storage, error) { return n, nil }

func (n *noting) Delete(ctx context.Context, key string) error {
	if strings.HasPrefix(key, reportKey) {
		removed.Store(path.Dir(key), true)
	}
	return n.FileStorage.Delete(ctx, key)
}

// reporting returns how many rollouts the running configuration reports.
func reporting(t *testing.T) int {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured(appID)
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App).store.(store.Members).Reporting()
}

// TestReloadIsNoEnd: a reload does not make a gateway leave those with whom it shares the store, and forgets nothing of what it
// reports. A configuration without the rollout does.
func TestReloadIsNoEnd(t *testing.T) {
	name, users := unique("stays"), usersFile(t)
	key := reportKey + name
	g := newGateway(t)
	g.module = "noting"
	load := func(site string) {
		t.Helper()
		if err := g.load(site); err != nil {
			t.Fatal(err)
		}
	}
	planned := func(n int) string {
		return fmt.Sprintf("header X-Load %d\n", n) + strings.Replace(checkout(name, users, "plan {\nstep 10% 1h\nstep 100% 1h\n}"), "canary 10%", "canary", 1)
	}
	load(planned(0))
	eventually(t, "it reports", func() bool { return reporting(t) == 1 })
	for n := range 20 {
		load(planned(n + 1))
		if _, is := removed.Load(key); is {
			t.Fatalf("reload %d: it left, and goes on", n+1)
		}
		if got := reporting(t); got != 1 {
			t.Fatalf("reload %d: it reports %d rollouts", n+1, got)
		}
	}
	load(checkout(unique("another"), users, ""))
	if _, is := removed.Load(key); !is {
		t.Error("it did not leave")
	}
}
