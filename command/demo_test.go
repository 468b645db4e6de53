package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestDemoIsInterruptedBeforeItBegins: who presses Ctrl-C while the gateway starts has done nothing wrong.
func TestDemoIsInterruptedBeforeItBegins(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // which the demo sets
	ctx, cancel := context.WithCancel(t.Context())
	stopped := 0
	program := Program{RunCaddy: func([]byte) (func() error, error) { // one that never answers
		cancel()
		return func() error { stopped++; return nil }, nil
	}}
	demo := (&options{timeout: time.Second}).demo(program)
	var out bytes.Buffer
	demo.SetOut(&out)
	demo.SetErr(&out)
	demo.SetArgs(nil)
	if err := demo.ExecuteContext(ctx); err != nil || stopped != 1 {
		t.Errorf("%v, and the gateway was stopped %d times: %s", err, stopped, out.String())
	}
}

// TestDemoOfTraefikThatEnds: whether it says that it failed or not, the demo says how it ended, and what it said, and not
// that it does not begin.
func TestDemoOfTraefikThatEnds(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // which the demo sets
	for code, ending := range map[string]string{"3": "exit status 3", "0": "exit status 0"} {
		traefik := filepath.Join(t.TempDir(), "traefik")
		if err := os.WriteFile(traefik, []byte("#!/bin/sh\necho it does not like to\nexit "+code+"\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		plugin := fstest.MapFS{"go.mod": {Data: []byte("module example.com/plugin\n")}}
		demo := (&options{timeout: time.Second}).demo(Program{Plugin: plugin})
		var out bytes.Buffer
		demo.SetOut(&out)
		demo.SetErr(&out)
		demo.SetArgs([]string{"--traefik", traefik})
		err := demo.ExecuteContext(t.Context())
		if want := "--traefik: " + traefik + ": " + ending + "\nit does not like to"; ExitCode(err) != exitRefused || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
