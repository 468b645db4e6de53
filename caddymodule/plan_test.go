package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/grayling-gateway/grayling/core"
	machine "github.com/grayling-gateway/grayling/core/rollout"
)

// planned is a site whose rollout has a plan, and releases a revision.
func planned(name, revision, plan string) string {
	return `
		rollout ` + name + ` {
			variant stable {
				respond "stable"
			}
			variant canary {
				respond "canary"
			}
			revision ` + revision + `
			plan ` + plan + `
		}`
}

const gated = "step 20% manual step 50% manual step 100% manual"

// standing returns how the rollout stands in the running configuration, such as "v1 progressing 1".
func standing(t *testing.T, name string) string {
	t.Helper()
	status, runs := liveOf(t, name).Status()
	if !runs {
		return ""
	}
	return fmt.Sprintf("%s %s %d", status.Revision, status.State, status.Step)
}

func stands(t *testing.T, name, want string) {
	t.Helper()
	got := ""
	eventually(t, "the rollout is "+want, func() bool {
		got = standing(t, name)
		return got == want
	})
}

// tell commands the rollout of the running configuration.
func tell(t *testing.T, name string, verb machine.Verb) core.Status {
	t.Helper()
	status, err := liveOf(t, name).Command(t.Context(), machine.Command{Verb: verb}, "")
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestPlanSurvives a reload, and with every store but memory a restart too: in the first request after it.
func TestPlanSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	for store, survives := range map[string]bool{"": true, "store caddy": true, "store file " + file: true, "store memory": false} {
		t.Run(store, func(t *testing.T) {
			name := unique("survives")
			g := newGateway(t)
			if store != "" {
				g.options = "rollouts {\n" + store + "\n}"
			}
			if err := g.load(planned(name, "v1", gated)); err != nil {
				t.Fatal(err)
			}
			stands(t, name, "v1 progressing 1")
			before := tell(t, name, machine.Promote)
			for range 3 {
				if err := g.load("header X-Other 1\n" + planned(name, "v1", gated)); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(engineOf(t, name).Weights()); got != "[50% 50%]" {
					t.Errorf("at once after a reload: weights %s", got)
				}
				eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
				if after, _ := liveOf(t, name).Status(); after.Version != before.Version || after.Step != 2 {
					t.Errorf("after a reload: %+v, before %+v", after, before)
				}
			}
			if err := g.load("respond 204"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "nothing works in the background", func() bool { return background() == 0 })
			if err := g.load(planned(name, "v1", gated)); err != nil {
				t.Fatal(err)
			}
			weights, state := "[50% 50%]", "v1 progressing 2"
			if !survives {
				weights, state = "[80% 20%]", "v1 progressing 1"
			}
			if got := fmt.Sprint(engineOf(t, name).Weights()); got != weights {
				t.Errorf("at once after a restart: weights %s, want %s", got, weights)
			}
			stands(t, name, state)
		})
	}
}

// TestStoreChanges: another store takes over what is known.
func TestStoreChanges(t *testing.T) {
	name := unique("store")
	g := newGateway(t)
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	tell(t, name, machine.Promote)
	file := filepath.Join(t.TempDir(), "state.json")
	g.options = "rollouts {\nstore file " + file + "\n}"
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file has the state", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), `"step":2`)
	})
	stands(t, name, "v1 progressing 2")
	g.storage = t.TempDir()
	g.options = ""
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other storage has the state", func() bool {
		text, err := os.ReadFile(filepath.Join(g.storage, filepath.FromSlash(stateKey), name))
		return err == nil && strings.Contains(string(text), `"step":2`)
	})
}

// TestRejectedReloadOfAPlan: Caddy starts apps before it knows whether all of them start. A plan goes on as if nothing had
// been tried, and can be commanded.
func TestRejectedReloadOfAPlan(t *testing.T) {
	name := unique("rejected")
	g := newGateway(t)
	g.admin = "unix/" + filepath.Join(t.TempDir(), "admin.sock")
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	before := tell(t, name, machine.Promote)
	state := filepath.Join(g.storage, filepath.FromSlash(stateKey), name)
	stored, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for i := range 10 { // the order in which Caddy starts its apps is random
		site := planned(name, fmt.Sprintf("v2.%d", i), "step 100%") + "\n}\nhttp://" + taken.Addr().String() + " {"
		if err := g.load(site); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Fatalf("got %v", err)
		}
	}
	if after, _ := liveOf(t, name).Status(); after.Version != before.Version || after.Step != 2 || after.Revision != "v1" {
		t.Errorf("%+v, before %+v", after, before)
	}
	if now, err := os.ReadFile(state); err != nil || !bytes.Equal(now, stored) {
		t.Errorf("stored are %s, before %s, error %v", now, stored, err)
	}
	if got := g.ask(t, http.MethodGet, "/rollouts/"+name); !strings.Contains(got.body, `"revision":"v1"`) {
		t.Errorf("the API says %+v", got)
	}
	if got := g.ask(t, http.MethodPost, "/rollouts/"+name+"/promote"); got.status != http.StatusOK {
		t.Errorf("a command: %+v", got)
	}
	stands(t, name, "v1 progressing 3")
	if got := fmt.Sprint(engineOf(t, name).Weights()); got != "[0% 100%]" {
		t.Errorf("weights %s", got)
	}
	eventually(t, "one rollout works in the background", func() bool { return background() == 1 })
}

