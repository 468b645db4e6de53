package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// probeHeader carries a number that finds a request in the access log.
const probeHeader = "X-Probe"

// process is a gateway's binary at work. Its standard output is the access log, one JSON object a
// line; what is no entry of it, and its standard error, is shown when the test fails.
type process struct {
	cmd     *exec.Cmd
	entryOf entryOf
	panics  bool          // it may panic, and say so
	killed  bool          // it was ended for the test
	exited  chan struct{} // closed after exit

	mu     sync.Mutex
	arrive *sync.Cond
	access map[string]map[string]any // by probe
	logs   bytes.Buffer
}

// entryOf says whether a line is an entry of the access log, and finds the request's probe.
type entryOf func(line map[string]any) (probe string, access bool)

// run starts the command and stops it, politely, at the test's end. A gateway that panicked, raced
// or did not end by itself fails the test.
func run(t testing.TB, cmd *exec.Cmd, entryOf entryOf) *process {
	t.Helper()
	p := &process{cmd: cmd, entryOf: entryOf, exited: make(chan struct{}), access: make(map[string]map[string]any)}
	p.arrive = sync.NewCond(&p.mu)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = writer(func(b []byte) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.logs.Write(b)
	})
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		p.read(stdout)
		cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

func (p *process) read(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var entry map[string]any
		json.Unmarshal(line, &entry)
		probe, access := p.entryOf(entry)
		p.mu.Lock()
		if entry != nil && access {
			p.access[probe] = entry
			p.arrive.Broadcast()
		} else {
			p.logs.Write(line)
		}
		p.mu.Unlock()
	}
}

// entry waits for the access-log entry of a request: it is written after the answer.
func (p *process) entry(probe string) (map[string]any, error) {
	late := false
	timer := time.AfterFunc(Patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		late = true
		p.arrive.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.access[probe] == nil {
		if late {
			return nil, fmt.Errorf("no access-log entry for probe %s after %v", probe, Patience)
		}
		p.arrive.Wait()
	}
	return p.access[probe], nil
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logs.String()
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process at once.
func (p *process) kill() {
	p.killed = true
	p.cmd.Process.Kill()
	<-p.exited
}

func (p *process) stop(t testing.TB) {
	switch {
	case p.killed:
		t.Logf("%s was killed", p.cmd.Path)
	case !p.running():
		t.Errorf("%s ended by itself: %v", p.cmd.Path, p.cmd.ProcessState)
	default:
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(Patience):
			t.Errorf("%s did not end within %v of SIGTERM", p.cmd.Path, Patience)
			p.cmd.Process.Kill()
			<-p.exited
		}
	}
	logs := p.log()
	for _, sign := range []string{"WARNING: DATA RACE", "panic", "goroutine 1 ["} {
		if strings.Contains(logs, sign) && !p.panics {
			t.Errorf("%s logged %q", p.cmd.Path, sign)
		}
	}
	if t.Failed() {
		t.Logf("log of %s:\n%s", p.cmd.Path, logs)
	}
}

// writer is a function as an io.Writer.
type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
