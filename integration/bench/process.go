package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what the run waits for: a gateway that starts or ends, a round.
const patience = 2 * time.Minute

// process is a program that runs beside this one. It ends with stop, or when the context of its command ends.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of its exit, with what it said; to be read after exited
}

// start runs a program made with program.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // the state says it
		p.err = fmt.Errorf("%s ended: %v\n%s", cmd.Path, cmd.ProcessState, cmd.Stderr)
		close(p.exited)
	}()
	return p, nil
}

// program is a command that is asked to end when the context does, and killed if it does not. What it writes to its
// standard error is kept.
func program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = new(bytes.Buffer)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// stop asks the process to end and waits for that. It is an error if it had ended before.
func (p *process) stop() error {
	select {
	case <-p.exited:
		return p.err
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.cmd.Path, patience)
	}
	return nil
}

// answers waits until the process answers requests with a success. If it does not, it has ended.
func (p *process) answers(transport http.RoundTripper, url string) error {
	client := http.Client{Timeout: patience, Transport: transport}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		select {
		case <-p.exited:
			return p.err
		default:
		}
		if time.Now().After(deadline) {
			p.cmd.Process.Kill()
			<-p.exited
			return fmt.Errorf("no answer at %s: %w; %w", url, err, p.err)
		}
	}
}

// cpuTime returns the CPU time that the process has taken, in user and kernel mode, of all its threads that run or ever
// ran. The kernel's clock of a process counts in nanoseconds and to this moment; the times in /proc count in ticks, or
// leave out threads that ended.
func (p *process) cpuTime() (time.Duration, error) {
	const scheduled = 2 // clock_getcpuclockid(3): the process id inverted, and this kind of clock in the lowest bits
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of %s: %w", p.cmd.Path, err)
	}
	return time.Duration(t.Nano()), nil
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