// TestDamagedStateOfAPlan: a plan whose state nobody can read begins anew.
func TestDamagedStateOfAPlan(t *testing.T) {
	name := unique("damaged")
	g := newGateway(t)
	state := filepath.Join(g.storage, filepath.FromSlash(stateKey), name)
	if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, []byte(`{"format":1,"vers`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	if aside, err := filepath.Glob(state + ".damaged.*"); err != nil || len(aside) != 1 {
		t.Errorf("moved aside to %v, error %v", aside, err)
	}
}

// TestEvents: what happens to a rollout is an event of Caddy, and a handler can be against a promotion.
func TestEvents(t *testing.T) {
	name := unique("events")
	var (
		mu     sync.Mutex
		told   []string
		data   = map[string]map[string]any{}
		refuse = true
	)
	hearers.Store(name, func(e caddy.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(e.Name(), "rollout_") {
			return nil
		}
		if e.Origin().CaddyModule().ID != appID || e.Data["rollout"] != name {
			t.Errorf("%s of %v: %v", e.Name(), e.Origin(), e.Data)
		}
		told = append(told, e.Name())
		data[e.Name()] = e.Data
		if e.Name() == "rollout_promotion" && refuse {
			return fmt.Errorf("not on Fridays: %w", caddy.ErrEventAborted)
		}
		return nil
	})
	t.Cleanup(func() { hearers.Delete(name) })
	heard := func(want string) { // which may be a moment after it shows
		t.Helper()
		var list string
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			list = strings.Join(told, " ")
			mu.Unlock()
			if len(list) >= len(want) || time.Now().After(deadline) {
				break
			}
		}
		if list != want {
			t.Errorf("told %s, want %s", list, want)
		}
		mu.Lock()
		told = nil
		mu.Unlock()
	}
	g := newGateway(t)
	g.options = "events {\non * heard " + name + "\n}"
	if err := g.load(planned(name, "v1", "step 50% manual step 100% manual")); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	heard("rollout_started")
	tell(t, name, machine.Promote)
	tell(t, name, machine.Pause)
	tell(t, name, machine.Resume)
	heard("rollout_step_advanced rollout_paused rollout_resumed")
	_, err := liveOf(t, name).Command(t.Context(), machine.Command{Verb: machine.Promote}, "")
	if err == nil || !strings.Contains(err.Error(), "rollout_promotion") || !strings.Contains(err.Error(), "not on Fridays") {
		t.Errorf("a promotion that a handler is against: %v", err)
	}
	stands(t, name, "v1 progressing 2")
	heard("rollout_promotion")
	mu.Lock()
	refuse = false
	mu.Unlock()
	tell(t, name, machine.Promote)
	tell(t, name, machine.Abort)
	heard("rollout_promotion rollout_promoted rollout_rolled_back")
	last := data["rollout_rolled_back"]
	for key, want := range map[string]any{"id": int64(6), "rollout": name, "revision": "v1", "state": "rolled_back", "cause": "operator", "epoch": 2, "step": 2} {
		if last[key] != want {
			t.Errorf("%s is %v, want %v", key, last[key], want)
		}
	}
	if reason, ok := last["reason"].(string); !ok || last["time"] == nil {
		t.Errorf("reason %q, time %v", reason, last["time"])
	}

	if err := g.load(planned(name, "v2", "step 100%")); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v2 promoted 1")
	heard("rollout_started rollout_promoted") // a configuration that says so is not asked for again
}

// TestVetoOfAPlan: a plan that may not promote holds, and asks again now and then.
func TestVetoOfAPlan(t *testing.T) {
	var asked, refusing atomic.Int64
	refusing.Store(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
	}))
	defer server.Close()
	name := unique("veto")
	hearers.Store(name, func(caddy.Event) error {
		asked.Add(1)
		if refusing.Load() == 1 {
			return caddy.ErrEventAborted
		}
		return nil
	})
	t.Cleanup(func() { hearers.Delete(name) })
	g := newGateway(t)
	g.options = "rollouts {\nprometheus " + server.URL + "\n}\nevents {\non rollout_promotion heard " + name + "\n}"
	if err := g.load(planned(name, "v1", "{\nstep 100% 1s\nevery 1s\ncheck `prometheus(\"up\") > 0`\n}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plan is refused what nothing else is in the way of", func() bool { return asked.Load() > 0 })
	passed := liveOf(t, name).Verdicts()[machine.Pass]
	eventually(t, "the checks go on passing", func() bool { return liveOf(t, name).Verdicts()[machine.Pass] > passed+3 })
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times within a few seconds", n)
	}
	if got := standing(t, name); got != "v1 progressing 1" {
		t.Errorf("refused, and %s", got)
	}
	refusing.Store(0)
	stands(t, name, "v1 promoted 1")
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times in all", n)
	}
}

// TestReloadsWithAPlan leave nothing behind.
func TestReloadsWithAPlan(t *testing.T) {
	name := unique("reloads")
	g := newGateway(t)
	if err := g.load(planned(name, "v1", gated)); err != nil {
		t.Fatal(err)
	}
	stands(t, name, "v1 progressing 1")
	before := ours()
	for i := range 40 {
		if err := g.load("header X-Other " + fmt.Sprint(i) + planned(name, "v1", gated)); err != nil {
			t.Fatal(err)
		}
	}
	stands(t, name, "v1 progressing 1")
	eventually(t, "as many goroutines work as before", func() bool { return ours() <= before }) // one may have been ending then
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none works", func() bool { return ours() == 0 })
}

// ours returns how many goroutines of this process are in code of rollouts, but for tests.
func ours() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "grayling/core") || strings.Contains(stack, "caddymodule.(*App)") {
			n++
		}
	}
	return n
}
