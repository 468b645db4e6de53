package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/grayling-gateway/grayling/core"
	machine "github.com/grayling-gateway/grayling/core/rollout"
)

func init() {
	caddy.RegisterModule(scripted{})
}

// scripts are what scripted handlers do, by name.
var scripts sync.Map

// scripted is a handler that does what a test says.
type scripted struct {
	Script string `json:"script,omitempty"`
}

func (scripted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.scripted", New: func() caddy.Module { return new(scripted) }}
}

func (s scripted) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	script, ok := scripts.Load(s.Script)
	if !ok {
		return fmt.Errorf("there is no script %q", s.Script)
	}
	return script.(caddyhttp.MiddlewareHandler).ServeHTTP(w, r, next)
}

// script is what a variant does.
type script func(w http.ResponseWriter, r *http.Request) error

func (s script) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return s(w, r)
}

// names makes the names of rollouts and scripts differ between tests.
var names struct {
	sync.Mutex
	n int
}

func unique(prefix string) string {
	names.Lock()
	defer names.Unlock()
	names.n++
	return fmt.Sprintf("%s%d", prefix, names.n)
}

// load provisions a rollout outside of any server, from JSON. What it holds is let go of when the test ends.
func load(t testing.TB, config string) (*Handler, error) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(ctx)
	module, err := ctx.LoadModuleByID("http.handlers.rollout", []byte(config))
	if err != nil {
		cancel()
		return nil, err
	}
	t.Cleanup(cancel)
	return module.(*Handler), nil
}

// scriptedVariants declares a stable variant and a canary with a weight, which do what a test says; nil: it fails if one is
// asked. It returns the rollout's name, and the fields of its JSON that say all this.
func scriptedVariants(t testing.TB, stable, canary script, weight string) (name, fields string) {
	t.Helper()
	name = unique("rollout")
	for variant, does := range map[string]script{"stable": stable, "canary": canary} {
		if does == nil {
			does = func(http.ResponseWriter, *http.Request) error {
				t.Errorf("the %s variant was asked", variant)
				return nil
			}
		}
		scripts.Store(name+variant, does)
		t.Cleanup(func() { scripts.Delete(name + variant) })
	}
	return name, fmt.Sprintf(`
		"name": %q,
		"variants": [
			{"name": "stable", "routes": [{"handle": [{"handler": "scripted", "script": "%[1]sstable"}]}]},
			{"name": "canary", "weight": %[2]q, "routes": [{"handle": [{"handler": "scripted", "script": "%[1]scanary"}]}]}
		]`, name, weight)
}

// scriptedRollout is a rollout of a stable variant and a canary, which every request gets. settings are more fields of
// its JSON. Its name is the last result.
func scriptedRollout(t testing.TB, stable, canary script, settings string) (*Handler, string) {
	t.Helper()
	name, fields := scriptedVariants(t, stable, canary, "")
	if settings != "" {
		settings = ", " + settings
	}
	h, err := load(t, fmt.Sprintf(`{%s, "rules": [{"name": "all", "use": "canary", "when": "true"}] %s}`, fields, settings))
	if err != nil {
		t.Fatal(err)
	}
	return h, name
}

// notFound is the handler after the rollout.
var notFound = caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNotFound)
	return nil
})

// prepare makes a request one of Caddy's HTTP server.
func prepare(r *http.Request, w http.ResponseWriter) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
}

// served is a real server with a rollout. done gets what the handler returned, or panicked with.
func serveReal(t *testing.T, h *Handler) (server *httptest.Server, done chan any) {
	t.Helper()
	done = make(chan any, 100)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var result any
		defer func() {
			fault := recover()
			if fault != nil {
				result = fault
			}
			done <- result
			if fault != nil {
				panic(fault)
			}
		}()
		if err := h.ServeHTTP(w, prepare(r, w), notFound); err != nil {
			result = err
			w.WriteHeader(errorStatus(err))
		}
	}))
	t.Cleanup(server.Close)
	return server, done
}

// counts returns the counters of all variants, such as "canary 1/0/0": successes, failures, neutral outcomes.
func counts(live *core.Live) string {
	var list []string
	for name, c := range live.Counts() {
		list = append(list, fmt.Sprintf("%s %d/%d/%d", name, c.Success, c.Failure, c.Neutral))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// reasons returns how many decisions were made for each reason, such as "fallback 1, rule 1".
func reasons(live *core.Live) string {
	var list []string
	for _, c := range live.Reasons() {
		list = append(list, fmt.Sprintf("%s %d", c.Reason, c.Decisions))
	}
	return strings.Join(list, ", ")
}

// liveOf returns what is remembered of a rollout that some configuration has.
func liveOf(t testing.TB, name string) *core.Live {
	t.Helper()
	var live *core.Live
	memories.Range(func(key, value any) bool {
		if key == name {
			live = value.(memory).live
		}
		return live == nil
	})
	if live == nil {
		t.Fatalf("nothing is remembered of %s", name)
	}
	return live
}

// setWeight gives the canary another share, as people do, once the running configuration is in force.
func setWeight(t *testing.T, name, weight string) {
	t.Helper()
	live, engine := liveOf(t, name), engineOf(t, name)
	eventually(t, "the configuration is in force", func() bool {
		status, runs := live.Status()
		var weights []string
		for _, v := range status.Variants {
			weights = append(weights, v.Weight)
		}
		return runs && fmt.Sprint(weights) == fmt.Sprint(engine.Weights())
	})
	command := machine.Command{Verb: machine.SetWeight, Variant: "canary", Weight: weight}
	if _, err := live.Command(t.Context(), command, ""); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}
