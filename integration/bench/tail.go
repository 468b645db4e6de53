package main

import (
	"context"
	_ "embed"
	"os/exec"
	"slices"
	"strings"
	"time"
)

//go:embed tail.Caddyfile
var tailCaddyfile string

// caddyTail and traefikTail have mirrors of all requests to targets that would hold them up if they waited for anything.
var (
	caddyTail   = tailConfigurations("caddy", "Caddy")
	traefikTail = slices.Concat(tailConfigurations("service", "service mode"), tailConfigurations("proxy", "proxy mode"))
)

func tailConfigurations(prefix, gateway string) []configuration {
	calm := prefix + "-calm"
	return []configuration{
		{name: calm, about: gateway + ": a rollout without mirrors"},
		{name: prefix + "-calm-again", about: "the same, for comparison", to: calm},
		{name: prefix + "-answers", about: "all are mirrored to a target that answers", to: calm},
		{name: prefix + "-hangs", about: "... that never answers", to: calm},
		{name: prefix + "-refuses", about: "... that refuses connections", to: calm},
		{name: prefix + "-floods", about: "... that answers 100 MB", to: calm},
		{name: prefix + "-drips", about: "... that answers one byte a second", to: calm},
	}
}

func (b *bench) measureCaddyTail(ctx context.Context, s *setting, results []result) error {
	return b.measure(ctx, s, caddyTail, func() *exec.Cmd {
		cmd := s.command(ctx, b.caddy, "run", "--config", "-", "--adapter", "caddyfile")
		cmd.Stdin = strings.NewReader(tailCaddyfile)
		return cmd
	}, results)
}

func (b *bench) measureTraefikTail(ctx context.Context, s *setting, results []result) error {
	if err := b.install(s.dir); err != nil {
		return err
	}
	return b.measure(ctx, s, traefikTail, func() *exec.Cmd { return b.traefikCommand(ctx, s, grayling) }, results)
}

// pause is what a connection waits between two requests: few enough come that the machine has time for them.
const pause = 10 * time.Millisecond

// tailOf returns the time that 99 of 100 requests of a round keep within.
func (b *bench) tailOf(_ *process, clients client, _ *setting, _ configuration) (time.Duration, error) {
	took, err := clients.timed(b.requests/b.connections, pause)
	if err != nil {
		return 0, err
	}
	slices.Sort(took)
	return took[(len(took)*99+99)/100-1], nil
}

// timed sends n requests over every connection, with pauses, and returns how long each took until its answer was there.
func (c client) timed(n int, pause time.Duration) ([]time.Duration, error) {
	type outcome struct {
		took []time.Duration
		err  error
	}
	ended := make(chan outcome, len(c))
	for _, conn := range c {
		go func() {
			var o outcome
			for range n {
				began := time.Now()
				if o.err = conn.exchange(); o.err != nil {
					break
				}
				o.took = append(o.took, time.Since(began))
				time.Sleep(pause)
			}
			ended <- o
		}()
	}
	var all []time.Duration
	var err error
	for range c {
		o := <-ended
		all = append(all, o.took...)
		if o.err != nil {
			err = o.err
		}
	}
	return all, err
}
