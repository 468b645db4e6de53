package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"
)

// measure starts a gateway with all configurations that it has, and lets those of the results take turns. They share a
// process: two processes of one program differ by some percent, because where their memory lies is left to chance.
func (b *bench) measure(ctx context.Context, s *setting, all []configuration, command func() *exec.Cmd, results []result) (err error) {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	if err := s.place(names...); err != nil {
		return err
	}
	p, err := s.launch(command())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()

	for _, r := range results {
		if err := s.verify(r.configuration); err != nil {
			return err
		}
	}
	s.transport.CloseIdleConnections()
	clients := make([]client, len(results))
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for i, r := range results { // only now: gateways close connections that idle for long
		if clients[i], err = s.connect(r.name, b.connections); err != nil {
			return err
		}
	}
	round := b.round
	if b.tail {
		round = b.tailOf
	}
	const warmUp = 3
	for n := range warmUp + b.rounds {
		// In a new order each time, because a round leaves work behind, such as garbage to collect.
		for _, i := range rand.Perm(len(results)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			cost, err := round(p, clients[i], s, results[i].configuration)
			if err != nil {
				return fmt.Errorf("%s: %w", results[i].name, err)
			}
			if n >= warmUp {
				results[i].rounds = append(results[i].rounds, cost)
			}
		}
	}
	keepQuiet(results)
	return nil
}

// round returns the CPU time that the gateway takes for each of the round's requests, with their copies.
func (b *bench) round(gateway *process, clients client, s *setting, c configuration) (time.Duration, error) {
	if err := s.emptyLog(); err != nil {
		return 0, err
	}
	before, err := gateway.cpuTime()
	if err != nil {
		return 0, err
	}
	each := b.requests / b.connections
	if err := s.copiesOf(c, each*b.connections, func() error { return clients.send(each) }); err != nil {
		return 0, err
	}
	after, err := gateway.cpuTime()
	return (after - before) / time.Duration(each*b.connections), err
}
