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
// line; its standard error is shown when the test fails.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after exit

	mu     sync.Mutex
	arrive *sync.Cond
	access map[string]map[string]any // by probe
	logs   bytes.Buffer
}

// run starts the command and stops it, politely, at the test's end. A gateway that panicked, raced
// or did not end by itself fails the test.
func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{}), access: make(map[string]map[string]any)}
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
		if json.Unmarshal(line, &entry) != nil {
			continue
		}
		p.mu.Lock()
		p.access[probeOf(entry)] = entry
		p.arrive.Broadcast()
		p.mu.Unlock()
	}
}

func probeOf(entry map[string]any) string {
	request, _ := entry["request"].(map[string]any)
	headers, _ := request["headers"].(map[string]any)
	values, _ := headers[probeHeader].([]any)
	if len(values) == 0 {
		return ""
	}
	probe, _ := values[0].(string)
	return probe
}

// entry waits for the access-log entry of a request: it is written after the answer.
func (p *process) entry(probe string) (map[string]any, error) {
	const patience = 30 * time.Second
	late := false
	timer := time.AfterFunc(patience, func() {
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
			return nil, fmt.Errorf("no access-log entry for probe %s after %v", probe, patience)
		}
		p.arrive.Wait()
	}
	return p.access[probe], nil
}

func (p *process) stderr() string {
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

func (p *process) stop(t testing.TB) {
	if !p.running() {
		t.Errorf("%s ended by itself: %v", p.cmd.Path, p.cmd.ProcessState)
	} else {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(30 * time.Second):
			t.Errorf("%s did not end within 30 s of SIGTERM", p.cmd.Path)
			p.cmd.Process.Kill()
			<-p.exited
		}
	}
	logs := p.stderr()
	for _, sign := range []string{"WARNING: DATA RACE", "panic", "goroutine 1 ["} {
		if strings.Contains(logs, sign) {
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
