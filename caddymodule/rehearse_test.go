package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core"
)

func caddyfileOf(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRehearse asks a configuration whose upstreams, secrets and storage are elsewhere.
func TestRehearse(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	engines, err := Rehearse(caddyfileOf(t, `{
	storage file_system /no/such/directory
	rollouts {
		store file /no/such/state.json
		prometheus http://127.0.0.1:9 {
			bearer_token {env.NO_SUCH_TOKEN_FOR_REHEARSALS}
		}
	}
}
(shop) {
	@staff remote_ip 10.0.0.0/8
	rollout checkout {
		variant stable 10.0.0.1:8080
		variant canary 10.0.1.1:8080 {
			like stable
		}
		rule staff canary @staff
		rule admin canary `+"`placeholder(\"http.request.uri.path.dir\") == \"/admin/\"`"+`
		rule ada canary `+"`placeholder(\"http.auth.user.id\") == \"ada\"`"+`
		sticky cookie {
			secret {env.NO_SUCH_SECRET_FOR_REHEARSALS}
		}
		plan {
			step 10% 10m
			step 100%
			check `+"`prometheus(\"up\") > 0`"+`
		}
	}
}
shop.example {
	import shop
}
shop.test {
	tls /no/such/cert.pem /no/such/key.pem
	handle_path /x/* {
		import shop
	}
	handle {
		rollout search {
			variant a where track=a
			variant b 100% where track=b
			upstreams {
				10.0.0.1:80 track=a
				10.0.0.2:80 track=b version=1
				10.0.0.3:80 track=b version=2
			}
			subset version `+"`header(\"X-Version\")`"+`
			key `+"`ip()`"+`
		}
	}
}
`), "caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if len(engines) != 2 || engines[0].Name() != "checkout" || engines[1].Name() != "search" {
		t.Fatalf("%d rollouts", len(engines))
	}
	for _, c := range []struct {
		engine   int
		question core.Question
		want     string
		notes    string
	}{
		{0, core.Question{URL: "https://shop.example/", IP: "10.1.2.3"}, "canary rule staff", ""},
		{0, core.Question{URL: "https://shop.example/", IP: "10.1.2.3", Match: map[string]bool{"staff": false}}, "split ", ""},
		{0, core.Question{URL: "https://shop.example/", IP: "192.0.2.1"}, "split ", "{env.NO_SUCH_SECRET_FOR_REHEARSALS} is empty here"},
		{0, core.Question{URL: "https://shop.example/admin/x", IP: "192.0.2.1"}, "canary rule admin", ""},
		{0, core.Question{URL: "https://shop.example/", IP: "192.0.2.1", Placeholders: map[string]string{"http.auth.user.id": "ada"}}, "canary rule ada", ""},
		{0, core.Question{URL: "https://shop.example/"}, "split ", `rule "staff": the client's address is unknown (ip), and the gateway's matcher may ask for it`},
		{1, core.Question{URL: "https://shop.test/", IP: "192.0.2.1"}, "b split ", ""},
	} {
		x, err := engines[c.engine].Explain(t.Context(), c.question, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got := x.Decision.Variant + " " + string(x.Decision.Reason) + " " + x.Decision.Rule
		if !strings.Contains(got, c.want) || !strings.Contains(strings.Join(x.Notes, "\n"), c.notes) {
			t.Errorf("%+v: %s, want %s; %q", c.question, got, c.want, x.Notes)
		}
	}
	x, err := engines[1].Explain(t.Context(), core.Question{URL: "https://shop.test/", IP: "192.0.2.1", Headers: map[string][]string{"X-Version": {"2"}}}, time.Now())
	if err != nil || len(x.Upstreams) != 1 || x.Upstreams[0].Name != "10.0.0.3:80" {
		t.Errorf("%v: %+v", err, x)
	}
}

func TestRehearseRefuses(t *testing.T) {
	for content, part := range map[string]string{
		"shop.example\nrespond hello\n": "there is no rollout in it",
		"shop.example\nrollout checkout {\n\tvariant stable 10.0.0.1:80\n\tkey `heder(\"X\")`\n}\n":                                                    `unknown function "heder"`,
		"shop.example\nrollout checkout {\n\tvariant stable 10.0.0.1:80\n}\nrollout checkout {\n\tvariant stable 10.0.0.2:80\n}\n":                     "configured differently",
		"shop.example\nrollout checkout {\n\tvariant stable 10.0.0.1:80\n\tvariant canary 10.0.0.2:80\n\trule a canary {\n\t\texpression {x\n\t}\n}\n": "",
	} {
		if engines, err := Rehearse(caddyfileOf(t, content), "caddyfile"); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, %d rollouts", content, err, len(engines))
		}
	}
	if _, err := Rehearse("/no/such/Caddyfile", ""); err == nil {
		t.Error("a file that is not there")
	}
}

// TestRehearsedRevision: assignments of the gateway are known by the revision that it derives, so that must be the same.
func TestRehearsedRevision(t *testing.T) {
	site := "http://localhost:9080 {\n\trollout checkout {\n\t\tvariant stable 10.0.0.1:80\n\t\tvariant canary 5% 10.0.0.2:80 {\n\t\t\thealth_uri /healthz?a=1&b=<2>\n\t\t}\n\t\tkey `ip()`\n\t}\n}\n"
	engines, err := Rehearse(caddyfileOf(t, site), "caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	adapted, _, err := adapt(site)
	if err != nil {
		t.Fatal(err)
	}
	config := &caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}}
	if err := json.Unmarshal([]byte(adapted), config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App(appID)
	if err != nil {
		t.Fatal(err)
	}
	question := core.Question{URL: "http://localhost/", IP: "192.0.2.1"}
	var revisions []string
	for _, e := range []*core.Engine{engines[0], app.(*App).rollouts["checkout"].engine} {
		x, err := e.Explain(t.Context(), question, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		revisions = append(revisions, x.Revision)
	}
	if revisions[0] != revisions[1] || revisions[0] == "" {
		t.Errorf("revision %q, and the gateway has %q", revisions[0], revisions[1])
	}
}
