package main

import (
	"context"
	_ "embed"
	"errors"
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
		{name: prefix + "-answers", about: "all are mirrored to a target that answers", to: calm, copies: "COPIES"},
		{name: prefix + "-hangs", about: "... that never answers", to: calm, copies: "HANGS"},
		{name: prefix + "-refuses", about: "... that refuses connections", to: calm},
		{name: prefix + "-floods", about: "... that answers 100 MB", to: calm, copies: "FLOODS"},
		{name: prefix + "-drips", about: "... that answers one byte a second", to: calm, copies: "DRIPS"},
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

// held is for how long a target may hold a copy: the time-out of these mirrors, with time to spare. At the usual rate all
// requests have copies nevertheless, because concurrency has room for what comes in that time.
const held = 500 * time.Millisecond

// waits adds what 50 and 99 of 100 requests of the round keep within until their answer is there, and how many copies arrived.
// It leaves none to the next round.
func (b *bench) waits(_ *process, clients client, s *setting, r *result) error {
	before, err := s.arrived(r.copies)
	if err != nil {
		return err
	}
	took, err := clients.timed(b.requests/b.connections, time.Second*time.Duration(b.connections)/time.Duration(b.rate))
	if err != nil {
		return err
	}
	if r.copies != "" {
		time.Sleep(held)
	}
	after, err := s.arrived(r.copies)
	slices.Sort(took)
	r.medians, r.rounds = append(r.medians, quantile(took, 50)), append(r.rounds, quantile(took, 99))
	r.sent, r.arrived = r.sent+len(took), r.arrived+after-before
	return err
}

// quantile returns what so many of a hundred do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}

// arrived is how many copies a target took until now; one that nobody can ask took none.
func (s *setting) arrived(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	return s.counted(name)
}

// timed sends n requests over every connection, one in every period, and returns what each took. The connections take turns.
func (c client) timed(n int, period time.Duration) ([]time.Duration, error) {
	type outcome struct {
		took []time.Duration
		err  error
	}
	ended := make(chan outcome, len(c))
	began := time.Now()
	for i, conn := range c {
		go func() {
			took, err := timed(conn, n, began.Add(time.Duration(i)*period/time.Duration(len(c))), period)
			ended <- outcome{took, err}
		}()
	}
	var all []time.Duration
	var err error
	for range c {
		o := <-ended
		all = append(all, o.took...)
		err = errors.Join(err, o.err)
	}
	return all, err
}

// timed sends n requests, the first when it is due. One whose time comes before the connection is free has waited since
// then: else an answer that is late would hide how long those behind it would have waited.
func timed(conn connection, n int, due time.Time, period time.Duration) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for range n {
		began := due
		if early := time.Until(due); early > 0 {
			time.Sleep(early)
			began = time.Now() // timers are late by chance
		}
		if err := conn.exchange(); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
		due = due.Add(period)
	}
	return took, nil
}
