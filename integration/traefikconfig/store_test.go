package traefikconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// stores are the settings of a cluster in every way that Traefik reads, with two addresses of which the first leads
// nowhere.
var stores = map[string]string{
	"yaml": `
http:
  middlewares:
    checkout:
      plugin:
        grayling:
          name: checkout
          revision: v9
          variants: [{ name: stable }, { name: canary }]
          key: ['header("X-User")']
          plan: { steps: [{ weight: 10%, for: 24h }, { weight: 100% }] }
          sticky: { mode: cookie }
          store: { kind: etcd, endpoints: ["http://DEAD:1", "http://LIVE:1"], prefix: /shop, username: gateway, password: env:ETCD_PASSWORD, timeout: 2s }
  routers:
    checkout: { rule: "PathPrefix(` + "`/`" + `)", middlewares: [checkout], service: noop@internal }
`,
	"toml": `
[http.middlewares.checkout.plugin.grayling]
name = "checkout"
revision = "v9"
key = ['header("X-User")']
variants = [{ name = "stable" }, { name = "canary" }]
sticky = { mode = "cookie" }
[http.middlewares.checkout.plugin.grayling.plan]
steps = [{ weight = "10%", for = "24h" }, { weight = "100%" }]
[http.middlewares.checkout.plugin.grayling.store]
kind = "etcd"
endpoints = ["http://DEAD:1", "http://LIVE:1"]
prefix = "/shop"
username = "gateway"
password = "env:ETCD_PASSWORD"
timeout = "2s"
[http.routers.checkout]
rule = "PathPrefix(` + "`/`" + `)"
middlewares = ["checkout"]
service = "noop@internal"
`,
	"labels": `
traefik.http.middlewares.checkout.plugin.grayling.name=checkout
traefik.http.middlewares.checkout.plugin.grayling.revision=v9
traefik.http.middlewares.checkout.plugin.grayling.variants[0].name=stable
traefik.http.middlewares.checkout.plugin.grayling.variants[1].name=canary
traefik.http.middlewares.checkout.plugin.grayling.key=header("X-User")
traefik.http.middlewares.checkout.plugin.grayling.sticky.mode=cookie
traefik.http.middlewares.checkout.plugin.grayling.plan.steps[0].weight=10%
traefik.http.middlewares.checkout.plugin.grayling.plan.steps[0].for=24h
traefik.http.middlewares.checkout.plugin.grayling.plan.steps[1].weight=100%
traefik.http.middlewares.checkout.plugin.grayling.store.kind=etcd
traefik.http.middlewares.checkout.plugin.grayling.store.endpoints=http://DEAD:1,http://LIVE:1
traefik.http.middlewares.checkout.plugin.grayling.store.prefix=/shop
traefik.http.middlewares.checkout.plugin.grayling.store.username=gateway
traefik.http.middlewares.checkout.plugin.grayling.store.password=env:ETCD_PASSWORD
traefik.http.middlewares.checkout.plugin.grayling.store.timeout=2s
traefik.http.routers.checkout.rule=PathPrefix(` + "`/`" + `)
traefik.http.routers.checkout.middlewares=checkout
traefik.http.routers.checkout.service=noop@internal
`,
}

// TestStoreSpellings: a rollout is kept in a cluster of etcd, whichever way that is written; without a secret for its
// cookies there is one, too.
func TestStoreSpellings(t *testing.T) {
	t.Parallel()
	stores["kv"] = strings.NewReplacer(".", "/", "[0]", "/0", "[1]", "/1").Replace(stores["labels"])
	for name := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const password = "ETCD_PASSWORD=a password that nobody asks for"
			etcd := startEtcd(t, nil)
			local := strings.NewReplacer("DEAD:1", port.Address(t), "LIVE:1", etcd)
			var p *traefik
			switch name {
			case "labels":
				p = start(t, password, "--providers.docker.endpoint="+startDocker(t, container{name: "store", labels: pairs(t, local.Replace(stores[name]))}))
			case "kv":
				p = start(t, password, "--providers.etcd.endpoints="+startEtcd(t, pairs(t, local.Replace(stores[name]))))
			default:
				p = start(t, password, "--providers.file.filename="+file(t, "store."+name, local.Replace(stores[name])))
			}
			for key, want := range map[string]string{"/shop/state/checkout": `"v9"`, "/shop/state/.cookie_secret": `"secret"`} {
				gateway.Eventually(t, key+" is in etcd", func() bool {
					value, err := get(etcd, key)
					return err == nil && strings.Contains(value, want)
				})
			}
			secret, err := get(etcd, "/shop/state/.cookie_secret")
			if err != nil {
				t.Fatal(err)
			}
			var kept struct{ Secret string }
			if err := json.Unmarshal([]byte(secret), &kept); err != nil || len(kept.Secret) < 40 {
				t.Fatalf("the secret is %q, %v", secret, err)
			}
			if log := p.logged(); strings.Contains(log, kept.Secret) || strings.Contains(log, "nobody asks for") || strings.Contains(log, "API shows") {
				t.Errorf("the log has a secret, or warns of one:\n%s", log)
			}
		})
	}
}

// get returns the value of a key.
func get(etcd, key string) (string, error) {
	body, err := json.Marshal(map[string][]byte{"key": []byte(key)})
	if err != nil {
		return "", err
	}
	response, err := http.Post("http://"+etcd+"/v3/kv/range", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var found struct{ KVs []struct{ Value []byte } }
	if err := json.Unmarshal(content, &found); err != nil {
		return "", err
	}
	if len(found.KVs) == 0 {
		return "", fmt.Errorf("there is no key %s", key)
	}
	return string(found.KVs[0].Value), nil
}
