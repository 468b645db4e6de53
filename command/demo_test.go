package command

import (
	"bytes"
	"context"
	"testing"
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
