package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// shareCPU confines this program, and what it starts from now on, to one CPU, the last. A message from one CPU to another
// costs an interrupt, and a gateway that has several looks for work on all: both vary more than what is measured.
func shareCPU() error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("reading which CPUs there are: %w", err)
	}
	last := 0 // the first is often the one that serves devices
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if all.IsSet(cpu) {
			last = cpu
			left--
		}
	}
	one.Set(last)
	return confine(&one)
}

// confine lets this program run on these CPUs only. The kernel knows threads, and new ones run where the thread runs that
// makes them.
func confine(cpus *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, cpus); err != nil {
			return fmt.Errorf("choosing CPUs for thread %d: %w", id, err)
		}
	}
	return nil
}
