package integration

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var commandJourneys = []journey{
	{
		name:    "a manual gate waits for promote",
		rollout: planned("gate", manual("50%"), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			s := p.await(t, "passed for some time", func(s gateway.Status) bool { return s.Verdict() == "pass" && s.Age > 4*time.Second })
			if s.State != "progressing" || s.Step != 1 || s.Held {
				t.Errorf("at the gate: %+v", s)
			}
			p.command(t, http.StatusPreconditionFailed, "promote", "", `If-Match: "another"`)
			p.command(t, http.StatusBadRequest, "promote", `{"fulll": true}`)
			p.command(t, http.StatusOK, "promote", "", `If-Match: "`+s.Version+`"`)
			p.expectOnly(t, l, "canary")
			p.expectStory(t, "started 1, promoted 2 operator")
			l.Stop()
			expectAllAnswered(t, l)
			expectNoFlips(t, l)
		},
	},
	{
		name:    "pause and resume",
		rollout: planned("pause", step("10%", "1s"), manual("50%"), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			p.awaitState(t, "progressing", 1)
			p.command(t, http.StatusOK, "pause", "")
			p.command(t, http.StatusConflict, "pause", "")
			l := p.traffic(t, p.users(10))
			before := p.await(t, "a pass while it is paused", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			began := time.Now()
			after := p.await(t, "some time", func(gateway.Status) bool { return time.Since(began) > 3*time.Second })
			if after.State != "paused" || after.Step != 1 || after.Age != before.Age {
				t.Errorf("paused, the step went from %v to %v: %+v", before.Age, after.Age, after)
			}
			in := user(p.rollout.Name, slots*10/100, slots*25/100)
			p.command(t, http.StatusOK, "weight", `{"variant": "canary", "weight": "25%"}`)
			if got := p.get(t, in); got != "canary" {
				t.Errorf("with a weight of 25%% %s is on %s", in, got)
			}
			p.command(t, http.StatusBadRequest, "weight", `{"variant": "canry", "weight": "25%"}`)
			p.command(t, http.StatusBadRequest, "weight", `{"variant": "canary", "weight": "125%"}`)
			p.command(t, http.StatusOK, "step", `{"step": 2}`)
			if s := p.status(t); s.State != "paused" || s.Step != 2 {
				t.Errorf("paused, and led to another step: %+v", s)
			}
			p.command(t, http.StatusOK, "step", `{"step": 1}`)
			p.command(t, http.StatusOK, "resume", "")
			p.command(t, http.StatusConflict, "weight", `{"variant": "canary", "weight": "25%"}`)
			p.awaitState(t, "progressing", 2)
			l.Stop()
			expectAllAnswered(t, l)
		},
	},
	{
		name:    "abort, and restart",
		rollout: planned("abort", manual("50%"), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			p.awaitState(t, "progressing", 1)
			l := p.traffic(t, p.users(50))
			first := p.status(t)
			p.command(t, http.StatusOK, "abort", "")
			p.expectNoCanary(t, l)
			p.command(t, http.StatusConflict, "abort", "")
			p.command(t, http.StatusOK, "restart", "")
			s := p.awaitState(t, "progressing", 1)
			if s.Epoch <= first.Epoch {
				t.Errorf("the epoch went from %d to %d", first.Epoch, s.Epoch)
			}
			if got := p.get(t, p.users(50)[0]); got != "canary" {
				t.Errorf("after the restart the first user is on %s", got)
			}
			p.await(t, "passed anew", func(s gateway.Status) bool { return s.Verdict() == "pass" })
			p.expectStory(t, "started 1, rolled_back 1 operator, restarted 1 operator")
			p.command(t, http.StatusOK, "promote", `{"full": true}`)
			p.expectOnly(t, l, "canary")
			p.command(t, http.StatusOK, "abort", "") // from promoted, too
			p.expectNoCanary(t, l)
			l.Stop()
			expectAllAnswered(t, l)
		},
	},
	{
		name:    "the command line, and events as they happen",
		rollout: planned("pipeline", step("50%", long), step("100%", "")),
		run: func(t *testing.T, p *pilot) {
			p.awaitState(t, "progressing", 1)
			told := watch(t, p, "--until", "promoted")
			told.expect(t, "progressing") // how it is; then it listens
			for _, c := range []struct {
				verb string
				args []string
				want string // what happens
			}{
				{"pause", nil, "paused"}, {"weight", []string{"canary", "60%"}, "weight_set"}, {"resume", nil, "resumed"}, {"promote", []string{"--full"}, "promoted"},
			} {
				expectExit(t, p.g.CommandLine(t, append([]string{c.verb, p.rollout.Name}, c.args...)...), 0)
				told.expect(t, c.want)
			}
			if err := told.wait(); err != nil {
				t.Errorf("watch ended with %v", err)
			}
			expectExit(t, p.g.CommandLine(t, "promote", p.rollout.Name), 1)
			expectExit(t, p.g.CommandLine(t, "abort", p.rollout.Name), 0)
			expectExit(t, p.g.CommandLine(t, "watch", p.rollout.Name, "--until", "promoted"), 4)
		},
	},
	{
		name: "three arms without a plan, and weights by hand",
		rollout: gateway.Rollout{
			Name: "arms", Path: "/arms/*", Revision: "v2", Key: []string{`header("X-User")`},
			Variants: []gateway.Variant{
				{Name: "stable", Backend: "arms-stable"}, {Name: "a", Backend: "arms-a", Weight: "10%"}, {Name: "b", Backend: "arms-b", Weight: "10%"},
			},
		},
		run: func(t *testing.T, p *pilot) {
			if s := p.awaitState(t, "idle", 0); s.Step != 0 {
				t.Errorf("without a plan it is at step %d", s.Step)
			}
			everyone := users(p.rollout.Name, 0, slots, 200)
			divided := func(a, b int) {
				t.Helper()
				for _, user := range everyone {
					want := "stable"
					switch s := slot(p.rollout.Name, user); {
					case s < a*slots/100:
						want = "a"
					case s >= slots-b*slots/100:
						want = "b"
					}
					if got := p.get(t, user); got != want {
						t.Errorf("with %d%% and %d%%, %s is on %s, want %s", a, b, user, got, want)
					}
				}
			}
			divided(10, 10)
			p.command(t, http.StatusOK, "weight", `{"variant": "a", "weight": "40%"}`)
			divided(40, 10)
			p.command(t, http.StatusBadRequest, "weight", `{"variant": "b", "weight": "61%"}`)
			p.command(t, http.StatusBadRequest, "weight", `{"variant": "stable", "weight": "1%"}`)
			p.command(t, http.StatusOK, "weight", `{"variant": "b", "weight": "0"}`)
			divided(40, 0)
			p.command(t, http.StatusConflict, "promote", "")
			if s := p.status(t); s.Weight("a") != "40%" || s.Weight("b") != "0%" || s.Weight("stable") != "60%" {
				t.Errorf("the weights are %+v", s.Variants)
			}
		},
	},
}

// watcher is the command watch, line by line.
type watcher struct {
	lines chan string
	wait  func() error
}

func watch(t *testing.T, p *pilot, args ...string) *watcher {
	t.Helper()
	cmd := p.g.CommandLine(t, append([]string{"watch", p.rollout.Name}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{lines: make(chan string, 100)}
	go func() {
		defer close(w.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			w.lines <- text.Text()
		}
	}()
	w.wait = sync.OnceValue(func() error {
		for range w.lines { // Wait closes what is read from
		}
		return cmd.Wait()
	})
	t.Cleanup(func() {
		cmd.Process.Kill()
		w.wait()
	})
	return w
}

// expect waits for the next line, which has an event in it.
func (w *watcher) expect(t *testing.T, event string) {
	t.Helper()
	if line := receive(t, w.lines, "the event "+event); !strings.Contains(line, event) {
		t.Errorf("the next line is %q, want %s", line, event)
	}
}

// expectExit runs a command, which ends with a code.
func expectExit(t *testing.T, cmd *exec.Cmd, code int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s: exit code %d, want %d: %s, %v", cmd, got, code, out, err)
	}
}
