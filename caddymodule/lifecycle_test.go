package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
)

// gateway is the Caddy of this process, which serves one site. There is one at a time.
type gateway struct {
	storage string
	options string // more global options
	module  string // of the storage
	admin   string // the address of the admin endpoint, or off
	client  *http.Client
}

// start runs Caddy with a site and stops it when the test ends.
func start(t *testing.T, site string) *gateway {
	t.Helper()
	g := newGateway(t)
	if err := g.load(site); err != nil {
		t.Fatal(err)
	}
	return g
}

// newGateway returns a Caddy that has nothing to run yet, and is stopped when the test ends.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{storage: t.TempDir(), module: "file_system", admin: "off", client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// load runs another configuration.
func (g *gateway) load(site string) error {
	config, err := g.adapt(site)
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// adapt returns the configuration with a site, which listens on a port that the system chooses.
func (g *gateway) adapt(site string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
	admin `+g.admin+`
	persist_config off
	storage `+g.module+" "+g.storage+`
	`+g.options+`
	log {
		level ERROR
	}
}
http://:8080 {
`+site+`
}
`), map[string]any{"filename": "Caddyfile"})
	return bytes.Replace(config, []byte(`":8080"`), []byte(`"127.0.0.1:0"`), 1), err
}

// address returns where the running configuration listens.
func (g *gateway) address(t *testing.T) string {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		for _, listener := range server.Listeners() {
			return listener.Addr().String()
		}
	}
	t.Fatal("nothing listens")
	return ""
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (g *gateway) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address(t)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := g.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

// engineOf returns the engine of the running configuration.
func engineOf(t *testing.T, name string) *core.Engine {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured(appID)
	if err != nil {
		t.Fatal(err)
	}
	a := app.(*App)
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.rollouts[name]
	if !ok {
		t.Fatalf("the running configuration has no rollout %s", name)
	}
	return r.engine
}

// background returns how many rollouts' background work is going on in this process.
func background() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("core.(*Engine).Run("))
}

func references(name string) int {
	n, _ := memories.References(name)
	return n
}

// checkout is a site with a rollout that a test may vary: its name, the users of its rule, and more lines.
func checkout(name, users, more string) string {
	return `
		rollout ` + name + ` {
			variant stable {
				respond "stable"
			}
			variant canary 10% {
				respond "canary" 503
			}
			rule listed canary ` + "`header(\"X-User\").inFile(\"" + users + "\")`" + `
			key ` + "`header(\"X-User\")`" + `
			` + more + `
		}`
}

// usersFile writes a file of users.
func usersFile(t *testing.T, users ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.txt")
	if err := os.WriteFile(path, []byte(strings.Join(users, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReload: the same specification changes nothing; other weights end those that were set by hand; counters stay.
func TestReload(t *testing.T) {
	name, users := unique("reload"), usersFile(t, "ann")
	g := start(t, checkout(name, users, ""))
	live, first := liveOf(t, name), engineOf(t, name)
	g.get(t, "/", "X-User: ann")
	g.get(t, "/", "X-User: somebody")
	setWeight(t, name, "40%")
	before := counts(live) + " " + reasons(live)
	check := func(what, weights string) {
		t.Helper()
		if got := fmt.Sprint(engineOf(t, name).Weights()); got != weights {
			t.Errorf("%s: weights %s, want %s", what, got, weights)
		}
		if got := counts(live) + " " + reasons(live); got != before || liveOf(t, name) != live {
			t.Errorf("%s: counted %s, before %s", what, got, before)
		}
		if got := references(name); got != 1 {
			t.Errorf("%s: %d references", what, got)
		}
		if engineOf(t, name) == first {
			t.Errorf("%s: the old engine decides", what)
		}
		eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
	}
	for range 3 {
		if err := g.load(checkout(name, users, "")); err != nil {
			t.Fatal(err)
		}
		check("the same again", "[60% 40%]")
	}
	if err := g.load(`header X-Else 1` + checkout(name, users, "")); err != nil {
		t.Fatal(err)
	}
	check("with something else", "[60% 40%]")
	if err := g.load(checkout(name, users, "rule all stable `true`")); err != nil {
		t.Fatal(err)
	}
	check("with another rule", "[60% 40%]")
	if err := g.load(strings.Replace(checkout(name, users, ""), "10%", "20%", 1)); err != nil {
		t.Fatal(err)
	}
	check("with another weight", "[80% 20%]")

	if err := g.load(checkout(name+"-next", users, "")); err != nil {
		t.Fatal(err)
	}
	if got := references(name); got != 0 {
		t.Errorf("%d references to a rollout that is gone", got)
	}
	if err := g.load(checkout(name, users, "")); err != nil {
		t.Fatal(err)
	}
	if got := counts(liveOf(t, name)); got != "" {
		t.Errorf("a rollout that was gone remembers %s", got)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing works in the background", func() bool { return background() == 0 })
	if got := references(name); got != 0 {
		t.Errorf("%d references after the end", got)
	}
}

// TestFailedReload: whatever is wrong with a new configuration, the running one goes on untouched.
func TestFailedReload(t *testing.T) {
	name, users := unique("failed"), usersFile(t, "ann")
	g := start(t, checkout(name, users, ""))
	live, engine := liveOf(t, name), engineOf(t, name)
	g.get(t, "/", "X-User: ann")
	setWeight(t, name, "40%")
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	before := counts(live) + " " + reasons(live)

	replace := func(old, by string) func(string) string {
		return func(config string) string { return strings.Replace(config, old, by, 1) }
	}
	for _, test := range []struct {
		name, site string
		change     func(config string) string // of the JSON
		want       string
		times      int // the order in which Caddy starts its apps is random
	}{
		{"a bad expression", checkout(name, users, ""), replace(`header(\"X-User\")`, `heder(\"X-User\")`), `unknown function "heder"`, 1},
		{"a missing file", checkout(name, users, ""), replace("users.txt", "nobody.txt"), "nobody.txt: no such file", 1},
		{"an unknown field", checkout(name, users, ""), replace(`"key":`, `"kye":`), `unknown field "kye"`, 1},
		{"a bad matcher", checkout(name, users, "rule x canary path_regexp a"), replace(`"pattern":"a"`, `"pattern":"("`), "missing closing", 1},
		{"a bad handler in a variant", checkout(name, users, ""), replace(`"handler":"static_response"`, `"handler":"nonsense"`), "nonsense", 1},
		{"a bad handler elsewhere", checkout(name, users, "") + "\nheader X-Last 1", replace(`"handler":"headers"`, `"handler":"nonsense"`), "nonsense", 1},
		{"another name too", checkout(name, users, "") + checkout(name+"-more", users, ""), replace(`10%`, `1000%`), "1000%", 1},
		{
			"two of one name that differ", checkout(name, users, "") + "\nhandle /x {\n" + checkout(name, users, "") + "\n}",
			replace(`10%`, `20%`), "another rollout has this name and is configured differently", 1,
		},
		{"an address that is taken", checkout(name, users, "salt other") + "\n}\nhttp://" + taken.Addr().String() + " {", nil, "address already in use", 10},
		{
			"an address that is taken, with another name", checkout(name+"-other", users, "") + "\n}\nhttp://" + taken.Addr().String() + " {",
			nil, "address already in use", 10,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, err := g.adapt(test.site)
			if err != nil {
				t.Fatal(err)
			}
			changed := string(config)
			if test.change != nil {
				if changed = test.change(changed); changed == string(config) {
					t.Fatal("nothing was changed")
				}
			}
			for range test.times {
				if err := caddy.Load([]byte(changed), true); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got %v, want %s", err, test.want)
				}
			}
			if engineOf(t, name) != engine || liveOf(t, name) != live {
				t.Error("another engine decides")
			}
			if got := counts(live) + " " + reasons(live); got != before {
				t.Errorf("counted %s, before %s", got, before)
			}
			if got := fmt.Sprint(engine.Weights()); got != "[60% 40%]" {
				t.Errorf("weights %s", got)
			}
			if got, more, other := references(name), references(name+"-more"), references(name+"-other"); got != 1 || more != 0 || other != 0 {
				t.Errorf("%d references, and %d and %d to rollouts that never were", got, more, other)
			}
			eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
			if got := g.get(t, "/", "X-User: ann"); got.status != 503 || got.body != "canary" {
				t.Errorf("%+v", got)
			}
			before = counts(live) + " " + reasons(live)
		})
	}

	if err := os.WriteFile(users, []byte("bob"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is still watched", func() bool { return g.get(t, "/", "X-User: bob").body == "canary" })
}

// TestFiles: what a file says counts soon, and what it said before while it cannot be read.
func TestFiles(t *testing.T) {
	users := usersFile(t, "ann")
	g := start(t, strings.Replace(checkout(unique("files"), users, ""), "10%", "0", 1))
	listed := func(user string) bool { return g.get(t, "/", "X-User: "+user).body == "canary" }
	if !listed("ann") || listed("bob") {
		t.Error("ann is listed and bob is not, but they are not served so")
	}
	if err := os.WriteFile(users+".new", []byte("bob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(users+".new", users); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob is listed", func() bool { return listed("bob") })
	if listed("ann") {
		t.Error("ann is still listed")
	}
}

// TestInstances: a rollout may stand in several places; there it is one.
func TestInstances(t *testing.T) {
	name, users := unique("instances"), usersFile(t, "ann")
	handles := `
		handle /a {
			` + checkout(name, users, "") + `
		}
		handle /b {
			respond /nothing 204
			` + checkout(name, users, "") + `
		}`
	g := start(t, handles)
	for _, path := range []string{"/a", "/b"} {
		if got := g.get(t, path, "X-User: ann"); got.body != "canary" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := counts(liveOf(t, name)); got != "canary 0/2/0" {
		t.Errorf("counted %s", got)
	}
	if got := references(name); got != 1 {
		t.Errorf("%d references", got)
	}
	eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
	setWeight(t, name, "100%")
	for _, path := range []string{"/a", "/b"} {
		if got := g.get(t, path, "X-User: somebody"); got.body != "canary" {
			t.Errorf("%s with another weight: %+v", path, got)
		}
	}
}

// TestValidate: trying a configuration has no effect.
func TestValidate(t *testing.T) {
	name, users := unique("validate"), usersFile(t, "ann")
	g := start(t, checkout(name, users, ""))
	live, engine := liveOf(t, name), engineOf(t, name)
	eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
	for _, site := range []string{checkout(name, users, ""), checkout(name, users, "salt other"), checkout(name+"-next", users, "")} {
		adapted, err := g.adapt(site)
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err != nil {
			t.Fatal(err)
		}
		if engineOf(t, name) != engine || liveOf(t, name) != live || references(name) != 1 || references(name+"-next") != 0 || background() != 1 {
			t.Errorf("%d and %d references, %d work in the background", references(name), references(name+"-next"), background())
		}
	}
	if got := g.get(t, "/", "X-User: ann"); got.body != "canary" {
		t.Errorf("%+v", got)
	}
}
