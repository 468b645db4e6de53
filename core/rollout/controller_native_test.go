package rollout

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestKilledInEveryState kills processes that are in the middle of a rollout. Who comes after them goes on where they
// were.
func TestKilledInEveryState(t *testing.T) {
	if path := os.Getenv("GRAYLING_CHILD"); path != "" {
		live(t, path, os.Getenv("GRAYLING_STATE"))
		return
	}
	for _, c := range []struct {
		state  State
		step   int
		weight string
	}{{Progressing, 2, "10%"}, {Paused, 2, "33%"}, {Promoted, 4, "100%"}, {RolledBack, 2, "0%"}} {
		path := filepath.Join(t.TempDir(), "state.json")
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledInEveryState$", "-test.timeout=5m")
		child.Env = append(os.Environ(), "GRAYLING_CHILD="+path, "GRAYLING_STATE="+string(c.state))
		child.Stderr = os.Stderr
		output, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		position := ""
		for i := 0; i < 30 && lines.Scan(); i++ {
			position = lines.Text()
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || !strings.HasPrefix(position, "{v2 ") {
			t.Fatalf("%s: it ended with %v, and said %q", string(c.state), err, position)
		}
		_ = os.Remove(path + ".lock") // nobody else can have a turn now
		file := store.NewFile(path, func(fault error) { t.Errorf("%s: %v", string(c.state), fault) })
		g := serve(t, file, Settings{Checkpoint: time.Second}).configure(usual())
		g.expect("after a kill", c.state, c.step, c.weight)
		if got := fmt.Sprint(g.c.View().Position); got != position {
			t.Errorf("%s: the position was %s, and is %s", string(c.state), position, got)
		}
		if age := g.c.View().Record.Age; c.state == Progressing && age < 20*time.Second {
			t.Errorf("the step was half a minute old, and is %v", age)
		}
		if len(g.faults) > 0 {
			t.Errorf("%s: told of faults %q", string(c.state), g.faults)
		}
	}
}

// live goes to a state, and stays there, a checkpoint a tick.
func live(t *testing.T, path, state string) {
	t.Helper()
	g := serve(t, store.NewFile(path, nil), Settings{Checkpoint: time.Second}).configure(usual())
	commands := map[string][]Command{
		"progressing": {}, "paused": {{Verb: Pause}, {Verb: SetWeight, Variant: "canary", Weight: "33"}}, "promoted": {{Verb: Promote, Full: true}}, "rolled_back": {{Verb: Abort}},
	}
	for _, c := range append([]Command{{Verb: Promote}}, commands[state]...) {
		if err := g.c.Command(context.Background(), g.now, c); err != nil {
			t.Fatal(err)
		}
	}
	for {
		g.wait(time.Second, Hold)
		fmt.Println(g.c.View().Position)
	}
}
