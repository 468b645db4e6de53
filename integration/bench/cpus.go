package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cpus says who runs where. The gateway has one CPU, and its upstreams and clients the others: else the scheduler mixes
// them anew in each round, and what a gateway spends on looking for work varies more than what is measured.
type cpus struct {
	gateway, rest unix.CPUSet
}

// divide moves this program, and what it starts from now on, away from the gateway's CPU. On a machine of one CPU all
// share it.
func divide() (cpus, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return cpus{}, fmt.Errorf("reading which CPUs there are: %w", err)
	}
	if all.Count() == 1 {
		return cpus{gateway: all, rest: all}, nil
	}
	c := cpus{rest: all}
	for cpu := 0; c.gateway.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			c.gateway.Set(cpu)
			c.rest.Clear(cpu)
		}
	}
	// The kernel knows threads, and new ones run where the thread runs that makes them.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return cpus{}, err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return cpus{}, err
		}
		if err := unix.SchedSetaffinity(id, &c.rest); err != nil {
			return cpus{}, fmt.Errorf("choosing a CPU for thread %d: %w", id, err)
		}
	}
	return c, nil
}

// startGateway starts a process on the gateway's CPU. A Go program sees one CPU, then.
func (c cpus) startGateway(cmd *exec.Cmd) (*process, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &c.gateway); err != nil {
		return nil, fmt.Errorf("choosing a CPU for the gateway: %w", err)
	}
	p, err := start(cmd)
	if back := unix.SchedSetaffinity(0, &c.rest); back != nil {
		return p, back
	}
	return p, err
}
