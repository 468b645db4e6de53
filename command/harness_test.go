package command

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
	"github.com/grayling-gateway/grayling/core/rollout"
)

const token = "correct horse battery staple"

// gateway runs rollouts, and its control API behind a token and a prefix, as a gateway may have it.
type gateway struct {
	url   string
	mu    sync.Mutex
	lives map[string]*core.Live
	stop  map[string]func()
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{lives: map[string]*core.Live{}, stop: map[string]func(){}}
	handler := control.Guard(token, control.Handler(func() map[string]*core.Live {
		g.mu.Lock()
		defer g.mu.Unlock()
		return maps.Clone(g.lives)
	}))
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections() // streams
		server.Close()
	})
	g.url = server.URL + "/control"
	return g
}

// release runs a revision of the rollout, and returns when its plan has begun.
func (g *gateway) release(t *testing.T, name, revision string) {
	t.Helper()
	g.mu.Lock()
	live := g.lives[name]
	if live == nil {
		live = core.NewLive()
		g.lives[name] = live
	} else {
		g.stop[name]()
	}
	g.mu.Unlock()
	engine, err := core.Compile(core.Config{
		Name: name, Revision: revision, Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}},
		Plan: core.Plan{Steps: []core.Step{{Weight: "10%", Manual: true}, {Weight: "50%", For: "30m"}, {Weight: "100%"}}},
	}, live, core.Host{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { engine.Run(ctx); close(ended) }()
	stop := sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	g.mu.Lock()
	g.stop[name] = stop
	g.mu.Unlock()
	eventually(t, "the plan begins", func() bool {
		status, runs := live.Status()
		return runs && status.State == string(rollout.Progressing) && status.Revision == revision
	})
}

func (g *gateway) command(t *testing.T, name string, command rollout.Command) {
	t.Helper()
	if _, err := g.lives[name].Command(t.Context(), command, ""); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happens that %s", what)
		}
	}
}

// output is what a command prints. It may be read while the command runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// execute runs a command line to its end.
func execute(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, complaints output
	code = executeInto(ctx, &out, &complaints, args...)
	return out.String(), complaints.String(), code
}

func executeInto(ctx context.Context, out, complaints *output, args ...string) int {
	root := New(Program{Name: "grayling"})
	root.SetOut(out)
	root.SetErr(complaints)
	root.SetArgs(args)
	return ExitCode(root.ExecuteContext(ctx))
}

// talk runs a command line against the gateway, and requires its exit code and parts of what it prints, complaints too.
func (g *gateway) talk(t *testing.T, code int, parts []string, args ...string) string {
	t.Helper()
	t.Setenv("GRAYLING_SERVER", g.url)
	t.Setenv("GRAYLING_TOKEN", token)
	stdout, stderr, got := execute(t.Context(), args...)
	what := strings.Join(args, " ")
	if got != code {
		t.Errorf("%s: exit code %d, want %d: %s%s", what, got, code, stdout, stderr)
	}
	for _, part := range parts {
		if !strings.Contains(stdout+stderr, part) {
			t.Errorf("%s: no %q in what it prints:\n%s%s", what, part, stdout, stderr)
		}
	}
	if (stderr == "") != (code == 0) {
		t.Errorf("%s: exit code %d, and it complains %q", what, code, stderr)
	}
	return stdout
}

// answering is the URL of a server that answers every request so.
func answering(t *testing.T, status int, kind, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
