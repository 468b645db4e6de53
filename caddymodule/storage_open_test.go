package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core/store"
)

// appWith returns the app of a configuration with that store, and a function that ends it.
func appWith(t *testing.T, storeJSON string) (*App, func(), error) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true},
		StorageRaw: json.RawMessage(`{"module": "file_system", "root": "` + t.TempDir() + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(ctx)
	module, err := ctx.LoadModuleByID(appID, json.RawMessage(`{"store": `+storeJSON+`}`))
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return module.(*App), cancel, nil
}

// TestStoreOutlivesAReload: the same settings are the same store, with its connections, as long as a configuration has them.
func TestStoreOutlivesAReload(t *testing.T) {
	t.Setenv("GRAYLING_ETCD", "127.0.0.1:9")
	const settings, other = `{"kind": "etcd", "endpoints": ["http://{env.GRAYLING_ETCD}"]}`, `{"kind": "etcd", "endpoints": ["http://127.0.0.1:9"], "prefix": "/b"}`
	load := func(settings string) (store.Store, func()) {
		a, end, err := appWith(t, settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, shared := a.secrets().(store.Members); !shared || a.secrets() != a.store {
			t.Errorf("%s: secrets are kept in a %T", settings, a.secrets())
		}
		return a.store, end
	}
	first, endFirst := load(settings)
	again, endAgain := load(settings)
	different, endDifferent := load(other)
	if first != again || first == different {
		t.Error("what is configured alike has two stores, or what is not has one")
	}
	endFirst()
	third, endThird := load(settings)
	if third != first {
		t.Error("a store does not outlive the first of two configurations")
	}
	for _, end := range []func(){endAgain, endDifferent, endThird} {
		end()
	}
	last, endLast := load(settings)
	defer endLast()
	if last == first {
		t.Error("a store that no configuration has is kept")
	}
}

// TestStoreOfOneCaddy: what cannot be shared keeps no secrets either: Caddy's storage does.
func TestStoreOfOneCaddy(t *testing.T) {
	for _, settings := range []string{`{}`, `{"kind": "caddy"}`, `{"kind": "memory"}`, `{"kind": "file", "path": "` + t.TempDir() + `/state.json"}`} {
		a, end, err := appWith(t, settings)
		if err != nil {
			t.Fatal(err)
		}
		if a.secrets() != store.Store(a.own) {
			t.Errorf("%s: secrets are kept in a %T", settings, a.secrets())
		}
		end()
	}
}

// TestStoreSecrets: placeholders are resolved, and no error shows what they stand for.
func TestStoreSecrets(t *testing.T) {
	asked := make(chan string, 10)
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var login struct{ Name, Password string }
		if json.NewDecoder(r.Body).Decode(&login) == nil && r.URL.Path == "/v3/auth/authenticate" {
			asked <- login.Name + " " + login.Password
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"code": 3, "message": "etcdserver: invalid user ID or password: ` + login.Password + `"}`))
	}))
	defer cluster.Close()
	t.Setenv("GRAYLING_ETCD_PASSWORD", "hush")
	a, end, err := appWith(t, `{"kind": "etcd", "endpoints": ["`+cluster.URL+`"], "username": "gateway", "password": "{env.GRAYLING_ETCD_PASSWORD}"}`)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, err := a.store.Load(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
	if got := <-asked; got != "gateway hush" {
		t.Errorf("authenticated as %s", got)
	}
	if shown, err := json.Marshal(a); err != nil || strings.Contains(string(shown), "hush") {
		t.Errorf("the configuration shows %s, %v", shown, err)
	}
	for want, settings := range map[string]string{
		"store.password: ": `{"kind": "etcd", "endpoints": ["http://a:1"], "username": "gateway", "password": "{env.GRAYLING_NO_SUCH}"}`,
		"store.tls: ca: ":  `{"kind": "etcd", "endpoints": ["https://a:1"], "tls": {"ca": "file:/no/such"}}`,
		"store.kind: ":     `{"kind": "redis"}`,
	} {
		if _, _, err := appWith(t, settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}
